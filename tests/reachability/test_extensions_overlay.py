"""What Python extension modules hide, and what of it is read all the same."""

import bz2
import zlib
from pathlib import Path

import pytest

from tests.fakes.planted import Planted
from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import pyextension
from vexxy.tracer.types import Access

SITE = "/usr/local/lib/python3.11/site-packages"
TABLE = (
    b"another constantbetacline_in_tracebackitems__main____name__planttoolsubprocessvalues"
)
MARK = "CYTHON_COMPRESS_STRINGS"


@pytest.fixture
def tree(tmp_path: Path) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.touched(planted.program("/usr/bin/python3.11"), Access.EXECUTED, 0.0)
    planted.write("/usr/lib/python3.11/os.py")
    planted.write(f"{SITE}/alpha/__init__.py", '"""alpha"""')
    planted.write(f"{SITE}/beta/__init__.py", '"""beta"""')
    return planted


def extension(tree: Planted, table: bytes, *, mark: str = "", place: str = "/app") -> None:
    """Build and load an extension module with a table of constants."""
    numbers = ",".join(map(str, table))
    source = (
        f'char t[]={{{numbers}}}; const char *m="{mark}"; void *PyInit_core(){{return t;}}'
    )
    path = tree.compile(
        f"{place}/core.cpython-311-x86_64-linux-gnu.so", source, "-shared", "-fPIC"
    )
    tree.touched(path, Access.MAPPED)


def lzss(text: bytes) -> bytes:
    """Compress as Cython does, but for the search: one repetition, all else literal."""
    written = b""
    for at in range(0, len(text), 8):
        written += b"\xff" + text[at : at + 8]
    # The last token repeats nine characters that end where the text does.
    return written + b"\xfe\x00\x06" + b"x" * 7


@pytest.mark.parametrize("place", ["/app", f"{SITE}/alpha"])
@pytest.mark.parametrize("pack", [bytes, zlib.compress, bz2.compress, lzss])
def test_the_constants_of_compiled_python_are_read_joined_and_compressed(
    tree: Planted, pack: "type[bytes]", place: str
) -> None:
    tool = tree.program("/usr/bin/planttool")
    joined = pack is bytes
    extension(tree, pack(TABLE), mark="" if joined else MARK, place=place)
    found = tree.overlay()
    assert found.unfollowed == ()
    assert {f"{SITE}/beta/__init__.py", tool} <= set(found.references)
    how = found.references[tool].how
    assert how == "holds the name planttool of a program,"


def test_an_extension_in_c_has_whole_names_and_starts_nothing_by_words(
    tree: Planted,
) -> None:
    tool = tree.program("/usr/bin/planttool")
    extension(tree, b"betamax planttool subprocess")
    assert {f"{SITE}/beta/__init__.py", tool}.isdisjoint(tree.overlay().references)


@pytest.mark.parametrize(
    ("table", "mark"),
    [(b"\x28\xb5\x2f\xfd" + b"\x01" * 99, MARK), (b"\x01" * 99, "pyarmor_runtime")],
)
def test_constants_that_nobody_can_read_leave_python_open(
    tree: Planted, table: bytes, mark: str
) -> None:
    extension(tree, table, mark=mark)
    (unfollowed,) = tree.overlay().unfollowed
    assert unfollowed.language == "python"
    assert "core.cpython-311-x86_64-linux-gnu.so keeps its" in unfollowed.reason


def test_a_repetition_is_written_out() -> None:
    data = b"\0CYTHON_COMPRESS_STRINGS\0" + lzss(b"ab__name__cdefgh")
    assert b"ab__name__cdefghe__cdefghx" in pyextension.unpacked(data)


def test_what_is_no_table_is_an_error_and_not_a_clean_file() -> None:
    with pytest.raises(Unparsable):
        pyextension.unpacked(b"LZSS string data decompression failed\0" + b"\xff" * 5000)
