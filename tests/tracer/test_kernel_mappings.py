"""Executable memory that the kernel cannot look up, because its lock is held."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.waiting_targets import Waiting, gaps_of, uses_of, waiting
from vexxy.tracer.service import AgentRecorder, AgentRecording
from vexxy.tracer.types import Source, Target, Trace, Use

pytestmark = pytest.mark.kernel

Python = Callable[..., list[str]]

PROTECT = """
import ctypes, os, sys, threading
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
code = os.open(sys.argv[1], os.O_RDONLY)
at = libc.mmap(None, 4096, 1, 2, code, 0)
os.close(code)
assert libc.mprotect(ctypes.c_void_p(at), 4096, 5) == 0
"""
ANONYMOUS = """
for _ in range(8):
    made = libc.mmap(None, 4096, 3, 0x22, -1, 0)
    assert libc.mprotect(ctypes.c_void_p(made), 4096, 5) == 0
"""
STAY = """
print("done", flush=True)
sys.stdin.read()
"""
# The first thread ends: the process's own entry in /proc then shows no mappings.
FIRST_THREAD_ENDS = """
def stay():
    assert libc.mprotect(ctypes.c_void_p(at), 4096, 5) == 0
    print("done", flush=True)
    sys.stdin.read()
threading.Thread(target=stay).start()
libc.syscall(60, 0)
"""


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.write_bytes(b"x" * 4096)
    return path


@pytest.fixture
def always_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel programs give up at once, as they do where the lock stays held."""
    monkeypatch.setenv("VEXXY_TRACE_NEVER_LOOK_UP", "1")


@contextmanager
def recorded(agent: Path, command: list[str]) -> Iterator[tuple[Waiting, AgentRecording]]:
    with waiting(command) as target:
        recorder = AgentRecorder(agent)
        wanted = Target(process_id=target.process_id)
        yield target, recorder.start(wanted, source=Source.EBPF)


def trace_of_a_program_that_stays(agent: Path, command: list[str]) -> Trace:
    with recorded(agent, command) as (target, recording):
        stdin, stdout = target.parent.stdin, target.parent.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"go\n")
        stdin.flush()
        assert stdout.readline() == b"done\n"
        return recording.stop()


@pytest.mark.usefixtures("always_busy")
@pytest.mark.parametrize("rest", [STAY, FIRST_THREAD_ENDS])
def test_what_the_kernel_could_not_look_up_is_read_from_proc(
    agent: Path, python: Python, code: Path, rest: str
) -> None:
    trace = trace_of_a_program_that_stays(agent, python(PROTECT + rest, code))

    assert uses_of(trace, code) == {Use.READ, Use.MAPPED}
    assert [f.source for f in trace.files if f.path == str(code)][-1] is Source.PROC_MAPS
    assert gaps_of(trace) == set()


@pytest.mark.usefixtures("always_busy")
def test_what_a_first_thread_mapped_is_found_by_those_that_outlive_it(
    agent: Path, python: Python, code: Path
) -> None:
    with recorded(agent, python(PROTECT + FIRST_THREAD_ENDS, code)) as (target, recording):
        recording._agent.send_signal(signal.SIGSTOP)
        stdin, stdout = target.parent.stdin, target.parent.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(b"go\n")
        stdin.flush()
        assert stdout.readline() == b"done\n"
        recording._agent.send_signal(signal.SIGCONT)
        trace = recording.stop()

    assert Use.MAPPED in uses_of(trace, code)
    assert gaps_of(trace) == set()


@pytest.mark.usefixtures("always_busy")
def test_executable_memory_that_is_no_file_is_no_gap(
    agent: Path, python: Python, code: Path
) -> None:
    command = python(PROTECT + ANONYMOUS + STAY, code)

    assert gaps_of(trace_of_a_program_that_stays(agent, command)) == set()


@pytest.mark.usefixtures("always_busy")
def test_a_process_that_is_gone_before_it_was_looked_at_is_a_gap(
    agent: Path, python: Python, code: Path
) -> None:
    with recorded(agent, python(PROTECT, code)) as (target, recording):
        recording._agent.send_signal(signal.SIGSTOP)
        target.run()
        recording._agent.send_signal(signal.SIGCONT)
        trace = recording.stop()

    assert "unknown_mapping" in gaps_of(trace)


CONTENDED = """
def churn():
    while not ended:
        libc.munmap(ctypes.c_void_p(libc.mmap(None, 1 << 24, 3, 0x8022, -1, 0)), 1 << 24)
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
ended = []
churners = [threading.Thread(target=churn) for _ in range(4)]
for churner in churners:
    churner.start()
own = libc.mmap(None, 4096, 3, 0x22, -1, 0)
for turn in range(int(sys.argv[2])):
    assert libc.mprotect(ctypes.c_void_p(own), 4096, 5 if turn % 2 else 3) == 0
    assert libc.mprotect(ctypes.c_void_p(at), 4096, 1 if turn % 2 else 5) == 0
ended.append(True)
for churner in churners:
    churner.join()
"""


def test_threads_that_hold_the_lock_make_no_gap(
    agent: Path, python: Python, code: Path
) -> None:
    command = python(PROTECT + CONTENDED + STAY, code, 2000)

    trace = trace_of_a_program_that_stays(agent, command)

    assert Use.MAPPED in uses_of(trace, code)
    assert gaps_of(trace) == set()
