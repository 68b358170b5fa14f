"""The traffic program: a plan in, a line of JSON for each report out.

Started by `generator` inside a sandbox's network. It stops by itself when its time or its
budget is over, when its input is closed, and when the kernel says that its parent ended.
"""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

import httpx
import msgspec

from vexxy.integrations.http_driver import mutations, pokes, targets
from vexxy.integrations.http_driver.pages import Pages
from vexxy.sandbox import rules
from vexxy.sandbox.types import LOOPBACK, Port, PortTraffic, TrafficPlan, TrafficReport

ANSWER_SECONDS_MAX: Final = 5.0
REPORT_SECONDS: Final = 0.5
PASS_SECONDS: Final = 5.0
TARGETS_MAX: Final = 1000
PATHS_MAX: Final = 2000
ERRORS_MAX: Final = 20
# What the readers of pages and OpenAPI documents raise on hostile ones.
UNREADABLE: Final = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError,
    TypeError, ValueError,
)  # fmt: skip
BODY_BYTES_MAX: Final = 1024 * 1024


class _Tally:
    """What one port was sent and answered."""

    def __init__(self) -> None:
        self.sent = 0
        self.answered = 0
        self.statuses: Counter[str] = Counter()
        self.pages = Pages()

    def count(self, status: str, *, answered: bool) -> None:
        """Add an answer; `answered` says whether it counts as one."""
        self.statuses[status] += 1
        self.answered += answered


