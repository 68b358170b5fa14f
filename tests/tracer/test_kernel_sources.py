"""Every source sees what every other sees, and none fails in silence."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.waiting_targets import gaps_of, uses_of, waiting
from vexxy.tracer.errors import NoSourceWorks, TargetEnded
from vexxy.tracer.service import AgentRecorder
from vexxy.tracer.types import Source, Target, Trace, Use
from vexxy.tracer.wire import lines

pytestmark = pytest.mark.kernel

Record = Callable[..., Trace]
Python = Callable[..., list[str]]

USED = {Use.EXECUTED, Use.MAPPED, Use.READ}
WORK = """
import ctypes, os, sys
ctypes.CDLL("libz.so.1")
import json, socket
open(sys.argv[1]).read()
os.system("cat " + sys.argv[1] + " >/dev/null; " + sys.argv[2])
"""


def used(trace: Trace) -> set[str]:
    """Executed, mapped and read: which of them it was, fanotify cannot tell."""
    return {file.path for file in trace.files if file.use in USED}


def executed(trace: Trace) -> set[str]:
    return {file.path for file in trace.files if file.use is Use.EXECUTED}


@pytest.fixture
def work(python: Python, tmp_path: Path) -> list[str]:
    data, script = tmp_path / "data", tmp_path / "script"
    data.write_text("x")
    script.write_text("#!/bin/sh\ntrue\n")
    script.chmod(0o755)
    return python(WORK, data, script)


@pytest.mark.parametrize("source", [Source.FANOTIFY, Source.PTRACE])
def test_every_source_sees_the_same_files(
    record: Record, work: list[str], source: Source
) -> None:
    best = record(work, source=Source.EBPF)
    other = record(work, source=source)

    assert (best.source, other.source) == (Source.EBPF, source)
    assert used(best) == used(other)
    # ptrace is told of the interpreter only; the script it then reads
    assert executed(best) - executed(other) <= {work[-1]}
    assert best.lost_events == other.lost_events == 0
    assert gaps_of(best) == gaps_of(other) == set()


def test_older_kernels_programs_see_the_same_files(
    record: Record, work: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    best = record(work)
    monkeypatch.setenv("VEXXY_TRACE_OBJECT", "plain")
    older = record(work)

    assert used(best) == used(older)
    assert best.syscalls == older.syscalls


def test_ptrace_tells_what_was_refused(record: Record, tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o ro none {tmp_path}; touch {tmp_path}/new || true"

    trace = record(["sh", "-ec", mount], source=Source.PTRACE)

    told = {(r.error, r.path) for r in trace.refusals}
    assert ("EROFS", f"{tmp_path}/new") in told


WRITTEN = """
import ctypes, mmap, os, sys
code = os.open(sys.argv[1], os.O_RDONLY)
kept = mmap.mmap(code, 0, prot=mmap.PROT_READ | mmap.PROT_EXEC)
print("mapped", flush=True)
sys.stdin.read()
"""


def test_fanotify_learns_mappings_from_proc(
    agent: Path, python: Python, tmp_path: Path
) -> None:
    file = tmp_path / "code"
    file.write_bytes(b"x" * 4096)
    with waiting(python(WRITTEN, file)) as target:
        recorder = AgentRecorder(agent)
        wanted = Target(process_id=target.process_id)
        recording = recorder.start(wanted, source=Source.FANOTIFY)
        stdin, stdout = target.parent.stdin, target.parent.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"go\n")
        stdin.flush()
        assert stdout.readline() == b"mapped\n"
        trace = recording.stop()

    assert uses_of(trace, file) == {Use.READ, Use.MAPPED}
    assert {f.source for f in trace.files if f.use is Use.MAPPED} >= {Source.PROC_MAPS}
    assert gaps_of(trace) == set()


def test_a_recorder_that_is_killed_leaves_a_partial_trace(
    agent: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    with waiting(["cat", str(file)]) as target:
        recording = AgentRecorder(agent).start(Target(process_id=target.process_id))
        recording._agent.send_signal(signal.SIGKILL)
        recording._agent.wait()
        target.run()

        assert recording.failure() is not None
        trace = recording.stop()

    assert "recorder_died" in gaps_of(trace)
    assert recording.stop() is trace


NO_TYPES = """unshare --mount sh -c '
mount --bind /dev/null /sys/kernel/btf/vmlinux; exec "$0" "$@"'"""
NO_ADMIN = "setpriv --bounding-set=-sys_admin,-bpf,-perfmon"


@pytest.mark.parametrize(
    ("limit", "source", "refused"),
    [(NO_TYPES, Source.FANOTIFY, 1), (NO_ADMIN, Source.PTRACE, 2)],
)
def test_the_next_best_source_is_taken_and_says_why(
    agent: Path, tmp_path: Path, limit: str, source: Source, refused: int
) -> None:
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nexec {limit} {agent} "$@"\n')
    limited.chmod(0o755)
    with waiting(["cat", "/etc/hostname"]) as target:
        recording = AgentRecorder(limited).start(Target(process_id=target.process_id))
        target.run()
        trace = recording.stop()

    assert trace.source is source
    assert uses_of(trace, "/etc/hostname") == {Use.READ}
    assert [reason.split(":")[0] for reason in trace.fallbacks] == [
        "ebpf",
        "fanotify",
    ][:refused]
    assert all(len(reason) > len("fanotify: ") for reason in trace.fallbacks)


