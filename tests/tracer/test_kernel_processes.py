"""Processes: what was started, by whom, and what of it cannot be named."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.waiting_targets import gaps_of, uses_of, waiting
from vexxy.tracer.service import AgentRecorder
from vexxy.tracer.types import Source, Target, Trace, Use

pytestmark = pytest.mark.kernel

KERNEL_SOURCES = (Source.EBPF, Source.FANOTIFY, Source.PTRACE)
Record = Callable[..., Trace]
Python = Callable[..., list[str]]

TRUE = os.path.realpath(shutil.which("true") or "/bin/true")
SHELL = os.path.realpath("/bin/sh")


def loader() -> str:
    headers = subprocess.run(
        ["readelf", "-l", TRUE], capture_output=True, check=True, text=True
    ).stdout
    return os.path.realpath(headers.split("interpreter: ")[1].split("]")[0])


def test_the_first_program_is_seen_with_its_loader_and_arguments(record: Record) -> None:
    trace = record([TRUE, "one", "two words"])

    (process,) = trace.processes
    assert process.executable == TRUE
    assert process.arguments == (TRUE, "one", "two words")
    assert process.process_id == 1
    assert uses_of(trace, TRUE) == {Use.EXECUTED}
    if shutil.which("readelf"):
        assert uses_of(trace, loader()) == {Use.MAPPED}


def test_the_runtimes_own_acts_before_the_image_are_not_recorded(record: Record) -> None:
    """The waiting shell was there before; it and what it read are the runtime's."""
    trace = record([TRUE])

    assert uses_of(trace, SHELL) == set()
    assert "existing_processes" not in gaps_of(trace)


@pytest.mark.parametrize("name", ["./script", "{folder}/script"])
def test_a_script_and_its_interpreter_are_both_executed(
    record: Record, tmp_path: Path, name: str
) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh -e\ntrue\n")
    script.chmod(0o755)
    started = name.format(folder=tmp_path)

    trace = record(["env", "-C", str(tmp_path), started])

    process = next(p for p in trace.processes if p.script)
    assert process.executable == SHELL
    assert os.path.normpath(process.script or "") == str(script)
    assert Use.EXECUTED in uses_of(trace, process.script or "")
    assert Use.READ in uses_of(trace, script)


def test_a_child_that_lives_for_milliseconds_is_seen(record: Record) -> None:
    perl = os.path.realpath(shutil.which("perl") or "perl")

    trace = record(["sh", "-c", "perl -e 1; true"])

    parent, child = trace.processes
    assert uses_of(trace, perl) == {Use.EXECUTED}
    assert child.executable == perl
    assert child.parent_process_id == parent.process_id == 1


