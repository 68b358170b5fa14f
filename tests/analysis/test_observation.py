"""What one attempt makes of an image: ready, driven, refused, limited."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self, cast

import pytest

from vexxy.analysis import observation
from vexxy.analysis.observation import Observed, TooStrict
from vexxy.analysis.phases import Clock
from vexxy.analysis.types import Request, Settings
from vexxy.sandbox.attached import Told
from vexxy.sandbox.types import (
    Ending,
    Port,
    PortTraffic,
    Prepared,
    Privileges,
    Readiness,
    ReadyWhen,
    ScriptRun,
    TrafficReport,
    Usage,
)
from vexxy.tracer.types import Counters, Refusal, Source, Trace

if TYPE_CHECKING:
    from vexxy.analysis.ports import Tools
    from vexxy.sandbox.life import Sandbox

STRICT = Privileges()
WRITABLE = Privileges(writable_root=True)
QUIET = Counters(
    elapsed_seconds=1,
    files=10,
    executed=1,
    mapped=1,
    processes=1,
    connections=0,
    refusals=0,
    lost_events=0,
    seconds_since_new_code=None,
)
WEB = (Port(80, "http"),)
FINE = PortTraffic(4, 3, {"200": 3, "404": 1})
FAILING = PortTraffic(162, 0, {"503": 162})
GOOD = TrafficReport(4, 3, statuses=FINE.statuses, by_port={80: FINE})
BROKEN = TrafficReport(162, statuses=FAILING.statuses, by_port={80: FAILING})
WRITE = Refusal("openat", "EROFS", "/opt/plugins")


@dataclass
class FakeRecording:
    refused: tuple[Refusal, ...] = ()
    now: Counters = QUIET
    stops: int = 0
    source: Source = Source.EBPF

    def counters(self) -> Counters:
        return self.now

    def refusals(self) -> tuple[Refusal, ...]:
        return self.refused

    def failure(self) -> str | None:
        return None

    def stop(self) -> Trace:
        self.stops += 1
        return Trace(
            source=self.source,
            duration_seconds=31,
            files=(),
            processes=(),
            network_connections=(),
            syscalls=(),
            refusals=self.refused,
            gaps=(),
            lost_events=0,
        )


@dataclass
class FakeTraffic:
    told: TrafficReport

    def report(self) -> TrafficReport:
        return self.told

    def stop(self) -> TrafficReport:
        return self.told

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing runs."""


@dataclass
class FakeSandbox:
    """An image that becomes ready; what a script does to it is `touched`."""

    recording: FakeRecording
    ports: tuple[Port, ...] = ()
    traffic: TrafficReport = field(default_factory=TrafficReport)
    exit_code: int = 0
    connections_by_script: int = 0
    counters_by_script: Counters | None = None
    refused_by_script: tuple[Refusal, ...] = ()
    connections: int = 5
    prepared: Prepared = field(
        default_factory=lambda: cast("Any", FakePrepared())  # only names are read of it
    )

    def start(self) -> None:
        """It starts."""

    def told(self) -> Told:
        return Told({})

    def await_ready(self, **_: object) -> Readiness:
        when = ReadyWhen.ANSWERS if self.ports else ReadyWhen.SETTLED
        return Readiness(when, 0.1, self.ports)

    def received(self) -> int:
        return self.connections

    def run_script(self, script: str, *, timeout_seconds: float) -> ScriptRun:
        assert script
        assert timeout_seconds > 0
        self.connections += self.connections_by_script
        self.recording.now = self.counters_by_script or self.recording.now
        self.recording.refused += self.refused_by_script
        return ScriptRun(self.exit_code, "", truncated=False, duration_seconds=0.1)

    def start_traffic(self, *_: object) -> FakeTraffic:
        return FakeTraffic(self.traffic)

    def has_ended(self) -> int | None:
        return None

    def check(self) -> None:
        """It stays within its limits."""

    def end(self) -> Ending:
        return Ending(
            exit_code=0,
            exited_by_itself=False,
            out_of_memory=False,
            logs="",
            usage=Usage(),
        )


@dataclass
class FakePrepared:
    sandbox_id: str = "s"
    process_id: int = 1
    container_id: str = "c"


@dataclass
class FakeRecorder:
    recording: FakeRecording

    def start(self, *_: object, **__: object) -> FakeRecording:
        return self.recording


@dataclass
class FakeTools:
    recorder: FakeRecorder
    traffic: object = None


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "AFTERMATH_SECONDS", 0.0)
    monkeypatch.setattr(observation, "REACTION_SECONDS", 0.0)
    monkeypatch.setattr(observation, "WATCH_SECONDS", 0.001)


def observed(
    sandbox: FakeSandbox,
    *,
    script: str | None = None,
    privileges: Privileges = STRICT,
    duration_seconds: float = 0.05,
) -> Observed:
    settings = Settings(
        duration_seconds=cast("int", duration_seconds), coverage=False, fuzz=False
    )
    return observation.observe(
        cast("Sandbox", sandbox),
        Request("image", settings, test_script=script),
        tools=cast("Tools", FakeTools(FakeRecorder(sandbox.recording))),
        clock=Clock(lambda _: None),
        privileges=privileges,
        meanwhile=lambda: None,
    )


