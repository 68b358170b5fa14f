"""Recordings by an agent that does what the test says, ill or well."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vexxy.kit import errors
from vexxy.tracer import service
from vexxy.tracer.errors import AgentFailed, AgentMissing, AgentSilent, NoSourceWorks
from vexxy.tracer.types import Source, Target

READY = '{"event":"ready","source":"fanotify","kernel":"6.1","fallbacks":["ebpf: no"]}'
FILE = (
    '{"event":"file","use":["read"],"path":"/app/a.py","process_id":7,'
    '"device":1,"inode":2,"seconds":0.5}'
)
REFUSED = (
    '{"event":"refused","syscall":"mkdir","error":"EROFS","path":"/x",'
    '"arguments":[1,2,3],"process_id":7,"seconds":0.6}'
)
END = '{"event":"end","seconds":9.5,"lines_lost":0}'
WAIT = "signal.sigwait([signal.SIGTERM])"

MakeAgent = Callable[..., Path]


def say(*texts: str) -> str:
    return "".join(f"print({text!r}, flush=True)\n" for text in texts)


@pytest.fixture
def make_agent(tmp_path: Path) -> MakeAgent:
    def make(*acts: str) -> Path:
        """An agent that waits for the signal wherever its acts say so."""
        path = tmp_path / "agent"
        start = "import signal, sys, os\nsignal.pthread_sigmask(0, [signal.SIGTERM])\n"
        note = f"open({str(tmp_path / 'arguments')!r}, 'w').write(' '.join(sys.argv[1:]))\n"
        path.write_text(f"#!{sys.executable} -IS\n{start}{note}" + "\n".join(acts))
        path.chmod(0o755)
        return path

    return make


def start(agent: Path) -> service.AgentRecording:
    return service.AgentRecorder(agent).start(Target(process_id=42))


def wait_for_files(recording: service.AgentRecording, count: int) -> None:
    """The reader is a thread; there is nothing to wait on but what it shows."""
    while recording.counters().files < count:
        assert recording.failure() is None


def test_a_recording_ends_with_the_trace_of_all_that_was_told(
    make_agent: MakeAgent,
) -> None:
    agent = make_agent(say(READY, FILE, REFUSED), WAIT, say(END))

    recording = start(agent)
    wait_for_files(recording, 1)
    trace = recording.stop()

    assert recording.source is trace.source is Source.FANOTIFY
    assert [file.path for file in trace.files] == ["/app/a.py"]
    assert trace.fallbacks == ("ebpf: no",)
    assert trace.duration_seconds == 9.5
    assert trace.gaps == ()
    assert trace.lost_events == 0


def test_what_is_told_after_the_signal_is_still_read(make_agent: MakeAgent) -> None:
    trace = start(make_agent(say(READY), WAIT, say(FILE, END))).stop()

    assert len(trace.files) == 1
    assert trace.gaps == ()


def test_stopping_again_gives_the_same_trace(make_agent: MakeAgent) -> None:
    recording = start(make_agent(say(READY), WAIT, say(END)))

    assert recording.stop() is recording.stop()
    assert recording.failure() is None


def test_figures_and_refusals_are_there_while_it_runs(make_agent: MakeAgent) -> None:
    recording = start(make_agent(say(READY, REFUSED, FILE), WAIT, say(END)))
    wait_for_files(recording, 1)

    counters = recording.counters()
    (refusal,) = recording.refusals()
    recording.stop()

    assert (counters.files, counters.refusals, counters.lost_events) == (1, 1, 0)
    assert counters.seconds_since_new_code is not None
    assert (refusal.syscall, refusal.path) == ("mkdir", "/x")


def test_an_agent_that_dies_leaves_what_it_told_and_a_gap(make_agent: MakeAgent) -> None:
    recording = start(make_agent(say(READY, FILE), "os.kill(os.getpid(), 9)"))
    recording._agent.wait()

    assert "ended by itself" in (recording.failure() or "")
    trace = recording.stop()

    assert len(trace.files) == 1
    assert [gap.kind for gap in trace.gaps] == ["recorder_died"]


def test_an_agent_that_ends_too_early_leaves_a_gap(make_agent: MakeAgent) -> None:
    """Even with a proper last line, what came after it was not seen."""
    recording = start(make_agent(say(READY, END)))
    recording._agent.wait()

    assert [gap.kind for gap in recording.stop().gaps] == ["recorder_died"]


def test_an_agent_that_will_not_end_is_ended(
    make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STOP_TIMEOUT_SECONDS", 0.05)
    recording = start(make_agent(say(READY), WAIT, WAIT))

    trace = recording.stop()

    assert [gap.kind for gap in trace.gaps] == ["recorder_died"]


def test_a_line_that_is_no_event_counts_as_lost(make_agent: MakeAgent) -> None:
    trace = start(make_agent(say(READY), WAIT, say("nonsense", FILE, END))).stop()

    assert trace.lost_events == 1
    assert len(trace.files) == 1


def test_a_machine_where_nothing_works_is_told_with_every_reason(
    make_agent: MakeAgent,
) -> None:
    failed = '{"event":"failed","kind":"unavailable","reasons":["ebpf: a","ptrace: b"]}'

    with pytest.raises(NoSourceWorks, match="ebpf: a; ptrace: b") as failure:
        start(make_agent(say(failed), "sys.exit(3)"))

    assert isinstance(failure.value, errors.Unavailable)
    assert failure.value.hint


@pytest.mark.parametrize("acts", [("sys.exit(1)",), (say(FILE), WAIT)])
def test_an_agent_that_does_not_say_ready_has_failed(
    make_agent: MakeAgent, acts: tuple[str, ...]
) -> None:
    with pytest.raises(AgentFailed):
        start(make_agent(*acts))


def test_an_agent_that_says_nothing_is_not_waited_for_for_ever(
    make_agent: MakeAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "READY_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(AgentSilent):
        start(make_agent(WAIT))


def test_a_file_that_is_no_program_has_failed(tmp_path: Path) -> None:
    with pytest.raises(AgentFailed, match="could not be run"):
        start(tmp_path / "absent")


@pytest.mark.parametrize(
    ("target", "source", "options"),
    [
        (Target(42), None, "record --pid 42"),
        (Target(42, root="/r"), None, "record --pid 42 --root /r"),
        (Target(None, "abc"), Source.EBPF, "record --cgroup-name abc --source ebpf"),
    ],
)
def test_the_agent_is_told_its_target(
    make_agent: MakeAgent,
    tmp_path: Path,
    target: Target,
    source: Source | None,
    options: str,
) -> None:
    agent = make_agent(say(READY), WAIT, say(END))

    service.AgentRecorder(agent).start(target, source=source).stop()

    assert (tmp_path / "arguments").read_text() == options


def test_the_agent_that_is_named_is_used(make_agent: MakeAgent) -> None:
    agent = make_agent()

    assert service.find_agent({"VEXXY_TRACER": str(agent)}) == agent


def test_a_named_agent_that_is_missing_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(AgentMissing, match="VEXXY_TRACER"):
        service.find_agent({"VEXXY_TRACER": str(tmp_path / "absent")})


def test_the_agent_beside_python_comes_before_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("prefix/bin", "path"):
        (tmp_path / folder).mkdir(parents=True)
    on_path = tmp_path / "path" / service.AGENT
    beside = tmp_path / "prefix" / "bin" / service.AGENT
    on_path.touch(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    environment = {"PATH": str(on_path.parent)}

    assert service.find_agent(environment) == on_path
    beside.touch(0o755)
    assert service.find_agent(environment) == beside


def test_a_missing_agent_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))

    with pytest.raises(AgentMissing) as failure:
        service.find_agent({"PATH": ""})

    assert "make setup" in (failure.value.hint or "")