def test_a_nested_process_namespace_belongs_to_the_container(
    record: Record, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()

    trace = record(["unshare", "--pid", "--fork", "cat", str(file)])

    assert uses_of(trace, file) == {Use.READ}
    assert gaps_of(trace) == set()


def test_changed_mounts_are_a_gap(record: Record) -> None:
    """A bind mount can give the image's files paths that the image does not have."""
    assert gaps_of(record(["unshare", "--mount", TRUE])) == {"mounts"}


MEMORY_FILE = """
import os, sys
memory = os.memfd_create("payload")
os.write(memory, open(sys.argv[1], "rb").read())
os.execve(memory, ["payload"], {})
"""


@pytest.mark.parametrize("source", [Source.EBPF, Source.PTRACE])
def test_a_program_run_from_memory_is_told_as_nameless(
    record: Record, python: Python, source: Source
) -> None:
    trace = record(python(MEMORY_FILE, TRUE), source=source)

    (file,) = [f for f in trace.files if f.use is Use.EXECUTED and f.deleted]
    assert file.path == "memfd:payload"


DELETED = """
import os, shutil, sys
shutil.copy(sys.argv[1], sys.argv[2])
os.chmod(sys.argv[2], 0o755)
program = os.open(sys.argv[2], os.O_RDONLY)
os.unlink(sys.argv[2])
os.execve(program, ["gone"], {})
"""


@pytest.mark.parametrize("source", KERNEL_SOURCES)
def test_a_program_whose_file_is_gone_is_told_as_deleted(
    record: Record, python: Python, tmp_path: Path, source: Source
) -> None:
    trace = record(python(DELETED, TRUE, tmp_path / "gone"), source=source)

    (file,) = [f for f in trace.files if f.use is Use.EXECUTED and f.deleted]
    assert file.path == str(tmp_path / "gone")


IO_URING = """
import ctypes
ring = ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120))
print(ring)
"""


def test_io_uring_is_a_gap(agent: Path, python: Python) -> None:
    with waiting(python(IO_URING)) as target:
        recording = AgentRecorder(agent).start(Target(process_id=target.process_id))
        made = int(target.run()) >= 0
        trace = recording.stop()

    assert ("io_uring" in gaps_of(trace)) == made


def test_processes_from_before_are_a_gap(agent: Path) -> None:
    with waiting(["sh", "-c", "cat & wait"]) as target:
        outsider = ["nsenter", "-t", str(target.process_id), "-p", "-m", "cat"]
        with subprocess.Popen(outsider, stdin=subprocess.PIPE) as other:
            # nsenter forks the process that is inside
            children = Path(f"/proc/{other.pid}/task/{other.pid}/children")
            while not children.read_text().strip():
                os.sched_yield()
            recording = AgentRecorder(agent).start(Target(process_id=target.process_id))
            target.run()
            trace = recording.stop()

    assert "existing_processes" in gaps_of(trace)


def test_a_container_is_found_by_its_control_groups_name(agent: Path) -> None:
    """Docker starts as it creates: the pid namespace is learnt at the first exec."""
    name = f"docker-{'0123456789abcdef' * 4}.scope"
    roots = [Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")]
    root = next(r for r in roots if (r / "cgroup.procs").exists())
    group = root / name
    group.mkdir()
    enter = f'echo $$ > {group}/cgroup.procs; exec unshare --pid --fork "$0" found'
    try:
        recorder = AgentRecorder(agent)
        recording = recorder.start(Target(cgroup_name="0123456789abcdef" * 4))
        subprocess.run(["sh", "-c", "true not-in-the-container"], check=True)
        subprocess.run(["sh", "-ec", enter, TRUE], check=True)
        trace = recording.stop()
    finally:
        group.rmdir()

    (process,) = trace.processes
    assert process.arguments == (TRUE, "found")
    assert trace.gaps == ()


SOCKETS = """
import socket
server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
client = socket.create_connection(("127.0.0.1", port))
server.accept()
six = socket.create_server(("::1", 0), family=socket.AF_INET6)
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(("127.0.0.1", 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.sendto(b"x", datagrams.getsockname())
refused = socket.socket()
refused.connect_ex(("127.0.0.2", 1))
print(port, six.getsockname()[1], datagrams.getsockname()[1])
"""


def test_sockets_are_told_by_direction(agent: Path, python: Python) -> None:
    with waiting(python(SOCKETS)) as target:
        recording = AgentRecorder(agent).start(Target(process_id=target.process_id))
        stream, six, datagram = map(int, target.run().split())
        trace = recording.stop()

    told = {(c.direction, c.protocol, c.address, c.port) for c in trace.network_connections}
    expected = {
        ("listen", "tcp", "127.0.0.1", stream),
        ("inbound", "tcp", "127.0.0.1", stream),
        ("outbound", "tcp", "127.0.0.1", stream),
        ("listen", "udp", "127.0.0.1", datagram),
        ("outbound", "udp", "127.0.0.1", datagram),
        ("outbound", "tcp", "127.0.0.2", 1),
    }
    if socket.has_ipv6:
        expected.add(("listen", "tcp", "::1", six))
    assert told == expected


def test_system_calls_are_listed_even_when_they_never_returned(agent: Path) -> None:
    """A server that waits for ever has not returned from its wait."""
    with waiting(["sh", "-c", "echo here; read -r never; true"]) as target:
        recording = AgentRecorder(agent).start(Target(process_id=target.process_id))
        assert target.parent.stdin is not None
        assert target.parent.stdout is not None
        target.parent.stdin.write(b"go\n")
        target.parent.stdin.flush()
        assert target.parent.stdout.readline() == b"here\n"
        call = Path(f"/proc/{target.process_id}/syscall")
        while not call.read_text().startswith("0 "):
            os.sched_yield()
        trace = recording.stop()

    assert {"read", "write", "execve"} <= set(trace.syscalls)


REFUSALS = """
import os, socket, sys
try:
    open(sys.argv[1] + "/new", "w")
except OSError:
    pass
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
for act in (
    lambda: os.setuid(0),
    lambda: os.chown("/etc/hostname", 65534, 65534),
    lambda: open("/etc/shadow"),
    lambda: socket.socket().bind(("127.0.0.1", 1)),
):
    try:
        act()
    except OSError:
        pass
"""


def test_what_the_sandbox_refused_is_evidence(
    record: Record, python: Python, tmp_path: Path
) -> None:
    mount = f'mount -t tmpfs -o ro none {tmp_path}; exec "$@"'

    trace = record(["sh", "-ec", mount, "sh", *python(REFUSALS, tmp_path)])

    told = {(r.syscall, r.error, r.path) for r in trace.refusals}
    assert ("openat", "EROFS", f"{tmp_path}/new") in told
    assert ("setuid", "EPERM", "") in told
    assert ("chown", "EPERM", "/etc/hostname") in told
    assert ("openat", "EACCES", "/etc/shadow") in told
    assert ("bind", "EACCES", "") in told
    (setuid,) = [r for r in trace.refusals if r.syscall == "setuid"]
    assert setuid.arguments[0] == 0


THREADS = """
import threading
for _ in range(50):
    thread = threading.Thread(target=lambda: [bytearray(9999) for _ in range(99)])
    thread.start()
    thread.join()
"""


def test_threads_are_neither_processes_nor_a_gap(record: Record, python: Python) -> None:
    trace = record(python(THREADS))

    assert len(trace.processes) == 1
    assert gaps_of(trace) == set()


COMPAT = """
import ctypes, mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20; int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="int 0x80 is of x86")
def test_32_bit_system_calls_are_a_gap(record: Record, python: Python) -> None:
    if subprocess.run(python(COMPAT), check=False).returncode:
        pytest.skip("this kernel runs no 32-bit system calls")

    assert gaps_of(record(python(COMPAT))) == {"compat"}