@pytest.fixture
def agent_as_nobody(agent: Path, tmp_path: Path) -> Path:
    """The agent, run by who may neither load programs, mark mounts nor seize."""
    agent_for_all = tmp_path / "vexxy-trace"
    shutil.copy(agent, agent_for_all)
    wrapper = tmp_path / "as-nobody"
    nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    none = "--bounding-set=-all --inh-caps=-all"
    wrapper.write_text(f'#!/bin/sh\nexec {nobody} {none} "{agent_for_all}" "$@"\n')
    wrapper.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    return wrapper


def test_without_privileges_every_source_says_why(agent_as_nobody: Path) -> None:
    with pytest.raises(NoSourceWorks) as failure:
        AgentRecorder(agent_as_nobody).start(Target(cgroup_name="0123456789abcdef" * 4))

    told = failure.value.message
    for reason in ("ebpf: the kernel refused", "not permitted", "fanotify: ", "ptrace: "):
        assert reason in told


def test_without_privileges_a_probe_says_that_nothing_works(agent_as_nobody: Path) -> None:
    answer = subprocess.run([agent_as_nobody, "probe"], capture_output=True, check=False)

    sources = json.loads(answer.stdout)["sources"]
    assert not any(source["works"] for source in sources.values())
    assert "not permitted" in sources["ebpf"]["reason"]
    assert "not permitted" in sources["fanotify"]["reason"]
    assert "another user's" in sources["ptrace"]["reason"]


def test_without_privileges_roots_process_is_no_target(agent_as_nobody: Path) -> None:
    with waiting(["true"]) as target:
        with pytest.raises(TargetEnded, match="not ours to look at"):
            AgentRecorder(agent_as_nobody).start(Target(process_id=target.process_id))
        target.run()


MANY = """
import os, sys
for n in range(int(sys.argv[2])):
    os.close(os.open(f"{sys.argv[1]}/{n}", os.O_RDONLY | os.O_CREAT))
"""


@contextmanager
def bare_agent(agent: Path, process_id: int) -> Iterator[subprocess.Popen[bytes]]:
    """The agent with nobody at its output, once it is ready."""
    command = [agent, "record", "--pid", str(process_id)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert isinstance(lines.decode(running.stdout.readline()), lines.Ready)
            yield running
        finally:
            running.kill()


def test_a_reader_that_comes_late_misses_nothing(
    agent: Path, python: Python, tmp_path: Path
) -> None:
    """More than a pipe holds waits in the agent, and the kernel's ring stays empty."""
    with (
        waiting(python(MANY, tmp_path, 4_000)) as target,
        bare_agent(agent, target.process_id) as running,
    ):
        target.run()
        running.send_signal(signal.SIGTERM)
        assert running.stdout is not None
        events = [lines.decode(line) for line in running.stdout]

    paths = {event.path for event in events if isinstance(event, lines.File)}
    assert {f"{tmp_path}/{n}" for n in range(4_000)} <= paths
    assert isinstance(events[-1], lines.End)


def test_an_agent_whose_reader_is_gone_ends(agent: Path) -> None:
    with (
        waiting(["true"]) as target,
        bare_agent(agent, target.process_id) as running,
    ):
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait(timeout=30) == 1


def test_a_prefix_of_this_machine_is_taken_off(agent: Path, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "file").touch()
    with waiting(["cat", str(tmp_path / "etc" / "file")]) as target:
        wanted = Target(process_id=target.process_id, root=str(tmp_path))
        recording = AgentRecorder(agent).start(wanted)
        target.run()
        trace = recording.stop()

    assert uses_of(trace, "/etc/file") == {Use.READ}


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["record"],
        ["record", "--pid", "0"],
        ["record", "--pid", "1", "--cgroup-name", "x"],
        ["record", "--cgroup-name", "x" * 80],
        ["record", "--cgroup-name", ""],
        ["record", "--pid", "1", "--source", "guesswork"],
        ["record", "--pid", "1", "--unknown"],
    ],
)
def test_a_wrong_call_is_answered_with_the_usage(agent: Path, options: list[str]) -> None:
    answer = subprocess.run([agent, *options], capture_output=True, check=False, text=True)

    assert answer.returncode == 2
    assert answer.stdout == ""


def test_probe_tries_every_source(agent: Path) -> None:
    answer = subprocess.run([agent, "probe"], capture_output=True, check=True, text=True)

    found = json.loads(answer.stdout)
    assert set(found["sources"]) == {"ebpf", "fanotify", "ptrace"}
    for source in found["sources"].values():
        assert source["works"] != bool(source["reason"])


def test_a_target_that_is_gone_is_said_to_be_gone(agent: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    with pytest.raises(TargetEnded):
        AgentRecorder(agent).start(Target(process_id=ended.pid))


def test_this_machine_itself_is_no_target(agent: Path) -> None:
    with pytest.raises(TargetEnded, match="shares this machine's process namespace"):
        AgentRecorder(agent).start(Target(process_id=os.getpid()))
