"""A thread that ends by a fault takes its process with it.

Python lets the others go on: without its keeper a worker would lose every lease and do
jobs twice, without its upkeep no lost job would ever be taken up, and nothing would look
wrong. Whoever started the process starts it again.
"""

import os
import threading
from typing import Final

from vexxy.kit import logging

FAULT_EXIT: Final = 70

log = logging.logger(__name__)


def end_with_any_thread() -> None:
    """Have this process end when any of its threads does so by an exception."""
    threading.excepthook = _end


def _end(fault: threading.ExceptHookArgs) -> None:
    log.critical(
        "worker.thread_failed",
        thread=fault.thread.name if fault.thread else None,
        exc_info=fault.exc_value,
    )
    os._exit(FAULT_EXIT)
