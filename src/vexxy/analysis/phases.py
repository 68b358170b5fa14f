"""The phases of the contract, their percentages, and the time each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from vexxy.analysis.types import Timing
from vexxy.kit.progress import Listener, Progress


class Phase(Enum):
    """Name and percent of each phase (contract, section 3)."""

    PLATFORM = ("Checking platform", 5)
    DEPLOY = ("Deploying workload", 15)
    READY = ("Waiting for readiness", 25)
    SERVICE = ("Exposing service", 30)
    DAST = ("Running test script", 32)
    OBSERVE = ("Observing", 40)
    EXTRACT = ("Extracting", 80)
    VEX = ("Deciding", 90)
    SUMMARY = ("Summarizing", 95)
    CLEANUP = ("Cleaning up", 100)


# Watching moves the bar from its own percent to this one.
OBSERVE_UNTIL_PERCENT = 50
# Time in these is the image's own, or was asked for.
WATCHING = frozenset({Phase.READY, Phase.SERVICE, Phase.DAST, Phase.OBSERVE})


class Clock:
    """Tells a listener about phases and keeps how long each took."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._seconds: dict[Phase, float] = {}

    @contextmanager
    def phase(self, phase: Phase, detail: str = "") -> Iterator[None]:
        """Time everything inside as the phase; several times add up."""
        self.say(phase, detail)
        started = time.monotonic()
        try:
            yield
        finally:
            spent = time.monotonic() - started
            self._seconds[phase] = self._seconds.get(phase, 0.0) + spent

    def say(
        self,
        phase: Phase,
        detail: str = "",
        *,
        done: float = 0.0,
        remaining_seconds: float | None = None,
    ) -> None:
        """Tell where the phase is; `done` is the share of an observation, 0-1."""
        name, percent = phase.value
        if phase is Phase.OBSERVE:
            percent += round((OBSERVE_UNTIL_PERCENT - percent) * done)
        self._listener(Progress(name, percent, detail, remaining_seconds))

    def timings(self) -> tuple[Timing, ...]:
        """Return what each phase took so far, in order."""
        return tuple(
            Timing(phase.value[0], round(self._seconds[phase], 3), phase in WATCHING)
            for phase in Phase
            if phase in self._seconds
        )
