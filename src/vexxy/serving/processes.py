"""One process that is kept running: started again when it dies, with growing pauses."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

FIRST_PAUSE_SECONDS: Final = 0.5
PAUSE_SECONDS_MAX: Final = 30.0
# A process that lived this long has earned a fresh start.
STEADY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run.

    Attributes:
        name: As it is told to people.
        module: Run with this Python; it binds itself to the parent it is told.
        arguments: After the pid of the parent.
        environment: All of it.
        descriptors: Open files that it inherits.
        essential: Whether its end before the service is up is the end of the start.
    """

    name: str
    module: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()
    essential: bool = False


def pause_seconds(deaths: int) -> float:
    """Return how long to wait before the next start, after so many deaths in a row."""
    return float(min(FIRST_PAUSE_SECONDS * 2 ** max(0, deaths - 1), PAUSE_SECONDS_MAX))


class Kept:
    """A program, kept running from `start` to `end`."""

    def __init__(self, program: Program) -> None:
        self.program: Final = program
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._deaths = 0
        self._due_at = 0.0

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return None if self._process is None else self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs or before it was started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start it."""
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", self.program.module, str(os.getpid())),
                *self.program.arguments,
            ],
            stdin=subprocess.DEVNULL,
            env=dict(self.program.environment),
            pass_fds=tuple(self.program.descriptors),
            # Ctrl-C goes to the whole foreground group; ours end in their order.
            start_new_session=True,
        )

    def tend(self, now: float) -> str | None:
        """Start it again when it died and its pause is over; return news for people."""
        if self._process is None:
            return self._start_again() if now >= self._due_at else None
        code = self._process.poll()
        if code is None:
            return None
        if now - self._started_at > STEADY_SECONDS:
            self._deaths = 0
        self._process = None
        return self._postponed(f"ended ({describe(code)})", now)

    def _start_again(self) -> str | None:
        try:
            self.start()
        except OSError as error:
            # No process or no memory is left; that may pass.
            return self._postponed(f"could not start ({error})", time.monotonic())
        return None

    def _postponed(self, what: str, now: float) -> str:
        self._deaths += 1
        pause = pause_seconds(self._deaths)
        self._due_at = now + pause
        return f"{self.program.name} {what}; started again in {pause:g} s"

    def ask_to_end(self) -> None:
        """Send the termination signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def end(self, deadline: float) -> bool:
        """Wait for its end until the deadline, then kill it; tell whether it was killed."""
        if self._process is None:
            return False
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return True
        return False


def describe(returncode: int) -> str:
    """Return how a process ended, in words."""
    if returncode >= 0:
        return f"exit code {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
