"""When a sandbox counts as ready, told with a sandbox in memory."""

from collections.abc import Callable
from dataclasses import dataclass, field

from vexxy.sandbox import readiness
from vexxy.sandbox.readiness import Expected, Unready
from vexxy.sandbox.types import Port, Readiness, ReadyWhen


@dataclass
class Scripted:
    """Shows one state after the other, one a look, and stays at the last."""

    ports: list[tuple[int, ...]] = field(default_factory=lambda: [()])
    protocols: dict[int, str | None] = field(default_factory=dict)
    ends: list[int | None] = field(default_factory=lambda: [None])
    looks: int = 0

    def has_ended(self) -> int | None:
        self.looks += 1
        return self.ends[min(self.looks, len(self.ends)) - 1]

    def listening(self) -> tuple[int, ...]:
        return self.ports[min(self.looks, len(self.ports)) - 1]

    def protocol_of(self, port: int, *, patience_seconds: float) -> str | None:
        return self.protocols.get(port, "http")


def always_new() -> Callable[[], int]:
    numbers = iter(range(1_000_000))
    return lambda: next(numbers)


def expected(**given: object) -> Expected:
    values: dict[str, object] = {
        "required": (),
        "likely": (),
        "timeout_seconds": 30.0,
        "activity": lambda: 0,
        "quiet_seconds": 0.0,
    }
    return Expected(**(values | given))  # type: ignore[arg-type]


def test_every_required_port_must_answer() -> None:
    watched = Scripted(ports=[(), (80,), (80, 443)], protocols={443: "https"})
    found = readiness.wait(watched, expected(required=(80, 443), activity=always_new()))
    assert isinstance(found, Readiness)
    assert found.ports == (Port(80, "http"), Port(443, "https"))
    assert watched.looks >= 3


def test_a_required_port_that_listens_but_refuses_is_not_enough() -> None:
    watched = Scripted(ports=[(80,)], protocols={80: None})
    found = readiness.wait(watched, expected(required=(80,), timeout_seconds=0.0))
    assert found == Unready(None, (80,))


def test_one_of_the_exposed_ports_is_enough_once_it_is_quiet() -> None:
    watched = Scripted(ports=[(8080,)])
    found = readiness.wait(watched, expected(likely=(8080, 8443)))
    assert isinstance(found, Readiness)
    assert found.when is ReadyWhen.ANSWERS
    assert found.ports == (Port(8080, "http"),)


def test_a_port_beside_the_expected_one_is_reported_too() -> None:
    watched = Scripted(ports=[(80, 9000)], protocols={9000: "tcp"})
    found = readiness.wait(watched, expected(required=(80,), activity=always_new()))
    assert isinstance(found, Readiness)
    assert found.ports == (Port(80, "http"), Port(9000, "tcp"))


def test_exposed_ports_that_stay_closed_are_a_failure_at_the_time_limit() -> None:
    found = readiness.wait(Scripted(), expected(likely=(80,), timeout_seconds=0.0))
    assert found == Unready(None, (80,))


def test_an_image_that_opens_another_port_than_it_says_is_ready() -> None:
    watched = Scripted(ports=[(3000,)])
    found = readiness.wait(watched, expected(likely=(80,)))
    assert isinstance(found, Readiness)
    assert found.ports == (Port(3000, "http"),)


def test_nothing_new_means_settled() -> None:
    found = readiness.wait(Scripted(), expected())
    assert isinstance(found, Readiness)
    assert found.when is ReadyWhen.SETTLED


def test_an_image_that_never_rests_is_settled_at_the_time_limit() -> None:
    found = readiness.wait(
        Scripted(), expected(activity=always_new(), quiet_seconds=9.0, timeout_seconds=0.0)
    )
    assert isinstance(found, Readiness)
    assert found.when is ReadyWhen.SETTLED


def test_a_batch_job_finishes_with_zero() -> None:
    watched = Scripted(ends=[None, 0])
    found = readiness.wait(watched, expected(quiet_seconds=9.0))
    assert isinstance(found, Readiness)
    assert found.when is ReadyWhen.FINISHED


def test_an_end_before_the_port_opens_is_a_failure_also_with_zero() -> None:
    assert readiness.wait(Scripted(ends=[0]), expected(required=(80,))) == Unready(0, (80,))
    assert readiness.wait(Scripted(ends=[0]), expected(likely=(80,))) == Unready(0, (80,))
    assert readiness.wait(Scripted(ends=[9]), expected()) == Unready(9, ())
