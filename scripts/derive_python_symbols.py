"""Derive vulnerable Python functions from the commits that fixed them.

    python scripts/derive_python_symbols.py OSV_FOLDER REPOSITORIES > OUT.tsv

For each PyPI record that links a commit (`.../OWNER/NAME/commit/ID`) of a git repository at
REPOSITORIES/owner/name: the functions, in the state before the commit, whose lines it
changes. Tests, documentation and packaging are passed over. A change outside of any
function (a constant, a regular expression) gives none.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from vexxy.advisories.rules import grouping, names
from vexxy.advisories.rules.patches import CONFIDENCE, CONFIDENCE_SHARED
from vexxy.advisories.types import OverlayLine, Symbol
from vexxy.advisories.wire import overlay

COMMIT: Final = re.compile(
    r"https://github\.com/([\w.-]+)/([\w.-]+)/commit/([0-9a-f]{7,40})"
)
HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+", re.ASCII)
NO_CODE: Final = re.compile(
    r"(?:^|/)(?:tests?|testing|docs?|examples?|bench\w*|dummyserver|tools|ci|\.github)/|"
    r"(?:^|/)(?:test_|conftest|setup\.py|noxfile|tasks\.py|__version__|_version|version\.py)"
)
SOURCE_FOLDERS: Final = ("src/", "lib3/", "lib/", "python3/")
# A commit that touches more than this changes other things besides.
FUNCTIONS_MAX: Final = 25
FOCUSED_MAX: Final = 8


class Reference(msgspec.Struct):
    """A link of a record."""

    url: str


class Package(msgspec.Struct):
    """What a record is about."""

    ecosystem: str
    name: str


class Affected(msgspec.Struct):
    """One package of a record."""

    package: Package


class Record(msgspec.Struct):
    """The parts of an OSV record that lead to its fix."""

    id: str
    affected: list[Affected]
    aliases: list[str] = []
    references: list[Reference] = []
    withdrawn: str | None = None


class Function(NamedTuple):
    """A function of a module, by its qualified name."""

    module: str
    name: str


def git(repository: Path, *arguments: str) -> str | None:
    """Return what git prints, None where it fails (an unknown commit or file)."""
    done = subprocess.run(
        ["git", "--git-dir", repository, *arguments], capture_output=True, check=False
    )
    return None if done.returncode else done.stdout.decode("utf-8", "replace")


def changed_functions(repository: Path, commit: str) -> Iterator[Function]:
    """Yield the functions before the commit whose lines it changes."""
    # Against the first parent, so that a merge shows what it brought.
    parents = (f"{commit}^1", commit)
    diff = git(repository, "diff", "-U0", "--no-renames", *parents, "--", "*.py")
    for part in (diff or "").split("\ndiff --git ")[:200]:
        found = re.search(r"^--- a/(\S+)$", part, re.MULTILINE)
        if found is None or NO_CODE.search(found[1]):
            continue
        before = git(repository, "show", f"{commit}^1:{found[1]}")
        if before is None:
            continue
        lines = {
            line
            for begin, count in HUNK.findall(part)
            for line in range(int(begin), int(begin) + max(1, int(count or 1)))
        }
        yield from functions_at(before, module_of(found[1]), lines)


def module_of(path: str) -> str:
    """Return the dotted name of a module from its path in the repository."""
    for folder in SOURCE_FOLDERS:
        path = path.removeprefix(folder)
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def functions_at(source: str, module: str, lines: set[int]) -> Iterator[Function]:
    """Yield the innermost function around each of the lines."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    spans: list[tuple[int, int, str]] = []

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                visit(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                end = child.end_lineno or child.lineno
                spans.append((child.lineno, end, prefix + child.name))
            else:
                visit(child, prefix)

    visit(tree, "")
    for line in sorted(lines):
        around = [name for begin, end, name in spans if begin <= line <= end]
        if around:
            yield Function(module, around[-1])


def lines_of(record: Record, repositories: Path) -> Iterator[OverlayLine]:
    """Yield the overlay's lines of one record."""
    package = names.normalize("PyPI", record.affected[0].package.name)
    shown, _ = grouping.display_id({record.id, *record.aliases}, [record.id])
    for url in dict.fromkeys(one.url for one in record.references):
        found = COMMIT.match(url)
        if found is None:
            continue
        repository = repositories / found[1].lower() / found[2].lower()
        if not repository.exists():
            continue
        functions = tuple(dict.fromkeys(changed_functions(repository, found[3])))
        if len(functions) > FUNCTIONS_MAX:
            continue
        focused = len(functions) <= FOCUSED_MAX
        for one in functions:
            symbol = Symbol(
                one.module,
                one.name,
                f"commit {found[0]}",
                CONFIDENCE if focused else CONFIDENCE_SHARED,
            )
            yield OverlayLine("PyPI", package, shown, symbol)


def main() -> None:
    """Print the overlay."""
    osv, repositories = map(Path, sys.argv[1:3])
    best: dict[tuple[str, str, str, str], OverlayLine] = {}
    for path in sorted((osv / "PyPI").glob("*.json")):
        record = msgspec.json.decode(path.read_bytes(), type=Record)
        if record.withdrawn is not None:
            continue
        for line in lines_of(record, repositories):
            key = (
                line.package,
                line.vulnerability_id,
                line.symbol.module,
                line.symbol.name,
            )
            known = best.get(key)
            if known is None or known.symbol.confidence < line.symbol.confidence:
                best[key] = line
    sys.stdout.write(overlay.dump(best.values()))


if __name__ == "__main__":
    main()
