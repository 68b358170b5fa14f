"""Which functions of compiled code a run waits for: those that its findings name."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.advisories.types import Match, Symbol
from vexxy.images.errors import FileMissing, FileTooLarge, FileUnreadable
from vexxy.images.rootfs import RootFilesystem
from vexxy.sbom.types import Package
from vexxy.tracer.functions.native.service import FunctionWatch
from vexxy.tracer.functions.native.types import Uprobe

BINARY_BYTES_MAX: Final = 256 * 1024 * 1024
FILES_MAX: Final = 64
MAGIC: Final = b"\x7fELF"
ARCHIVE_MARK: Final = "!"
# Packages of distributions, whose records may name a C function without its source file.
DISTRIBUTIONS: Final = frozenset({"deb", "apk", "rpm"})
C_NAME: Final = re.compile(r"[A-Za-z_]\w*")
NATIVE_SOURCES: Final = (".c", ".cc", ".cpp", ".cxx", ".h", ".hpp", ".S", ".y", ".l")


@dataclass(frozen=True, slots=True)
class Watching:
    """The functions of one run, and the probes that wait for them."""

    watch: FunctionWatch
    probes: tuple[Uprobe, ...]


def plan(matches: Iterable[Match], root: RootFilesystem) -> Watching:
    """Return what to watch for the vulnerable functions of compiled packages.

    A function of a binary that cannot be read, or whose places are not all known, is told
    as unwatched by the results.
    """
    wanted: dict[str, dict[str, None]] = defaultdict(dict)
    for match in matches:
        names = [name for one in match.symbols if (name := _name(one, match.package))]
        if names:
            for path in _binaries(match.package, root):
                wanted[path].update(dict.fromkeys(names))
    watch = FunctionWatch()
    probes: list[Uprobe] = []
    for path, together in wanted.items():
        content = _read(path, root)
        if content is not None:
            probes += watch.add(path, content, names=list(together))
    return Watching(watch, tuple(probes))


def _name(symbol: Symbol, package: Package) -> str:
    """Return a function as a binary's tables name it, nothing for other code."""
    if not symbol.name:
        return ""
    if package.type == "golang":
        return f"{symbol.module}.{symbol.name}"
    if package.type == "cargo":
        own = symbol.name.startswith(f"{symbol.module}::") or not symbol.module
        return symbol.name if own else f"{symbol.module}::{symbol.name}"
    is_bare = package.type in DISTRIBUTIONS and not symbol.module
    if is_bare and C_NAME.fullmatch(symbol.name):
        return symbol.name
    return symbol.name if symbol.module.endswith(NATIVE_SOURCES) else ""


def _binaries(package: Package, root: RootFilesystem) -> Iterator[str]:
    written: Iterable[str] = package.files
    if package.embedded_in is not None:
        written = (package.embedded_in.partition(ARCHIVE_MARK)[0],)
    seen = 0
    for one in written:
        path = root.resolve(one)
        entry = root.entries.get(path) if path is not None else None
        if path is None or entry is None or seen >= FILES_MAX:
            continue
        if entry.executable or ".so" in path.rpartition("/")[2]:
            seen += 1
            yield path


def _read(path: str, root: RootFilesystem) -> bytes | None:
    try:
        content = root.read_bytes(path, limit=BINARY_BYTES_MAX)
    except (FileMissing, FileTooLarge, FileUnreadable):
        return None
    return content if content.startswith(MAGIC) else None
