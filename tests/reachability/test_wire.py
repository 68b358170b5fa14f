"""Readers of foreign formats find everything, and survive anything."""

import ast
import subprocess
import sysconfig
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import elf, gopclntab, jssource, pysource, tokens

STANDARD_LIBRARY = Path(sysconfig.get_path("stdlib"))


def written_imports(path: Path) -> set[tuple[int, str, str]]:
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {(0, alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names if alias.name != "*"]
            found |= {(node.level, node.module or "", name) for name in names}
    return found


def test_reading_as_text_misses_no_import_of_a_standard_library() -> None:
    paths = sorted(STANDARD_LIBRARY.glob("*.py")) + sorted(STANDARD_LIBRARY.glob("*/*.py"))
    checked = 0
    for path in [one for one in paths if "bad" not in one.name][::3]:
        if "site-packages" in path.parts or "lib2to3" in path.parts:
            continue
        source = pysource.read(path.read_text("utf-8", "replace"))
        read = {
            (one.level, one.module, name)
            for one in source.imports
            for name in one.names or ("",)
        }
        assert written_imports(path) <= read, path
        checked += 1
    assert checked > 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a.b as c, d", {(0, "a.b"), (0, "d")}),
        ("from .  x import y", {(1, "x")}),
        ("from ... import (y)", {(3, "")}),
        ("try: import a\nexcept X: import b", {(0, "a"), (0, "b")}),
        ("import elftools.elf .enums as e", {(0, "elftools.elf.enums")}),
        ("from a import ( # ) b\n  c)", {(0, "a")}),
        ("print 'python 2'; import a", {(0, "a")}),
        ("the import of goods", set()),
    ],
)
def test_statements_of_any_version_are_read(
    text: str, expected: set[tuple[int, str]]
) -> None:
    assert {(one.level, one.module) for one in pysource.read(text).imports} == expected


def test_an_unclosed_parenthesis_takes_no_time() -> None:
    text = "from a import (" + "# b\n" * 20_000
    assert pysource.read(text).imports[0].module == "a"


@given(st.text(alphabet="import from.()#\\\n\"';:ab,", max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    pysource.read(text)
    jssource.read(text)
    tokens.commands(text)


@pytest.mark.parametrize(
    ("text", "dynamic"),
    [
        ("require(name)", True),
        ("require('./' + name)", True),
        ("var load = require;", True),
        ("f(module, require)", True),
        ("require('x')", False),
        ("// we require that\nrequire('x')", False),
        ("function require(path) {}", False),
    ],
)
def test_a_require_of_a_value_is_told_from_a_constant(text: str, *, dynamic: bool) -> None:
    assert jssource.read(text).dynamic is dynamic


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("gzip", {"gzip"}),
        ("gzip -dc %s", {"gzip"}),
        ("sudo -u www tar cf -", {"sudo", "www"}),
        ("cat /x | sort -u", {"cat", "sort"}),
        ("find the file", set()),
        ("test failed", set()),
        ("A=1 env B=2 perl -e 1", {"env", "perl"}),
    ],
)
def test_a_command_is_told_from_a_sentence(text: str, words: set[str]) -> None:
    assert tokens.commands(text) == words


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("elf")
    source = directory / "x.c"
    source.write_text('#include <stdlib.h>\nint f(void){return system("ls");}')
    target = directory / "libx.so"
    command = ["gcc", "-shared", "-fPIC", "-Wl,-soname,libx.so.1", "-o", target, source]
    subprocess.run(command, check=True)
    return target.read_bytes()


def test_an_elf_file_says_what_it_needs(library: bytes) -> None:
    parsed = elf.read(library)
    assert parsed.needed == ("libc.so.6",)
    assert parsed.soname == "libx.so.1"
    assert "system" in parsed.imports
    assert "f" not in parsed.imports
    assert b"ls" in set(parsed.strings())


def test_section_headers_are_not_needed(library: bytes) -> None:
    headless = library[:40] + b"\0" * 8 + library[48:60] + b"\0" * 4 + library[64:]
    parsed = elf.read(headless)
    assert parsed.needed == ("libc.so.6",)
    assert any(b"ls" in block for block in parsed.data)


@given(st.data())
def test_a_damaged_elf_file_is_read_or_refused(library: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(4, 2000))
    junk = data.draw(st.binary(min_size=1, max_size=16))
    damaged = library[:at] + junk + library[at + len(junk) :]
    cut = damaged[: data.draw(st.integers(4, len(damaged)))]
    for content in (damaged, cut):
        with suppress(Unparsable):
            assert elf.read(content).data is not None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("net/http.(*Transport).RoundTrip", "net/http.Transport.RoundTrip"),
        ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3.Unmarshal"),
        ("main.(*box[go.shape.[]uint8]).get", "main.box.get"),
        ("main.(*box[...]).small-fm", "main.box.small"),
        ("html.Parse.func1", "html.Parse.func1"),
    ],
)
def test_go_names_are_written_one_way(written: str, normal: str) -> None:
    assert gopclntab.normalize(written) == normal


def test_a_closure_shows_that_its_function_is_linked() -> None:
    names = gopclntab.table({"x/html.Parse.func1", "x/html.ParseFragment"})
    assert gopclntab.is_linked(names, "x/html", "Parse")
    assert not gopclntab.is_linked(names, "x/html", "Fragment")


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"MZ" * 100])
def test_what_is_no_go_binary_proves_nothing(content: bytes) -> None:
    with pytest.raises(Unparsable):
        gopclntab.functions(content)


@given(st.binary(max_size=200))
def test_a_damaged_function_table_is_read_or_refused(junk: bytes) -> None:
    magic = gopclntab.MAGIC_GO_120.to_bytes(4, "little")
    with suppress(Unparsable):
        assert gopclntab._names(magic + b"\0\0\x01\x08" + junk) is not None
