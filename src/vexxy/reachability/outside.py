"""Code that ran from files that the image does not hold: moved, copied, unpacked, made.

What lies outside is gone when the run is judged, so its names are all there is: a file of
the image whose path ends the same is taken for it. Code without such a file is a gap.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vexxy.reachability.loadable.modules import source_of
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules import packages
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.types import MovedAccess
from vexxy.reachability.wire import elf
from vexxy.tracer.rules import CODE_SUFFIXES
from vexxy.tracer.types import Access, ExecutionProfile, FileAccess

KERNEL_DIRECTORIES: Final = ("/proc/", "/sys/", "/memfd:", "/SYSV", "/dev/zero")
# A cache of compiled modules that lies in a directory of its own.
CACHED: Final = re.compile(r"(.*/[^/]+?)\.(?:cpython|pypy)-?\d+(?:\.opt-\d)?\.pyc")
NO_CODE: Final = (".html", ".htm")
SHOWN_MAX: Final = 3
NATIVE: Final = frozenset({Access.EXECUTED, Access.MAPPED})


@dataclass(frozen=True, slots=True)
class Outside:
    """What ran outside the image.

    Attributes:
        moved: Files of the image that ran under another path, by their own path.
        gaps: What ran and is no file of the image, as sentences.
    """

    moved: tuple[MovedAccess, ...]
    gaps: tuple[str, ...]


def find(tree: Tree, profile: ExecutionProfile) -> Outside:
    """Return which of the image's files ran under other names, and what else ran."""
    named = {word for process in profile.processes for word in process.arguments}
    scripts = {process.script for process in profile.processes}
    ran = [one for one in profile.files_outside_image if _is_code(one, named)]
    moved: list[MovedAccess] = []
    unknown: list[FileAccess] = []
    unsure: list[FileAccess] = []
    for access in ran:
        native = access.access in NATIVE and access.path not in scripts
        same = _same(tree, access.path, native=native)
        moved += [_moved(access, path) for path in same]
        if not same:
            unknown.append(access)
        elif not native and _differ(tree, same):
            unsure.append(access)
    found, rest = _beside(tree, moved, unknown)
    return Outside((*moved, *found), tuple(_gaps([*rest, *unsure])))


def with_moved(profile: ExecutionProfile, outside: Outside) -> ExecutionProfile:
    """Return the profile as if what moved had run where the image has it."""
    if not outside.moved:
        return profile
    return replace(profile, files_accessed=(*profile.files_accessed, *outside.moved))


def _is_code(access: FileAccess, named: set[str]) -> bool:
    path = access.path
    if not path.startswith("/") or path.startswith(KERNEL_DIRECTORIES):
        return False
    if access.access in NATIVE:
        return True
    # Of what was read, an unknown name is scratch: locks, sockets, process numbers.
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2] if "." in name else ""
    known = suffix in CODE_SUFFIXES or packages.is_code(path, executable=False)
    code = (known and not path.endswith(NO_CODE)) or path in named or name in named
    return access.access in CODE_ACCESSES and code


def _same(tree: Tree, path: str, *, native: bool) -> list[str]:
    """Return the image's files whose path has the longest end in common.

    A name alone says enough of native code; of scripts, a directory has to agree too.
    """
    source = source_of(path)
    cached = CACHED.fullmatch(source)
    parts = (f"{cached[1]}.py" if cached else source).split("/")[1:]
    best: list[str] = []
    longest = 1 if native else 2
    for one in tree.files_named(parts[-1]):
        if native and not _is_native(tree, one):
            continue
        length = _common(parts, one.split("/")[1:])
        if length > longest:
            best, longest = [], length
        if length == longest:
            best.append(one)
    return best


def _common(parts: Sequence[str], others: Sequence[str]) -> int:
    """Return how many components from the end are the same."""
    count = 0
    for left, right in zip(reversed(parts), reversed(others), strict=False):
        if left != right:
            break
        count += 1
    return count


def _beside(
    tree: Tree, moved: Iterable[MovedAccess], unknown: Sequence[FileAccess]
) -> tuple[list[MovedAccess], list[FileAccess]]:
    """Take what lies beside moved files for what lay beside them in the image."""
    pairs = {_directories(one) for one in moved}
    found: list[MovedAccess] = []
    rest: list[FileAccess] = []
    for access in unknown:
        source = source_of(access.path)
        names = [
            f"{home}{source[len(away) :]}"
            for away, home in pairs
            if source.startswith(f"{away}/")
        ]
        there = [name for name in names if name in tree.entries]
        found += [_moved(access, path) for path in there]
        if not there:
            rest.append(access)
    return found, rest


def _directories(one: MovedAccess) -> tuple[str, str]:
    """Return the directory that moved: where it was seen, and where the image has it."""
    away, home = source_of(one.ran_as).split("/"), one.path.split("/")
    count = _common(away, home)
    count = min(count, len(away) - 2, len(home) - 1)
    return "/".join(away[:-count]), "/".join(home[:-count])


def _is_native(tree: Tree, path: str) -> bool:
    return (tree.read(path) or b"")[:4] == elf.MAGIC


def _differ(tree: Tree, paths: Sequence[str]) -> bool:
    return len({tree.entries[path].size_bytes for path in paths}) > 1


def _moved(access: FileAccess, path: str) -> MovedAccess:
    return MovedAccess(
        path=path,
        access=access.access,
        first_seen_seconds=access.first_seen_seconds,
        process=access.process,
        source=access.source,
        ran_as=access.path,
    )


def _gaps(unknown: Sequence[FileAccess]) -> Iterator[str]:
    native = [one.path for one in unknown if one.access in NATIVE]
    read = [one.path for one in unknown if one.access not in NATIVE]
    for what, paths in (("native code", native), ("code", read)):
        if paths:
            more = f" and {len(paths) - SHOWN_MAX} more" if len(paths) > SHOWN_MAX else ""
            shown = ", ".join(paths[:SHOWN_MAX])
            yield f"{what} ran that is not in the image: {shown}{more}"
