"""Stands between a worker and the program it started, and leaves nothing behind.

Run as a file by a bare interpreter: `guard.py WORKER_PID GRACE_SECONDS PROGRAM…`. It dies
when its worker dies, and whatever the program started dies with it, also what made itself
independent: as its reaper, the guard is the parent of every orphan.

Not `preexec_fn`, because a worker has threads; and no import of ours, so that it is there
in milliseconds.
"""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
WAIT_SECONDS = 0.2


def main(worker: int, grace_seconds: float, program: list[str]) -> int:
    """Run the program; return its exit code, or minus the signal that ended it."""
    libc = ctypes.CDLL(None, use_errno=True)
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if os.getppid() != worker:
        return -signal.SIGTERM  # it died before it could be asked about
    child = os.fork()
    if child == 0:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        try:
            os.execvp(program[0], program)  # noqa: S606  no shell is wanted
        except OSError as error:
            sys.stderr.write(f"{program[0]}: {error.strerror}\n")
            os._exit(127)
    # The program alone holds the pipes, so that their ends tell of its end.
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    code = wait(child, grace_seconds)
    end_orphans()
    return code


def wait(child: int, grace_seconds: float) -> int:
    """Reap until the child has ended; end it when we are asked to."""
    code: int | None = None
    kill_at: float | None = None
    while code is None:
        got = signal.sigtimedwait({signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}, 0.2)
        if got is not None and got.si_signo != signal.SIGCHLD and kill_at is None:
            kill_at = time.monotonic() + grace_seconds
            os.kill(child, signal.SIGTERM)
        if kill_at is not None and time.monotonic() > kill_at:
            os.kill(child, signal.SIGKILL)
        code = reap(child)
    return code


def reap(child: int) -> int | None:
    """Collect what has ended; return the child's code when it is among that."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if pid == 0:
            return code
        if pid == child:
            code = os.waitstatus_to_exitcode(status)


def end_orphans() -> None:
    """Kill every descendant that is left, until there is none."""
    while True:
        left = descendants(os.getpid())
        if not left:
            return
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        reap(0)
        time.sleep(0.01)


def descendants(parent: int) -> list[int]:
    """Return the processes below the parent, without it."""
    found: list[int] = []
    pending = [parent]
    while pending:
        for path in Path("/proc", str(pending.pop()), "task").glob("*/children"):
            try:
                children = [int(word) for word in path.read_text().split()]
            except OSError:
                continue
            found += children
            pending += children
    return found


if __name__ == "__main__":
    ended = main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
    if ended < 0:
        # End as the program did, so that its worker sees the same.
        signal.signal(-ended, signal.SIG_DFL) if -ended != signal.SIGKILL else None
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
        os.kill(os.getpid(), -ended)
    sys.exit(ended)
