"""A job's work in a process of its own, which ends with the job and with the worker."""

import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import IO, Any, Final

import msgspec

from vexxy.jobs.errors import DeadlinePassed, JobCancelled, LeaseLost, WorkerStopping
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.kit.errors import ExternalFailure, VexxyError
from vexxy.worker import strays

LOOK_SECONDS: Final = 0.2
GRACE_SECONDS: Final = 8.0
# From the grace on, for the guard to kill what is left.
GUARD_SECONDS: Final = 5.0
STDERR_LINES_MAX: Final = 200
LINE_BYTES_MAX: Final = 1_000_000

OnLine = Callable[[dict[str, Any]], None]
log = logging.logger(__name__)


class ChildFailed(ExternalFailure):
    """The process could not be started, or its guard was killed."""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How the process ended.

    Attributes:
        exit_code: Minus the signal's number if a signal ended it.
        ended_by: Why we ended it: JobCancelled, DeadlinePassed, LeaseLost or
            WorkerStopping; None when it ended by itself.
        stderr_tail: The last lines it wrote to standard error.
    """

    exit_code: int
    ended_by: VexxyError | None
    stderr_tail: str


def run(
    context: JobContext,
    command: Sequence[str],
    *,
    on_line: OnLine,
    environment: Mapping[str, str] | None = None,
    grace_seconds: float = GRACE_SECONDS,
) -> ChildEnd:
    """Run the command until it ends, or until the job may go on no longer.

    It is ended by SIGTERM and, after the grace, by SIGKILL; so is everything it started.
    When this worker dies the same happens. What it started in a container engine is
    not its descendant: remove that by its label afterwards.

    Args:
        context: Whose deadline, cancellation and lease count.
        command: Program and arguments.
        on_line: Gets each JSON object that is a line of the standard output; when it
            raises, the process is ended and the exception passed on.
        environment: Of the process; ours when None.
        grace_seconds: Between SIGTERM and SIGKILL.

    Raises:
        ChildFailed: The process could not be started.
    """
    mark = strays.mark()
    guarded = [sys.executable, "-I", "-S", str(strays.GUARD), str(os.getpid())]
    try:
        process = subprocess.Popen(
            [*guarded, str(grace_seconds), *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**(os.environ if environment is None else environment), strays.NAME: mark},
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"no process could be started: {error.strerror}") from error
    relay = _Relay(process)
    with process:
        try:
            ended_by = _attend(process, context, relay, on_line=on_line)
        finally:
            _end(process, grace_seconds=grace_seconds)
            if process.returncode == -signal.SIGKILL:
                # Perhaps the guard itself was killed.
                strays.end(mark)
            relay.join()
        for content in relay.rest():
            on_line(content)
    return ChildEnd(process.returncode, ended_by, relay.stderr_tail())


def _attend(
    process: subprocess.Popen[bytes],
    context: JobContext,
    relay: "_Relay",
    *,
    on_line: OnLine,
) -> VexxyError | None:
    """Hand lines on until the process ends; return the reason to end it otherwise."""
    while process.poll() is None:
        content = relay.next(LOOK_SECONDS)
        if content is not None:
            on_line(content)
        reason = _reason(context)
        if reason is not None:
            return reason
    return None


def _reason(context: JobContext) -> VexxyError | None:
    if not context.cancelled():
        return None
    try:
        context.heartbeat()
    except (JobCancelled, DeadlinePassed, LeaseLost, WorkerStopping) as error:
        return error
    return None


def _end(process: subprocess.Popen[bytes], *, grace_seconds: float) -> None:
    """End it if it runs, with everything below it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_seconds + GUARD_SECONDS)
    except subprocess.TimeoutExpired:
        log.exception("child.guard_hangs", process_id=process.pid)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class _Relay:
    """Reads what the process writes, so that it never waits for us."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None  # noqa: S101  a pipe was asked for
        assert process.stderr is not None  # noqa: S101  the same
        self._contents: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._tail: deque[str] = deque(maxlen=STDERR_LINES_MAX)
        self._threads = [
            threading.Thread(target=self._read_out, args=(process.stdout,), daemon=True),
            threading.Thread(target=self._read_err, args=(process.stderr,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def next(self, timeout_seconds: float) -> dict[str, Any] | None:
        """Return the next object, None when none came in the time."""
        try:
            return self._contents.get(timeout=timeout_seconds)
        except Empty:
            return None

    def rest(self) -> Iterator[dict[str, Any]]:
        """Return the objects that nobody took."""
        while not self._contents.empty():
            yield self._contents.get()

    def join(self) -> None:
        """Wait until everything is read; both pipes end with the last writer."""
        for thread in self._threads:
            thread.join(timeout=GUARD_SECONDS)

    def stderr_tail(self) -> str:
        """Return the last lines."""
        return "\n".join(self._tail)

    def _read_out(self, stream: IO[bytes]) -> None:
        while line := stream.readline(LINE_BYTES_MAX):
            try:
                content = msgspec.json.decode(line)
            except msgspec.DecodeError:
                content = None
            if isinstance(content, dict):
                self._contents.put(content)
            else:
                self._tail.append(line.decode("utf-8", "replace").rstrip())

    def _read_err(self, stream: IO[bytes]) -> None:
        while line := stream.readline(LINE_BYTES_MAX):
            self._tail.append(line.decode("utf-8", "replace").rstrip())
