"""Functions that a Go program keeps in tables, over a program built for the test.

The program is built with the toolchain of the machine; without one these tests skip.
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

SOURCE: Final = Path(__file__).parent / "golang" / "kept.go.txt"
MODULE: Final = "module example.org/kept\n\ngo 1.18\n"
BREAKPOINT: Final = 0xCC
GO: Final = shutil.which("go")
GUARDED: Final = "main.(*server).register.func1"
PLAIN: Final = "package main\n\nfunc late(s *server) {}\n"
# Ways to the guarded function that appear only here.
OTHERWISE: Final = {
    "reflection calls": """package main

import "reflect"

func late(s *server) {
	if len(s.guarded) > 5 {
		v := reflect.ValueOf(s.guarded).MapIndex(reflect.ValueOf("a"))
		given := []reflect.Value{reflect.ValueOf(s), reflect.Zero(v.Type().In(1))}
		v.Call(append(given, reflect.ValueOf(A1{})))
	}
}
""",
    "an untaken branch reads": """package main

func late(s *server) {
	if len(s.guarded) > 5 {
		s.guarded["b"](s, nil, A1{})
	}
}
""",
    "a loop reads": """package main

func late(s *server) {
	for name, f := range s.guarded {
		if name == "never" {
			f(s, nil, A1{})
		}
	}
}
""",
    "reflection puts it elsewhere": """package main

import "reflect"

type place struct{ f func(*server, *Never, A1) }

//go:noinline
func use(p *place, s *server) {
	if p.f != nil && len(s.guarded) > 5 {
		p.f(s, nil, A1{})
	}
}

func late(s *server) {
	p := &place{}
	var a any = p
	if len(s.guarded) > 5 {
		table := reflect.ValueOf(s).Elem().Field(0)
		reflect.ValueOf(a).Elem().Field(0).Set(table.MapIndex(reflect.ValueOf("a")))
	}
	use(p, s)
}
""",
    "an interface's value is asserted": """package main

import "reflect"

func late(s *server) {
	if len(s.guarded) > 5 {
		a := reflect.ValueOf(s.guarded).MapIndex(reflect.ValueOf("a")).Interface()
		if f, ok := a.(func(*server, *Never, A1)); ok {
			f(s, nil, A1{})
		}
	}
}
""",
    "a type with the same signature": """package main

import "reflect"

type handler func(*server, *Never, A1)

func (h handler) Mark() { h(nil, nil, A1{}) }

func late(s *server) {
	if len(s.guarded) > 5 {
		v := reflect.ValueOf(s.guarded).MapIndex(reflect.ValueOf("a"))
		show(v.Convert(reflect.TypeOf(handler(nil))).Interface().(Any))
	}
}
""",
    "the table is handed to generic code": """package main

func late(s *server) {
	for _, f := range values(s.guarded) {
		if len(s.guarded) > 5 {
			f(s, nil, A1{})
		}
	}
}
""",
}

pytestmark = pytest.mark.skipif(GO is None, reason="no Go toolchain on this machine")


def _built(folder: Path, late: str) -> Path:
    (folder / "go.mod").write_text(MODULE)
    shutil.copy(SOURCE, folder / "main.go")
    (folder / "late.go").write_text(late)
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOOS": "linux",
        "GOARCH": "amd64",
    }
    command = [GO or "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "program"]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder / "program"


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _built(tmp_path_factory.mktemp("plain"), PLAIN)


@pytest.fixture(scope="module")
def graph(plain: Path) -> Graph:
    return Graph(lambda _: plain.read_bytes(), {})


def test_what_only_a_dead_reader_of_its_table_calls_has_no_path(graph: Graph) -> None:
    for name in (GUARDED, "main.show"):
        found = graph.reach(["/app"], name)
        assert found.reach is Reach.NO_PATH, found.reason


@pytest.mark.parametrize("number", range(1, 11))
def test_what_is_also_read_or_handed_on_has_a_path(graph: Graph, number: int) -> None:
    assert graph.reach(["/app"], f"main.(*server).rest.func{number}").reach is Reach.PATH


@pytest.mark.parametrize(
    "name",
    [
        "main.(*server).again.func1",
        "main.(*server).again.func2",
        "main.(*server).registerShown.func1",
    ],
)
def test_what_leaves_its_function_another_way_has_a_path(graph: Graph, name: str) -> None:
    assert graph.reach(["/app"], name).reach is Reach.PATH


@pytest.mark.parametrize("way", sorted(OTHERWISE))
def test_another_way_out_of_the_table_is_a_path(tmp_path: Path, way: str) -> None:
    program = _built(tmp_path, OTHERWISE[way])

    found = Graph(lambda _: program.read_bytes(), {}).reach(["/app"], GUARDED)

    assert found.reach is Reach.PATH, found.reason


def test_a_function_of_a_table_that_ran_leads_on(plain: Path) -> None:
    graph = Graph(lambda _: plain.read_bytes(), {"/app": {GUARDED}})

    assert graph.reach(["/app"], "main.show").reach is Reach.PATH


def test_nothing_that_a_table_keeps_without_a_path_runs(plain: Path) -> None:
    program = programs.read(plain.read_bytes())
    assert program is not None
    closure = Closure("/app", program, ())
    content = bytearray(plain.read_bytes())
    for entry in set(program.names) - set(closure.functions):
        offset = program.module.image.offset_of(entry)
        assert offset is not None
        content[offset] = BREAKPOINT
    stopping = plain.with_name("stopping")
    stopping.write_bytes(content)
    stopping.chmod(0o755)

    for words in ([], ["a"], ["a", "b", "c"]):
        ran = subprocess.run([stopping, *words], capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr
