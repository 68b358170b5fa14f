"""The hard limits of size: nothing stops a module from growing but a test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
POSITIONAL_MAX = 3
SOURCES = sorted((ROOT / "src").rglob("*.py"))
NATIVE = sorted(
    path for path in (ROOT / "native").rglob("*.[ch]") if "build" not in path.parts
)
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "base", "common"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> list[Function]:
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


@pytest.mark.parametrize("path", SOURCES + NATIVE, ids=str)
def test_a_module_stays_readable_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MODULE_LINES_MAX


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_function_fits_on_a_screen(path: Path) -> None:
    long = [
        (node.name, node.end_lineno - node.lineno)
        for node in functions(path)
        if node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert long == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_call_site_never_has_to_count_arguments(path: Path) -> None:
    crowded = []
    for node in functions(path):
        names = [a.arg for a in node.args.posonlyargs + node.args.args]
        if names[:1] in (["self"], ["cls"]):
            names = names[1:]
        if len(names) > POSITIONAL_MAX:
            crowded.append(node.name)
    assert crowded == []


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_module_is_named_for_what_it_does(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES


def test_there_is_something_to_measure() -> None:
    assert len(SOURCES) > 20
