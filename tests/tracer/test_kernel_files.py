"""Files: every way to open, map or name one, as the kernel tells it."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.waiting_targets import gaps_of, uses_of, waiting
from vexxy.tracer.service import AgentRecorder
from vexxy.tracer.types import Target, Trace, Use

pytestmark = pytest.mark.kernel

Record = Callable[..., Trace]
Python = Callable[..., list[str]]

OPENS = """
import ctypes, os, sys
folder = sys.argv[1]
libc = ctypes.CDLL(None)
at = lambda name: os.path.join(folder, name)
os.open(at("read"), os.O_RDONLY)
os.open(at("written"), os.O_WRONLY | os.O_CREAT)
os.open(at("both"), os.O_RDWR)
os.open(at("named"), os.O_PATH)
os.open(at("folder"), os.O_DIRECTORY)
assert libc.creat(at("created").encode(), 0o600) >= 0
assert libc.syscall(2, at("by_open").encode(), 0) >= 0
how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, 0)
assert libc.syscall(437, -100, at("by_openat2").encode(), how, 24) >= 0
"""


def test_each_kind_of_open_is_told_apart(
    record: Record, python: Python, tmp_path: Path
) -> None:
    for name in ("read", "both", "named", "by_open", "by_openat2"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()

    trace = record(python(OPENS, tmp_path))

    assert uses_of(trace, tmp_path / "read") == {Use.READ}
    assert uses_of(trace, tmp_path / "written") == {Use.WRITTEN}
    assert uses_of(trace, tmp_path / "both") == {Use.READ, Use.WRITTEN}
    assert uses_of(trace, tmp_path / "named") == {Use.REFERRED}
    assert uses_of(trace, tmp_path / "folder") == {Use.DIRECTORY}
    assert uses_of(trace, tmp_path / "created") == {Use.WRITTEN}
    assert uses_of(trace, tmp_path / "by_open") == {Use.READ}
    assert uses_of(trace, tmp_path / "by_openat2") == {Use.READ}


HANDLE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
handle = ctypes.create_string_buffer((128).to_bytes(4, "little"), 136)
mount = ctypes.c_int()
named = libc.name_to_handle_at(-100, sys.argv[1].encode(), handle, ctypes.byref(mount), 0)
assert named == 0, ctypes.get_errno()
folder = os.open(os.path.dirname(sys.argv[1]), os.O_RDONLY)
assert libc.open_by_handle_at(folder, handle, os.O_RDONLY) >= 0, ctypes.get_errno()
"""


def test_a_file_opened_by_handle_has_its_path(
    record: Record, python: Python, tmp_path: Path
) -> None:
    file = tmp_path / "by_handle"
    file.touch()

    trace = record(python(HANDLE, file))

    assert uses_of(trace, file) == {Use.READ}


def test_links_and_bind_mounts_lead_to_the_canonical_path(
    record: Record, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "bound").mkdir()
    file = tmp_path / "here" / "file"
    file.touch()
    (tmp_path / "symbolic").symlink_to(file)
    os.link(file, tmp_path / "hard")
    script = f"""
    cd {tmp_path}
    cat symbolic
    cat hard
    mount --bind here bound
    cat bound/file
    """

    trace = record(["sh", "-ec", script])

    assert uses_of(trace, file) == {Use.READ}
    assert uses_of(trace, tmp_path / "symbolic") == set()
    assert uses_of(trace, tmp_path / "bound" / "file") == {Use.READ}
    identities = {
        f.identity for f in trace.files if f.path in {str(file), str(tmp_path / "hard")}
    }
    assert identities == {(file.stat().st_dev, file.stat().st_ino)}


def test_two_files_of_one_inode_number_are_both_told(
    record: Record, tmp_path: Path
) -> None:
    """A removed file's inode is given to the next one, which must not be taken for it."""
    script = f"cd {tmp_path}; for n in 1 2 3 4 5 6 7 8; do : > f$n; cat f$n; rm f$n; done"

    trace = record(["sh", "-ec", script])

    for n in range(1, 9):
        assert uses_of(trace, tmp_path / f"f{n}") >= {Use.READ, Use.WRITTEN}


DLOPEN = """
import ctypes, mmap, os, sys
ctypes.CDLL(sys.argv[1])
data = os.open(sys.argv[2], os.O_RDONLY)
mmap.mmap(data, 0, prot=mmap.PROT_READ)
code = os.open(sys.argv[3], os.O_RDONLY)
mmap.mmap(code, 0, prot=mmap.PROT_READ | mmap.PROT_EXEC)
later = os.open(sys.argv[4], os.O_RDONLY)
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
at = libc.mmap(None, 4096, 1, 2, later, 0)
os.close(later)
assert libc.mprotect(ctypes.c_void_p(at), 4096, 5) == 0
"""


def test_libraries_and_mappings_made_executable_are_told(
    record: Record, python: Python, tmp_path: Path
) -> None:
    listing = subprocess.run(["ldconfig", "-p"], capture_output=True, check=True).stdout
    library = next(
        line.split()[-1].decode() for line in listing.splitlines() if b"libz.so.1 " in line
    )
    for name in ("data", "code", "later"):
        (tmp_path / name).write_bytes(b"x" * 4096)

    files = [tmp_path / name for name in ("data", "code", "later")]
    trace = record(python(DLOPEN, library, *files))

    assert Use.MAPPED in uses_of(trace, os.path.realpath(library))
    assert uses_of(trace, tmp_path / "data") == {Use.READ}
    assert uses_of(trace, tmp_path / "code") == {Use.READ, Use.MAPPED}
    assert uses_of(trace, tmp_path / "later") == {Use.READ, Use.MAPPED}
    assert gaps_of(trace) == set()


def test_the_drivers_own_files_are_not_the_containers(agent: Path, tmp_path: Path) -> None:
    driver, payload = tmp_path / "driver", tmp_path / "payload"
    driver.touch()
    payload.touch()

    with waiting(["cat", str(payload)]) as target:
        recording = AgentRecorder(agent).start(Target(process_id=target.process_id))
        driver.read_bytes()
        subprocess.run(["cat", str(driver)], check=True)
        target.run()
        trace = recording.stop()

    assert uses_of(trace, payload) == {Use.READ}
    assert uses_of(trace, driver) == set()
    assert {process.executable for process in trace.processes} == {"/usr/bin/cat"}


MANY = """
import os, sys
for n in range(int(sys.argv[2])):
    os.close(os.open(f"{sys.argv[1]}/{n}", os.O_RDONLY | os.O_CREAT))
"""


def test_nothing_is_lost_among_many_files(
    record: Record, python: Python, tmp_path: Path
) -> None:
    trace = record(python(MANY, tmp_path, 5_000))

    told = {file.path for file in trace.files if file.use is Use.READ}
    assert {f"{tmp_path}/{n}" for n in range(5_000)} <= told
    assert trace.lost_events == 0


def test_a_path_that_is_no_text_arrives_whole(record: Record, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b'/\xff"\\\n\xc3\xa9'
    with open(name, "wb"):  # noqa: PTH123  pathlib takes no bytes
        pass

    trace = record(["cat", os.fsdecode(name)])

    assert uses_of(trace, os.fsdecode(name)) == {Use.READ}
