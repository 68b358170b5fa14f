"""When a sandbox counts as ready: its ports answer, or it has settled."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from vexxy.sandbox.types import Port, Readiness, ReadyWhen

CHECK_SECONDS: Final = 0.05
QUIET_SECONDS: Final = 2.0
# A server may take connections seconds before it can serve them.
PATIENCE_SECONDS: Final = 5.0


class Watched(Protocol):
    """What readiness is read from; `service.Sandbox` is one."""

    def has_ended(self) -> int | None:
        """Return the exit code, None while the first process runs."""

    def listening(self) -> tuple[int, ...]:
        """Return the TCP ports something listens on."""

    def protocol_of(self, port: int, *, patience_seconds: float) -> str | None:
        """Return what answers on the port, None when nothing connects.

        Args:
            port: Of the sandbox's loopback.
            patience_seconds: How long something that stays silent is waited for.
        """


@dataclass(frozen=True, slots=True)
class Expected:
    """What is waited for.

    Attributes:
        required: Ports of which every one must answer.
        likely: Ports of which the first that answers is enough; the rest may follow
            while things settle. Ignored when there are required ones.
        activity: A number that grows with everything new that is seen.
    """

    required: tuple[int, ...]
    likely: tuple[int, ...]
    timeout_seconds: float
    activity: Callable[[], int]
    quiet_seconds: float = QUIET_SECONDS


@dataclass(frozen=True, slots=True)
class Unready:
    """Why it did not become ready.

    Attributes:
        exit_code: Of the first process, None when the time ran out instead.
        missing: Ports that did not answer.
    """

    exit_code: int | None
    missing: tuple[int, ...]


def wait(watched: Watched, expected: Expected) -> Readiness | Unready:
    """Return once it is ready, has ended, or the time is over."""
    started = time.monotonic()
    deadline = started + expected.timeout_seconds
    quiet = _Quiet(expected.activity)
    answering: dict[int, Port] = {}
    while True:
        code = watched.has_ended()
        elapsed = time.monotonic() - started
        if code is not None:
            if code == 0 and not expected.required and not expected.likely:
                return Readiness(ReadyWhen.FINISHED, elapsed)
            return Unready(code, _missing(expected, answering))
        late = time.monotonic() >= deadline
        settled = late or quiet.seconds() >= expected.quiet_seconds
        waited_for = expected.required or expected.likely
        if settled and not expected.required:
            waited_for = watched.listening()
        _look(watched, answering, waited_for)
        if _answers(expected, answering, settled=settled):
            elapsed = time.monotonic() - started
            return Readiness(ReadyWhen.ANSWERS, elapsed, _others(watched, answering))
        if settled and not expected.required and not expected.likely:
            return Readiness(ReadyWhen.SETTLED, time.monotonic() - started)
        if late:
            return Unready(None, _missing(expected, answering))
        time.sleep(CHECK_SECONDS)


class _Quiet:
    """How long a number has stayed the same."""

    def __init__(self, activity: Callable[[], int]) -> None:
        self._activity = activity
        self._last = activity()
        self._since = time.monotonic()

    def seconds(self) -> float:
        now = self._activity()
        if now != self._last:
            self._last = now
            self._since = time.monotonic()
        return time.monotonic() - self._since


def _look(watched: Watched, answering: dict[int, Port], ports: Iterable[int]) -> None:
    """Ask those of the ports that listen by now what they speak."""
    wanted = set(ports) - set(answering)
    for number in set(watched.listening()) & wanted:
        protocol = watched.protocol_of(number, patience_seconds=PATIENCE_SECONDS)
        if protocol is not None:
            answering[number] = Port(number, protocol)


def _others(watched: Watched, answering: dict[int, Port]) -> tuple[Port, ...]:
    """Return everything that answers, ports included that nobody expected."""
    for number in set(watched.listening()) - set(answering):
        protocol = watched.protocol_of(number, patience_seconds=0.0)
        if protocol is not None:
            answering[number] = Port(number, protocol)
    return tuple(answering[number] for number in sorted(answering))


def _answers(expected: Expected, answering: dict[int, Port], *, settled: bool) -> bool:
    """Return whether what answers is enough.

    One likely port is not: an image that exposes two opens the second a moment later,
    so all of them, or quiet.
    """
    if expected.required:
        return all(number in answering for number in expected.required)
    if expected.likely and all(number in answering for number in expected.likely):
        return True
    return bool(answering) and settled


def _missing(expected: Expected, answering: dict[int, Port]) -> tuple[int, ...]:
    wanted = expected.required or expected.likely
    return tuple(number for number in wanted if number not in answering)
