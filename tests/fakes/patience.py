"""Waiting for something that must happen, and not for ever."""

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.02


def until(happened: Callable[[], bool]) -> None:
    """Return as soon as it happened; fail the test if it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while not happened():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        pause.wait(LOOK_SECONDS)
