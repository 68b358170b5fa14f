"""Run a command of `vexxy` that ends with the process that started it.

Arguments: pid of the parent, then the command line. The kernel sends the termination
signal when the parent dies, however it dies, so a killed `vexxy serve` leaves no worker.
"""

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1


def bind(parent: int) -> None:
    """Have this process asked to end when its parent does; end if it already has."""
    # The parent's own handlers are not ours, and it may have been ignoring signals.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the program that started this one has ended")


def main(arguments: list[str]) -> None:
    """Run the command."""
    bind(int(arguments[0]))
    sys.argv = ["vexxy", *arguments[1:]]
    runpy.run_module("vexxy", run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
