"""What is known of vulnerable functions: records and overlays, and names in a root."""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple, Protocol

from vexxy.advisories import derivation, examination
from vexxy.advisories.repository import Index
from vexxy.advisories.rules import grouping, names
from vexxy.advisories.types import Match, OverlayLine, Symbol
from vexxy.kit.errors import VexxyError
from vexxy.sbom.types import Package


def list_symbols(wanted: str, *, index: Index | None = None) -> tuple[OverlayLine, ...]:
    """Return every function known for a vulnerability (any id of it) or a package.

    Args:
        wanted: `CVE-…`, `GHSA-…`, or a package's name in any ecosystem.
        index: The database, where there is one; else only what ships is known.
    """
    ids = frozenset({wanted})
    if index is not None:
        for group in grouping.close({wanted}, index.find_neighbors).values():
            ids |= group
    found = [*_overlaid(wanted, ids, index), *_recorded(wanted, ids, index)]
    return tuple(sorted(set(found), key=_order))


def _order(line: OverlayLine) -> tuple[str, ...]:
    symbol = line.symbol
    return (
        *(line.ecosystem, line.package, line.vulnerability_id),
        *(symbol.module, symbol.name, symbol.provenance),
    )


def _overlaid(
    wanted: str, ids: frozenset[str], index: Index | None
) -> Iterator[OverlayLine]:
    derived = index.list_overlays() if index is not None else ()
    replaced = {(line.ecosystem, line.package) for line in derived}
    shipped = (
        line
        for key, lines in examination.shipped_overlay().items()
        if key not in replaced
        for line in lines
    )
    for line in (*derived, *shipped):
        package = names.normalize(line.ecosystem, wanted)
        if line.vulnerability_id in ids or line.package == package:
            yield line


def _recorded(
    wanted: str, ids: frozenset[str], index: Index | None
) -> Iterator[OverlayLine]:
    if index is None:
        return
    for ecosystem, name, record, affected in index.list_of_records(ids):
        for symbol in (symbol for one in affected for symbol in one.symbols):
            yield OverlayLine(names.family(ecosystem), name, record, symbol)
    for scope in index.list_scopes():
        name = names.normalize(scope, wanted)
        for record, affected in index.list_affected(scope, name):
            for symbol in (symbol for one in affected for symbol in one.symbols):
                yield OverlayLine(names.family(scope), name, record, symbol)


class Place(StrEnum):
    """Whether a named function is in what is installed."""

    DEFINED = "defined"
    NO_SUCH_FUNCTION = "no such function"
    NO_SUCH_FILE = "no such file"
    UNCHECKED = "not checked"


class Checked(NamedTuple):
    """One vulnerable function, looked up in one installed copy.

    Attributes:
        where: `path:line` of the function, or the file that lacks it.
    """

    vulnerability_id: str
    package: Package
    symbol: Symbol
    place: Place
    where: str = ""


class Files(Protocol):
    """A root file system, as far as sources are read from it."""

    def resolve(self, path: str) -> str | None:
        """Return the canonical path of what is there, None if nothing is."""

    def read_bytes(self, path: str) -> bytes:
        """Return the content of a file."""


def check_names(matches: Iterable[Match], files: Files) -> Iterator[Checked]:
    """Yield for each vulnerable function whether the installed copy defines it.

    Only sources of Python and JavaScript are read; a compiled function is not checked.
    This compares names. That a name is missing proves nothing by itself: code moves.
    """
    for match in matches:
        for symbol in match.symbols:
            place, where = _place(symbol, match.package, files)
            yield Checked(match.vulnerability_id, match.package, symbol, place, where)


def _place(symbol: Symbol, package: Package, files: Files) -> tuple[Place, str]:
    candidates = tuple(_candidates(symbol, package))
    if not candidates:
        return Place.UNCHECKED, ""
    for path in candidates:
        found = files.resolve(path)
        if found is not None:
            try:
                text = files.read_bytes(found).decode("utf-8", "replace")
            except VexxyError:
                return Place.UNCHECKED, found
            return _in_source(symbol, found, text)
    return Place.NO_SUCH_FILE, candidates[0]


def _in_source(symbol: Symbol, path: str, text: str) -> tuple[Place, str]:
    outline = derivation.outline(path, text)
    if outline is None:
        return Place.UNCHECKED, path
    if not symbol.name:
        return Place.DEFINED, path
    for span in (*outline.functions, *outline.data):
        if span.name == symbol.name or span.name.startswith(f"{symbol.name}."):
            return Place.DEFINED, f"{path}:{span.first}"
    if outline.broken:
        return Place.UNCHECKED, path
    return Place.NO_SUCH_FUNCTION, path


def _candidates(symbol: Symbol, package: Package) -> Iterator[str]:
    """Yield where the symbol's module would be, beside what proves the package."""
    module = symbol.module.strip("/")
    for location in package.locations:
        folder = location.rpartition("/")[0]
        if package.type == "npm":
            inner = module.removeprefix(f"{package.name}/")
            ends = ("",) if "." in inner.rpartition("/")[2] else (".js", "")
            yield from (f"{folder}/{inner}{end}" for end in ends)
        elif package.type == "pypi" and "/" not in module:
            base = f"{folder.rpartition('/')[0]}/{module.replace('.', '/')}"
            yield from (f"{base}.py", f"{base}/__init__.py")
