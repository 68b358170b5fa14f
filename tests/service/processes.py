"""Programs that tests start, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

WAIT_SECONDS_MAX = 60.0
CHECK_SECONDS = 0.02

Answer = TypeVar("Answer")


def until(ask: Callable[[], Answer], *, what: str) -> Answer:
    """Return the first answer that is true, or fail saying what never came."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(CHECK_SECONDS)
    raise AssertionError(f"never seen: {what}")


def runs(pid: int) -> bool:
    """Tell whether a process is there and no mere remainder."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return words[0] not in {"Z", "X"}


def children(pid: int) -> list[int]:
    """Return the pids of a process's children, oldest first."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found.extend(int(word) for word in task.read_text().split())
        except OSError:
            continue
    return found


def descendants(pid: int) -> list[int]:
    """Return the pids of everything below a process."""
    found = children(pid)
    for child in list(found):
        found.extend(descendants(child))
    return found


def command(pid: int) -> str:
    """Return the command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