def test_an_image_that_answers_is_driven_and_nothing_limits_it() -> None:
    found = observed(FakeSandbox(FakeRecording(), ports=WEB, traffic=GOOD))
    assert found.driven
    assert found.window.traffic_requests == 3
    assert found.window.reasons == ()


def test_an_image_that_only_fails_is_not_driven_and_says_so() -> None:
    found = observed(FakeSandbox(FakeRecording(), ports=WEB, traffic=BROKEN))
    assert not found.driven
    assert found.window.traffic_requests == 0
    assert found.window.reasons == ("no HTTP request to port 80 succeeded (503: 162)",)


def test_one_port_that_only_fails_limits_what_the_others_answered() -> None:
    ports = (*WEB, Port(8081, "http"))
    both = TrafficReport(166, 3, by_port={80: FINE, 8081: FAILING})
    found = observed(FakeSandbox(FakeRecording(), ports=ports, traffic=both))
    assert found.window.traffic_requests == 3
    assert found.window.reasons == ("no HTTP request to port 8081 succeeded (503: 162)",)


def test_a_script_that_got_through_outweighs_the_built_in_drivers_failures() -> None:
    sandbox = FakeSandbox(
        FakeRecording(), ports=WEB, traffic=BROKEN, connections_by_script=1
    )
    found = observed(sandbox, script="curl")
    assert found.driven
    assert found.window.reasons == ()


def test_a_script_that_failed_outweighs_nothing() -> None:
    sandbox = FakeSandbox(
        FakeRecording(), ports=WEB, traffic=BROKEN, exit_code=22, connections_by_script=1
    )
    found = observed(sandbox, script="curl")
    assert not found.driven
    assert found.window.reasons == (
        "the test script failed with exit code 22",
        "no HTTP request to port 80 succeeded (503: 162)",
    )


def test_a_script_that_does_nothing_drives_nothing() -> None:
    found = observed(FakeSandbox(FakeRecording()), script="true")
    assert not found.driven
    assert found.window.traffic_requests == 0
    assert found.window.reasons == (observation.NO_REACTION,)


def test_an_idle_script_does_not_excuse_a_server_that_only_fails() -> None:
    sandbox = FakeSandbox(FakeRecording(), ports=WEB, traffic=BROKEN)
    found = observed(sandbox, script="true")
    assert not found.driven
    assert observation.NO_REACTION in found.window.reasons
    assert "no HTTP request to port 80 succeeded (503: 162)" in found.window.reasons


def test_an_idle_script_beside_answered_requests_limits_nothing() -> None:
    sandbox = FakeSandbox(FakeRecording(), ports=WEB, traffic=GOOD)
    found = observed(sandbox, script="true")
    assert found.window.traffic_requests == 3
    assert found.window.reasons == ()


@pytest.mark.parametrize("sign", ["files", "processes"])
def test_a_script_that_makes_the_image_work_drives_it(sign: str) -> None:
    sandbox = FakeSandbox(FakeRecording(), counters_by_script=replace(QUIET, **{sign: 99}))
    found = observed(sandbox, script="work")
    assert found.driven
    assert found.window.traffic_requests == 1
    assert found.window.reasons == ()


def test_a_write_refused_before_readiness_asks_for_a_writable_root() -> None:
    sandbox = FakeSandbox(FakeRecording(refused=(WRITE,)), ports=WEB, traffic=GOOD)
    with pytest.raises(TooStrict) as raised:
        observed(sandbox)
    assert raised.value.relaxation.privileges == WRITABLE
    assert "/opt/plugins" in raised.value.relaxation.reason
    assert sandbox.recording.stops == 1


def test_a_write_refused_while_the_script_runs_does_too() -> None:
    sandbox = FakeSandbox(FakeRecording(), ports=WEB, refused_by_script=(WRITE,))
    with pytest.raises(TooStrict):
        observed(sandbox, script="upload")


def test_a_write_refused_while_watched_does_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observation, "CHECK_SECONDS", -1.0)
    recording = FakeRecording()

    class Late(FakeSandbox):
        def check(self) -> None:
            recording.refused = (WRITE,)

    with pytest.raises(TooStrict):
        observed(Late(recording, ports=WEB, traffic=GOOD), duration_seconds=60)


def test_a_write_that_a_writable_root_does_not_allow_limits_the_observation() -> None:
    sandbox = FakeSandbox(FakeRecording(refused=(WRITE,)), ports=WEB, traffic=GOOD)
    found = observed(sandbox, privileges=WRITABLE)
    assert found.driven
    assert found.window.reasons == (
        "the image tried to write where its root is read-only: /opt/plugins",
    )


def test_compiled_python_and_kernel_settings_limit_nothing() -> None:
    harmless = (
        Refusal("openat", "EROFS", "/app/__pycache__/a.pyc"),
        Refusal("openat", "EROFS", "/proc/sys/net/core/somaxconn"),
    )
    sandbox = FakeSandbox(FakeRecording(refused=harmless), ports=WEB, traffic=GOOD)
    assert observed(sandbox).window.reasons == ()
