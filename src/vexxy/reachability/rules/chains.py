"""Chains of references, and what an unfollowed language covers."""

from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.types import Loadable, Reference, Unfollowed
from vexxy.sbom.types import Package

LENGTH_MAX: Final = 50
# Examples in documentation are no code that anything loads.
DOCUMENTATION: Final = ("/usr/share/doc/", "/usr/share/man/")


def chain(loadable: Loadable, path: str) -> tuple[Reference, ...]:
    """Return the references that lead to `path`, first cause first; empty if none do."""
    found: list[Reference] = []
    current = path
    while current in loadable.references and len(found) < LENGTH_MAX:
        reference = loadable.references[current]
        found.append(reference)
        current = reference.via
    return tuple(reversed(found))


def chains(
    loadable: Loadable, paths: Iterable[str], *, limit: int
) -> tuple[tuple[tuple[Reference, ...], ...], int]:
    """Return the shortest chains to any of the paths, and how many paths have one."""
    found = [chain(loadable, path) for path in paths if path in loadable.references]
    found.sort(key=lambda one: (len(one), one[-1].path))
    return tuple(found[:limit]), len(found)


def covers(unfollowed: Unfollowed, path: str) -> bool:
    """Return whether the unfollowed language may load the file at `path`."""
    if path.startswith(DOCUMENTATION):
        return False
    if path.endswith(unfollowed.suffixes):
        return True
    # By the few directories above a file, not by the thousands of a language.
    return any(one in unfollowed.directories for one in above(path))


def above(path: str) -> Iterator[str]:
    """Yield every directory above an absolute path, nearest first, without `/`."""
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def covering(
    loadable: Loadable, package: Package, paths: Iterable[str]
) -> tuple[Unfollowed, ...]:
    """Return the unfollowed languages that may load the package."""
    files = tuple(paths)
    return tuple(
        one
        for one in loadable.unfollowed
        if package.type in one.types or any(covers(one, path) for path in files)
    )
