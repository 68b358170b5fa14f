"""What a Go program could still call, over programs built for the test.

The programs are built with the toolchain of the machine; without one these tests skip.
A copy of a program whose every function "without a path" stops it shows that none runs.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from vexxy.reachability.calls.golang import program as programs
from vexxy.reachability.calls.golang.closure import Closure
from vexxy.reachability.calls.golang.graph import Graph
from vexxy.reachability.calls.types import Reach
from vexxy.reachability.wire import goflow

SOURCE: Final = Path(__file__).parent / "golang" / "planted.go.txt"
MODULE: Final = "module example.org/planted\n\ngo 1.18\n"
BREAKPOINT: Final = 0xCC
GO: Final = shutil.which("go")
VARIANTS: Final = {
    "plain": (),
    "stripped": ("-ldflags=-s -w",),
    "anywhere": ("-buildmode=pie", "-ldflags=-s -w"),
}

pytestmark = pytest.mark.skipif(GO is None, reason="no Go toolchain on this machine")


@pytest.fixture(scope="module", params=sorted(VARIANTS))
def planted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    (folder / "go.mod").write_text(MODULE)
    shutil.copy(SOURCE, folder / "main.go")
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOOS": "linux",
        "GOARCH": "amd64",
    }
    command = [GO or "go", "build", "-trimpath", *VARIANTS[request.param], "-o", "program"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "program"


@pytest.fixture(scope="module")
def graph(planted: Path) -> Graph:
    return Graph(lambda _: planted.read_bytes(), {})


@pytest.mark.parametrize(
    "name",
    [
        "main.main",
        "main.Called",
        "main.Untaken",
        "main.ByValue",
        "main.InMap",
        "main.InTable",
        "main.Spawned",
        "main.Deferred",
        "main.Dog.Speak",
        "main.(*Cat).Meow",
        "main.Reflected.ByReflection",
        "main.Copied",
        "fmt.Print",
        "reflect.Value.MethodByName",
    ],
)
def test_whatever_could_run_has_a_path_from_an_entry(graph: Graph, name: str) -> None:
    found = graph.reach(["/app"], name)

    assert found.reach is Reach.PATH, found.reason
    assert found.steps
    assert all(step.path == "/app" for step in found.steps)


@pytest.mark.parametrize("name", ["main.Never.Only", "main.GuardedCall"])
def test_what_only_a_failing_test_for_a_type_guards_has_no_path(
    graph: Graph, name: str
) -> None:
    found = graph.reach(["/app"], name)

    assert found.reach is Reach.NO_PATH, found.reason


def test_a_function_that_ran_leads_to_what_it_calls(planted: Path) -> None:
    graph = Graph(lambda _: planted.read_bytes(), {"/app": {"main.(*Never).Only"}})

    found = graph.reach(["/app"], "main.GuardedCall")

    assert found.reach is Reach.PATH
    assert found.entry == "main.(*Never).Only, which ran"


@pytest.mark.parametrize("name", ["main.Dead", "golang.org/x/net/html.Parse"])
def test_a_function_that_is_not_named_stays_open(graph: Graph, name: str) -> None:
    assert graph.reach(["/app"], name).reach is Reach.OPEN


def test_nothing_without_a_path_runs(planted: Path) -> None:
    content = planted.read_bytes()
    program = programs.read(content)
    assert program is not None
    closure = Closure("/app", program, ())
    stopping = planted.with_name("stopping")
    _stop_at(program, stopping, set(program.names) - set(closure.functions))

    for words in ([], ["in-map"], ["in-map", "second"]):
        ran = subprocess.run([stopping, *words], capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr


def test_a_stop_in_a_function_that_runs_is_noticed(planted: Path) -> None:
    program = programs.read(planted.read_bytes())
    assert program is not None
    stopping = planted.with_name("stopping-called")
    _stop_at(program, stopping, set(program.by_name["main.Called"]))

    assert subprocess.run([stopping], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", b"\x7fELF" + bytes(60)])
def test_what_is_no_go_program_stays_open(content: bytes) -> None:
    assert Graph(lambda _: content, {}).reach(["/app"], "main.main").reach is Reach.OPEN


def test_a_program_that_was_cut_short_stays_open(planted: Path) -> None:
    content = planted.read_bytes()
    for part in (2, 3, 5):
        cut = content[: len(content) // part]
        found = Graph(lambda _, cut=cut: cut, {}).reach(["/app"], "main.GuardedCall")
        assert found.reach is Reach.OPEN


def test_the_scan_finds_all_references_that_decoding_finds(planted: Path) -> None:
    program = programs.read(planted.read_bytes())
    assert program is not None
    known = {*program.names, *program.cells, *program.itab_at, *program.types}
    image = program.module.image
    found = 0

    for one in program.module.table.functions:
        decoded = goflow.decode(image, one.entry, one.end)
        for each in decoded.instructions.values() if decoded is not None else ():
            # A short jump never leaves its function.
            if each.target in known and not one.entry <= each.target < one.end:
                assert each.target in program.references[one.entry]
                found += 1

    assert found > len(program.names)


def _stop_at(program: programs.Program, path: Path, entries: set[int]) -> None:
    """Write a copy of a program that stops where one of the functions begins."""
    changed = bytearray(program.module.image.content)
    for entry in entries:
        offset = program.module.image.offset_of(entry)
        assert offset is not None
        changed[offset] = BREAKPOINT
    path.write_bytes(changed)
    path.chmod(0o755)
