"""What the product imports is what it says it needs: a fresh installation has no more."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for path in (ROOT / "src" / "vexxy").rglob("*.py")
    if "beside" not in path.parts  # runs inside images' interpreters
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Imported where a setting asks for it, and said so when it is missing.
OPTIONAL = {"opentelemetry"}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required() -> frozenset[str]:
    named = [Requirement(line) for line in PROJECT["dependencies"]]
    found = {normalized(one.name) for one in named}
    for one in named:
        # `psycopg[binary]` brings what the extra names.
        for line in metadata.requires(one.name) or []:
            more = Requirement(line)
            extras = [{"extra": extra} for extra in one.extras]
            if more.marker and any(more.marker.evaluate(extra) for extra in extras):
                found.add(normalized(more.name))
    return frozenset(found)


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


NAMED = required()
DISTRIBUTIONS = metadata.packages_distributions()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_imported_is_a_dependency(path: Path) -> None:
    for name in set(imported(path)) - sys.stdlib_module_names - {"vexxy"} - OPTIONAL:
        brought = {normalized(one) for one in DISTRIBUTIONS.get(name, ())}
        assert brought & NAMED, f"{name} comes from {brought or 'nowhere'}"
