"""Code that lies compressed in other files, or behind a program."""

import gzip
import struct
import zlib
from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.wire import payloads
from vexxy.tracer.types import Access

TOOL = "/usr/bin/planttool"
DAEMON = "/opt/app/daemon"
ERLANG = "/usr/lib/erlang/erts-13.1.5/bin/beam.smp"
RUNS = "#include <unistd.h>\nint main(int c, char **v) { return execvp(v[1], v); }"
LITERALS = zlib.compress(b"\0\0\0\x01\0\0\0\x20\x83k\0\x0cplanttool -x")
BEAM = (
    b"FOR1\0\0\1\0BEAMAtU8\0\0\0\x10\0\0\0\2\x03app\x02os\x03cmdLitT"
    + struct.pack(">II", len(LITERALS) + 4, 36)
    + LITERALS
)
SCRIPT = b"<?php exec('planttool -x');"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.program(TOOL)
    return planted


def ran(tree: Planted, runtime: str) -> None:
    tree.touched(tree.program(runtime), Access.EXECUTED, 0.0)


def archive(script: bytes, flags: int = payloads.PHAR_DEFLATED) -> bytes:
    packed = zlib.compress(script, 9)[2:-4]
    sizes = struct.pack("<6I", len(script), 0, len(packed), 0, flags, 0)
    entry = struct.pack("<I", 5) + b"a.php" + sizes
    manifest = struct.pack("<IHIII", 1, 0x1100, 0, 0, 0) + entry
    stub = b"<?php __HALT_COMPILER(); ?>\r\n"
    return stub + struct.pack("<I", len(manifest)) + manifest + packed


@pytest.mark.parametrize("content", [BEAM, gzip.compress(BEAM, mtime=0)])
def test_compressed_literals_of_erlang(tree: Planted, content: bytes) -> None:
    ran(tree, ERLANG)
    tree.write("/opt/app/ebin/app.beam", content)
    assert TOOL in tree.overlay().references


def test_byte_code_of_erlang_that_starts_nothing(tree: Planted) -> None:
    ran(tree, ERLANG)
    tree.write("/opt/app/ebin/app.beam", BEAM.replace(b"cmd", b"abc"))
    assert TOOL not in tree.overlay().references


def test_byte_code_of_lua(tree: Planted) -> None:
    ran(tree, "/usr/bin/lua5.4")
    tree.write("/app/x.luac", b"\x1bLuaT\0\x83os\x88execute\x04\x8dplanttool -x\x80")
    assert TOOL in tree.overlay().references


def test_a_compressed_archive_of_php(tree: Planted) -> None:
    ran(tree, "/usr/bin/php8.2")
    tree.write("/app/x.phar", archive(SCRIPT))
    found = tree.overlay().references[TOOL]
    assert "planttool" in found.how


def test_an_archive_of_php_that_starts_nothing(tree: Planted) -> None:
    ran(tree, "/usr/bin/php8.2")
    tree.write("/app/x.phar", archive(b"<?php echo 'planttool';"))
    assert TOOL not in tree.overlay().references


@pytest.mark.parametrize("content", [archive(SCRIPT, 0x2000), b"nothing of the kind"])
def test_an_archive_of_php_that_cannot_be_unpacked(tree: Planted, content: bytes) -> None:
    ran(tree, "/usr/bin/php8.2")
    tree.write("/app/x.phar", content)
    assert tree.overlay().references[TOOL].how == "is packed and may run"


@pytest.mark.parametrize(
    ("release", "opens"),
    [
        (None, True),
        ('MODULES="java.base com.example.app"\n', True),
        ('JAVA_VERSION="17"\nMODULES="java.base java.logging jdk.jfr"\n', False),
    ],
)
def test_a_runtime_image_of_java(
    tree: Planted, release: str | None, *, opens: bool
) -> None:
    ran(tree, "/opt/app/bin/java")
    tree.write("/opt/app/lib/modules", b"\xda\xda\xfe\xca" + bytes(64))
    if release is not None:
        tree.write("/opt/app/release", release)
    assert (TOOL in tree.overlay().references) == opens


@pytest.mark.parametrize(
    "behind",
    [
        b"\nconst run = () => spawn('planttool', ['-x'])\n",
        zlib.compress(b"import os\nos.system('planttool -x')\n"),
        gzip.compress(b"import os\nos.system('planttool -x')\n", mtime=0),
        b"PK\x03\x04" + bytes(range(1, 64)),
        b"\x28\xb5\x2f\xfd" + bytes(range(1, 64)),
        zlib.compress(b"x" * 99) + b"MEI\014\013\012\013\016" + bytes(80),
    ],
)
def test_what_lies_behind_a_program_that_runs_commands(
    tree: Planted, behind: bytes
) -> None:
    path = tree.directory / tree.compile(DAEMON, RUNS).lstrip("/")
    path.write_bytes(path.read_bytes() + behind)
    tree.touched(DAEMON, Access.EXECUTED, 0.0)
    assert tree.overlay().references[TOOL].via == DAEMON


def test_nothing_lies_behind_a_program_as_it_was_linked(tree: Planted) -> None:
    path = tree.directory / tree.compile(DAEMON, RUNS).lstrip("/")
    assert payloads.appended(path.read_bytes()) == b""
    tree.touched(DAEMON, Access.EXECUTED, 0.0)
    assert TOOL not in tree.overlay().references
