"""What a slice may contain, and what its front page must say."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "vexxy"
# The frames that answer for everything below them: a process, a request, a job, a turn of
# periodic work.
OUTERMOST = {
    PACKAGE / "__main__.py",
    PACKAGE / "http" / "access.py",
    PACKAGE / "worker" / "station.py",
    PACKAGE / "worker" / "upkeep.py",
}
FRONT_PAGES = sorted(PACKAGE.glob("*/__init__.py"))


@pytest.mark.parametrize("path", FRONT_PAGES, ids=str)
def test_a_slice_says_what_it_owns_and_what_not(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert "**Owns:**" in docstring
    assert "**Does not own:**" in docstring


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("__init__.py")), ids=str)
def test_a_front_page_exports_nothing(path: Path) -> None:
    statements = ast.parse(path.read_text()).body
    assert all(isinstance(node, ast.Expr) for node in statements)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_only_outermost_frames_catch_everything(path: Path) -> None:
    broad = [
        node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (
                isinstance(node.type, ast.Name)
                and node.type.id in {"Exception", "BaseException"}
            )
        )
    ]
    # What runs in an image's own interpreter must never fail there.
    beside = PACKAGE / "tracer" / "functions" / "beside"
    assert broad == [] or path in OUTERMOST or beside in path.parents