class Driver:
    """Sends what the plan allows, in an order that is the same in every run."""

    def __init__(self, plan: TrafficPlan) -> None:
        self._plan = plan
        self._deadline = time.monotonic() + plan.duration_seconds
        self._sent = 0
        self._turn_ends = 0.0
        self._turn_budget = 0
        self._tallies: dict[int, _Tally] = {}
        self._mutated = 0
        self._passes = 0
        self._next_at = 0.0
        self._reported_at = 0.0
        self._paths: dict[str, None] = {}
        self._errors: dict[str, None] = {}
        self._known: dict[int, dict[targets.Target, None]] = {}
        self._chance = random.Random(0)  # noqa: S311  repeatable, not secret

    def run(self) -> None:
        """Make passes until the time or the budget is over."""
        while not self._over():
            started = time.monotonic()
            for number, port in enumerate(self._plan.ports):
                self._begin_turn(len(self._plan.ports) - number)
                if port.protocol in rules.HTTP_PROTOCOLS:
                    self._drive_http(port)
                else:
                    self._poke(port)
            self._passes += 1
            self.report()
            rest = PASS_SECONDS - (time.monotonic() - started)
            while rest > 0 and not self._plan.fuzz and not self._over():
                time.sleep(min(rest, 0.1))
                rest = PASS_SECONDS - (time.monotonic() - started)
        self.report()

    def report(self) -> None:
        """Write what was done so far."""
        tallies = self._tallies.values()
        report = TrafficReport(
            sent=self._sent,
            answered=sum(one.answered for one in tallies),
            paths=tuple(self._paths),
            statuses=dict(sum((one.statuses for one in tallies), Counter[str]())),
            by_port={
                number: PortTraffic(
                    one.sent, one.answered, dict(one.statuses), one.pages.hindrance
                )
                for number, one in self._tallies.items()
            },
            passes=self._passes,
            mutated=self._mutated,
            errors=tuple(self._errors),
        )
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()
        self._reported_at = time.monotonic()

    def _begin_turn(self, ports_left: int) -> None:
        """Give a port its share of what is left: none may use up the others' window."""
        now = time.monotonic()
        self._turn_ends = now + (self._deadline - now) / ports_left
        left = self._plan.requests_max - self._sent
        self._turn_budget = self._sent + max(1, left // ports_left)

    def _drive_http(self, port: Port) -> None:
        tally = self._tallies.setdefault(port.number, _Tally())
        known = self._known.setdefault(
            port.number, dict.fromkeys(targets.first_targets(self._plan.seed_paths))
        )
        with httpx.Client(
            base_url=f"{port.protocol}://{LOOPBACK}:{port.number}",
            verify=False,  # noqa: S501  an image's own certificate, on loopback
            timeout=ANSWER_SECONDS_MAX,
            headers={"User-Agent": "vexxy", "Host": "localhost"},
        ) as client:
            for target in _growing(known):
                if self._over() or self._is_turn_over():
                    return
                for found in self._ask(client, tally, (target, {})):
                    if len(known) < TARGETS_MAX:
                        known.setdefault(found)
                if self._plan.fuzz and self._passes:
                    for asked in mutations.mutated(target, self._chance):
                        self._mutated += 1
                        self._ask(client, tally, asked, bent=True)

    def _ask(
        self,
        client: httpx.Client,
        tally: _Tally,
        asked: tuple[targets.Target, dict[str, str]],
        *,
        bent: bool = False,
    ) -> list[targets.Target]:
        """Send one request; return what its answer leads to."""
        target, headers = asked
        self._take_turn(tally)
        if target.content_type:
            headers = {"Content-Type": target.content_type, **headers}
        try:
            with client.stream(
                target.method,
                target.path,
                content=target.body.encode("utf-8", "replace") or None,
                headers=headers,
            ) as answer:
                text = _text(answer)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            if len(self._errors) < ERRORS_MAX:
                self._errors.setdefault(f"{target.method}: {type(error).__name__}")
            return []
        status = str(answer.status_code)
        answered = rules.is_success(status)
        tally.count(status, answered=answered)
        if not bent:
            tally.pages.note(target, status, headers=answer.headers, text=text)
        self._note(target.name, answered=answered)
        try:
            return _leads(target, answer.headers, text)
        except UNREADABLE as error:
            # Whatever an image answers must not end the drive.
            if len(self._errors) < ERRORS_MAX:
                said = f"{target.method} {target.path}: unreadable: {type(error).__name__}"
                self._errors.setdefault(said)
            return []

    def _poke(self, port: Port) -> None:
        tally = self._tallies.setdefault(port.number, _Tally())
        for name, answered in pokes.poke(port.number, port.protocol):
            self._take_turn(tally)
            if answered:
                tally.count(port.protocol, answered=True)
                self._note(name, answered=True)
            if self._over() or self._is_turn_over():
                return

    def _note(self, name: str, *, answered: bool) -> None:
        if answered and len(self._paths) < PATHS_MAX:
            self._paths.setdefault(name)

    def _take_turn(self, tally: _Tally) -> None:
        self._sent += 1
        tally.sent += 1
        now = time.monotonic()
        if now < self._next_at:
            time.sleep(self._next_at - now)
        self._next_at = max(now, self._next_at) + 1 / self._plan.requests_per_second
        if now - self._reported_at > REPORT_SECONDS:
            self.report()

    def _over(self) -> bool:
        return time.monotonic() >= self._deadline or self._sent >= self._plan.requests_max

    def _is_turn_over(self) -> bool:
        return time.monotonic() >= self._turn_ends or self._sent >= self._turn_budget


def _leads(
    target: targets.Target, headers: Mapping[str, str], text: str
) -> list[targets.Target]:
    """Return what an answer leads to: its links and forms, and where it redirects."""
    found = targets.found_in(target.path, headers.get("Content-Type", ""), text)
    moved = targets.local(target.path, headers.get("Location", ""))
    if moved and "Location" in headers:
        found.append(targets.Target("GET", moved))
    return found


def _growing(known: dict[targets.Target, None]) -> Iterator[targets.Target]:
    """Yield every target, those added meanwhile included."""
    done = 0
    while done < len(known):
        batch = list(known)[done:]
        yield from batch
        done += len(batch)


def _text(answer: httpx.Response) -> str:
    """Return the beginning of a body; an endless one is cut."""
    kept = bytearray()
    for chunk in answer.iter_bytes():
        kept += chunk
        if len(kept) >= BODY_BYTES_MAX:
            break
    return kept[:BODY_BYTES_MAX].decode("utf-8", "replace")


def main() -> None:
    """Read the plan from standard input and carry it out."""
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=TrafficPlan)
    Driver(plan).run()


if __name__ == "__main__":
    main()
