"""Python modules that lie outside of every directory that is known to be searched.

`sys.path` can be extended on any route, by any expression; so a module anywhere counts
for code that imports its name. Only where nothing imports it does it stay closed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.archives import Archives
from vexxy.reachability.loadable.tree import Tree

PACKAGES: Final = re.compile(r".*/(?:site|dist)-packages(/|$)")
STANDARD: Final = re.compile(r".*/lib(?:64)?/(?:python|pypy)[\d.]+(/|$)")
NO_MODULES: Final = re.compile(
    r".*/(?:__pycache__|node_modules)(?:/|$)|/usr/share/(?:doc|man)/"
    r"|/usr/lib(?:64)?/[\w-]+-linux-[\w-]+/(?!.*python)"
)
# Programs of the distribution; the names of what lies there are common words.
SYSTEM: Final = ("/usr/", "/etc/", "/var/lib/", "/bin/", "/sbin/", "/lib/")
SUFFIXES: Final = (".py", ".pyc", ".pyd")
EXTENSION: Final = ".so"
VENDORED: Final = re.compile(r"vendor|third|extern|lib|packages|deps|bundle")
DESCRIPTIONS: Final = (".dist-info", ".egg-info")


class Elsewhere:
    """Where in one image a top-level name could be found if its directory were searched."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self.archives: Final = Archives(tree)
        self._opened: dict[str, Mapping[str, list[str]]] = {}

    def parents(self, top: str) -> list[str]:
        """Return the directories outside the search path that hold a module `top`."""
        found = list(self._parents.get(top, ()))
        for inside in self._opened.values():
            found += inside.get(top, ())
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Names to look for in words: those of archives and outside the distribution."""
        own = {
            name
            for name, parents in self._parents.items()
            if any(self._is_own(parent) for parent in parents)
        }
        return frozenset(own | self.archives.names)

    def open(self, package: str) -> frozenset[str]:
        """Search below an installed package too, which extends the path; new names."""
        if package in self._opened:
            return frozenset()
        inside: dict[str, list[str]] = defaultdict(list)
        for directory in self._below(package):
            if self._is_searchable(directory):
                for name in self._names(directory):
                    inside[name].append(directory)
        self._opened[package] = inside
        return frozenset(inside)

    def _is_searchable(self, directory: str) -> bool:
        """Whether a directory inside a package may be meant for the search path."""
        return (
            not self._is_package(directory)
            or VENDORED.search(directory.rpartition("/")[2]) is not None
            or any(one.endswith(DESCRIPTIONS) for one in self._tree.children(directory))
        )

    def _is_own(self, parent: str) -> bool:
        if not f"{parent}/".startswith(SYSTEM):
            return parent.count("/") > 0
        return any(one.endswith(DESCRIPTIONS) for one in self._tree.children(parent))

    @cached_property
    def _parents(self) -> Mapping[str, list[str]]:
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for directory, names in self._modules(self._outside()):
            if "__init__" not in names:
                for name in names:
                    found[name][directory] = None
            self._climb(directory, found)
        return {name: list(parents) for name, parents in found.items()}

    def _climb(self, directory: str, found: dict[str, dict[str, None]]) -> None:
        """Note a directory, and those above it, as packages of their parents."""
        while directory:
            parent, _, name = directory.rpartition("/")
            if parent in found[name]:
                return
            if not self._is_package(parent):
                found[name][parent] = None
            directory = parent

    def _is_package(self, directory: str) -> bool:
        return any(f"{directory}/__init__{one}" in self._tree.entries for one in SUFFIXES)

    def _outside(self) -> Iterator[str]:
        for directory in self._tree.directories:
            known = PACKAGES.match(directory) or STANDARD.match(directory)
            if not known and not NO_MODULES.match(directory):
                yield directory

    def _below(self, package: str) -> Iterator[str]:
        pending = [package]
        while pending:
            directory = pending.pop()
            yield directory
            pending += self._tree.children(directory)

    def _modules(self, directories: Iterable[str]) -> Iterator[tuple[str, set[str]]]:
        for directory in directories:
            names = self._files(directory)
            if names:
                yield directory, names

    def _names(self, directory: str) -> set[str]:
        children = self._tree.children(directory)
        return self._files(directory) | {one.rpartition("/")[2] for one in children}

    def _files(self, directory: str) -> set[str]:
        names = set()
        for path in self._tree.files_in(directory):
            name = path.rpartition("/")[2]
            extension = name.endswith(EXTENSION) and not name.startswith("lib")
            if extension or name.endswith(SUFFIXES):
                names.add(name.partition(".")[0])
        return names
