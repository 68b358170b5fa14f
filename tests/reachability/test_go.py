"""Verdicts on real Go binaries, with symbols and stripped of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.planted import Planted
from tests.fakes.values import a_match, a_package
from vexxy.advisories.types import Match, Symbol
from vexxy.reachability.errors import Unparsable
from vexxy.reachability.types import Level
from vexxy.reachability.wire import gopclntab
from vexxy.tracer.types import Access
from vexxy.vex.types import Justification, Status

PROGRAM = """
package main

import "own.test/m/part"

type box[T any] struct{ v []T }

//go:noinline
func (b *box[T]) get(i int) T { return b.v[i] }

func main() {
	b := &box[int]{[]int{1, 2}}
	println(b.get(1), part.Inlined(1))
}
"""
PART = """
package part

import "os"

func Inlined(x int) int { return x + len(os.Args) }
func Never(x int) int   { return x * len(os.Args) }
"""


@pytest.fixture(scope="module", params=["", "-s -w"], ids=["symbols", "stripped"])
def binary(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    go = shutil.which("go")
    if go is None:
        pytest.skip("this machine has no Go toolchain to build the binary with")
    directory: Path = tmp_path_factory.mktemp("go")
    (directory / "part").mkdir()
    (directory / "go.mod").write_text("module own.test/m\n\ngo 1.21\n")
    (directory / "main.go").write_text(PROGRAM)
    (directory / "part" / "part.go").write_text(PART)
    command = [go, "build", f"-ldflags={request.param}", "-o", "own", "."]
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return (directory / "own").read_bytes()


@pytest.fixture
def tree(tmp_path: Path, binary: bytes) -> Planted:
    planted = Planted(tmp_path / "root")
    planted.write("/server", binary, mode=0o755)
    return planted


def finding(module: str, *names: str, package: str = "own.test/m") -> Match:
    go = a_package(package, type="golang", files=(), embedded_in="/server")
    symbols = tuple(Symbol(module, name, "a reviewed record") for name in names)
    return a_match(go, symbols=symbols)


def test_every_linked_function_is_named_even_an_inlined_one(binary: bytes) -> None:
    names = gopclntab.functions(binary)
    assert gopclntab.is_linked(names, "main", "box.get")
    assert gopclntab.is_linked(names, "own.test/m/part", "Inlined")
    assert not gopclntab.is_linked(names, "own.test/m/part", "Never")
    assert gopclntab.is_linked(names, "runtime", "")
    assert not gopclntab.is_linked(names, "net/http", "")


@pytest.mark.parametrize(
    ("match", "status", "level"),
    [
        (finding("own.test/m/part", "Inlined"), Status.AFFECTED, Level.MODULE_LOADED),
        (
            finding("own.test/m/part", "Inlined", "Never"),
            Status.AFFECTED,
            Level.MODULE_LOADED,
        ),
        (finding("own.test/m/part", "Never"), Status.NOT_AFFECTED, Level.LOADED),
        (finding("other.test/x", "Never"), Status.AFFECTED, Level.LOADED),
        (finding("net/http", "Get", package="stdlib"), Status.NOT_AFFECTED, Level.LOADED),
        (finding("net/http", "", package="stdlib"), Status.NOT_AFFECTED, Level.LOADED),
        (finding("own.test/m/part"), Status.AFFECTED, Level.LOADED),
    ],
)
def test_a_binary_that_ran_is_judged_by_what_is_linked_into_it(
    tree: Planted, match: Match, status: Status, level: Level
) -> None:
    tree.touched("/server", Access.EXECUTED)
    (verdict,) = tree.judge(match)
    assert (verdict.status, verdict.level) == (status, level)
    if status is Status.NOT_AFFECTED:
        assert verdict.justification is Justification.VULNERABLE_CODE_NOT_PRESENT
        assert "function table of /server" in verdict.reason


def test_what_is_not_linked_needs_no_observation(tree: Planted) -> None:
    (verdict,) = tree.judge(finding("own.test/m/part", "Never"), driven=False)
    assert verdict.justification is Justification.VULNERABLE_CODE_NOT_PRESENT


def test_a_table_that_cannot_be_read_proves_nothing(tree: Planted, binary: bytes) -> None:
    magic = gopclntab.MAGIC_GO_120.to_bytes(4, "little") + b"\0\0"
    assert magic in binary
    tree.write("/server", binary.replace(magic, b"\xf9\xff\xff\xff\0\0"), mode=0o755)
    tree.touched("/server", Access.EXECUTED)
    (verdict,) = tree.judge(finding("own.test/m/part", "Never"))
    assert verdict.status is Status.AFFECTED


def test_a_go_program_can_run_commands_only_if_that_is_linked(tree: Planted) -> None:
    tree.program("/usr/bin/tar")
    tree.touched("/server", Access.EXECUTED)
    assert "/usr/bin/tar" not in tree.overlay().references


def test_paths_in_data_without_ends_are_found(tree: Planted) -> None:
    """Go keeps its strings without a NUL: one starts where another ends."""
    helper = tree.program("/usr/bin/helper")
    other = tree.program("/opt/own/tool")
    text = (
        'const char *s = "no such file/usr/bin/helper/opt/own/toolabout runtime.main";'
        'const char *m = "runtime.main"; int main(int c, char **v)'
        "{ return s[c] == m[c]; }"
    )
    tree.touched(tree.compile("/usr/sbin/daemon", text), Access.EXECUTED)
    assert {helper, other} <= set(tree.overlay().references)


@given(st.text(alphabet="[]ab.", max_size=30))
def test_closed_brackets_go_with_what_they_hold(name: str) -> None:
    before, left = "", name
    while before != left:
        before, left = left, re.sub(r"\[[^\[\]]*\]", "", left)
    assert gopclntab.normalize(name) == left


def test_a_name_of_a_million_nested_brackets_is_read_at_once() -> None:
    """One pass: taking one pair at a time would not end within anybody's patience."""
    depth = 1_000_000
    assert gopclntab.normalize(f"p.F{'[x' * depth}{']' * depth}.func1") == "p.F.func1"


def test_a_name_of_more_parts_than_any_compiler_writes_is_no_table() -> None:
    with pytest.raises(Unparsable, match="no compiler writes"):
        gopclntab.table({"main.main", "p" + ".f" * 1_000_000})
