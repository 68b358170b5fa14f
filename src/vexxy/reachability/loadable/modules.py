"""Where Python finds modules in one image.

All matches of all directories are returned, not the first: which directory is searched
first may change from process to process, and a candidate too many is harmless.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.elsewhere import Elsewhere
from vexxy.reachability.loadable.tree import Tree

SITE: Final = re.compile(r".*/(site|dist)-packages")
STANDARD: Final = re.compile(r".*/lib(64)?/(python|pypy)[\d.]+(/lib-dynload)?")
PACKAGE: Final = re.compile(r".*?/(?:site|dist)-packages/[^/]+")
COMPILED: Final = re.compile(r"(.*)/__pycache__/([^/]+?)\.[\w-]+(?:\.opt-\d)?\.pyc")
SUFFIXES: Final = (".py", ".so", ".pyc", ".pyd")
INTERPRETER_FILES: Final = re.compile(r".*/(__pycache__|node_modules)(/.*)?")


class Modules:
    """The modules that a Python of this image could import.

    `loaded` are the files of modules that were in fact loaded; `extra` are further
    directories of the search path (PYTHONPATH, working directory, script directories).
    """

    def __init__(self, tree: Tree, loaded: Iterable[str], extra: Iterable[str]) -> None:
        self._tree: Final = tree
        self._stems: dict[str, Mapping[str, list[str]]] = {}
        self._resolved: dict[str, tuple[str, ...]] = {}
        self._searched: frozenset[str] = frozenset()
        self.archives: list[str] = []
        self.elsewhere: Final = Elsewhere(tree)
        given = [tree.resolve(one) for one in extra]
        seen = [self.search_directory(path) for path in loaded]
        sites = [one for one in tree.directories if STANDARD.fullmatch(one)]
        sites += self._site_directories()
        found = dict.fromkeys([*sites, *seen, *(one for one in given if one)])
        self.directories: Final = (*found, *self._linked(found))
        # Only now is it known where links have to be looked at.
        self._searched = frozenset(self.directories)
        self._stems.clear()

    def find(self, name: str) -> tuple[str, ...]:
        """Return the files that importing the absolute `name` loads, parents included.

        The longest prefix that is a module counts: what follows may be an attribute.
        """
        if name not in self._resolved:
            parts = name.split(".")
            found: list[str] = []
            for directory in (*self.directories, *self.elsewhere.parents(parts[0])):
                found += self._below(directory, parts)
            found += self.elsewhere.archives.holding(parts[0])
            self._resolved[name] = tuple(dict.fromkeys(found))
        return self._resolved[name]

    def run(self, name: str) -> tuple[str, ...]:
        """Return the files that `python -m` of the absolute `name` loads."""
        return (*self.find(name), *self.find(f"{name}.__main__"))

    def any_of(self, top: str) -> tuple[str, ...]:
        """Return what importing some unknown module below `top` can load first.

        A package without an initializer (PEP 420) is all that lies in it; extension
        modules count in any case, for they bring libraries of other packages.
        """
        found = dict.fromkeys(self.find(top))
        for directory in self.directories:
            inner = f"{directory}/{top}"
            if not STANDARD.fullmatch(directory) and self._tree.is_directory(inner):
                bare = "__init__" not in self._stem(inner)
                for path in self.under(inner):
                    if bare or path.endswith((".so", ".pyd")):
                        found[path] = None
        return tuple(found)

    def extend(self, path: str) -> frozenset[str]:
        """Search below the installed package of a file too; return the names found."""
        found = PACKAGE.match(path)
        if found is None or not self._tree.is_directory(found[0]):
            return frozenset()
        names = self.elsewhere.open(found[0]) - self.standard
        for name in [one for one in self._resolved if one.partition(".")[0] in names]:
            del self._resolved[name]
        return names

    @cached_property
    def standard(self) -> frozenset[str]:
        """Top-level names of the standard library."""
        found: set[str] = set()
        for directory in self.directories:
            if STANDARD.fullmatch(directory):
                found |= self._stem(directory).keys()
                found |= {one.rpartition("/")[2] for one in self._tree.children(directory)}
        return frozenset(found)

    def find_relative(self, path: str, level: int, name: str) -> tuple[str, ...]:
        """Return the files that a relative import of `level` dots loads from `path`."""
        directory = path.rpartition("/")[0]
        for _ in range(level - 1):
            directory = directory.rpartition("/")[0]
        own = self._stem(directory).get("__init__", [])
        return (*own, *self._below(directory, name.split(".") if name else []))

    @cached_property
    def third_party(self) -> frozenset[str]:
        """Top-level names outside the standard library."""
        names: set[str] = set(self.elsewhere.names)
        for directory in self.directories:
            if STANDARD.fullmatch(directory):
                continue
            names |= self._stem(directory).keys()
            names |= {
                one.rpartition("/")[2]
                for one in self._tree.children(directory)
                if not INTERPRETER_FILES.fullmatch(one)
            }
            names |= self._tree.links_in(directory).keys()
        return frozenset(names - {"__init__", "__main__"})

    def search_directory(self, path: str) -> str:
        """Return the directory of the search path that a module file came from."""
        directory = source_of(path).rpartition("/")[0]
        while "__init__" in self._stem(directory):
            directory = directory.rpartition("/")[0]
        return directory

    def package_directory(self, path: str) -> str | None:
        """Return the directory of the package that a file is in; None for a lone module."""
        directory = path.rpartition("/")[0]
        if SITE.fullmatch(directory) or STANDARD.fullmatch(directory):
            return None
        return directory

    def under(self, directory: str) -> Iterator[str]:
        """Yield every module file in a directory and below, other packages left out."""
        for path in self._tree.files_under(directory):
            inner = path[len(directory) :]
            foreign = "/node_modules/" in inner or "-packages/" in inner
            if path.endswith(SUFFIXES) and "/__pycache__/" not in path and not foreign:
                yield path

    def _below(self, directory: str, parts: list[str]) -> list[str]:
        found: list[str] = []
        for number, part in enumerate(parts):
            stems = self._stem(directory)
            found += stems.get(part, [])
            inner = f"{directory}/{part}"
            if not self._tree.is_directory(inner):
                inner = self._tree.links_in(directory).get(part, inner)
            directory = inner
            initializer = self._stem(directory).get("__init__", [])
            found += initializer
            last = number == len(parts) - 1
            if not last and not initializer and not self._tree.is_directory(directory):
                break
        return found

    def _stem(self, directory: str) -> Mapping[str, list[str]]:
        """Return the module files of a directory by the name they are imported with."""
        if directory not in self._stems:
            stems: dict[str, list[str]] = {}
            named = [
                (path.rpartition("/")[2], path) for path in self._tree.files_in(directory)
            ]
            if directory in self._searched:
                named += self._tree.links_in(directory).items()
            for name, path in named:
                if name.endswith(SUFFIXES) and path in self._tree.entries:
                    stems.setdefault(name.partition(".")[0], []).append(path)
            self._stems[directory] = stems
        return self._stems[directory]

    def _site_directories(self) -> list[str]:
        found = set()
        for directory in self._tree.directories:
            match = re.match(r"(.*?/(?:site|dist)-packages)(/|$)", directory)
            if match is not None:
                found.add(match[1])
        return sorted(found)

    def _linked(self, directories: Iterable[str]) -> list[str]:
        """Directories that `.pth` files add."""
        found: list[str] = []
        for directory in directories:
            for path in self._tree.files_in(directory):
                if path.endswith(".pth"):
                    text = self._tree.read_text(path) or ""
                    found += self._lines(directory, text)
        return found

    def _lines(self, directory: str, text: str) -> Iterator[str]:
        for line in text.splitlines():
            written = line.strip()
            if not written or written.startswith(("#", "import ", "import\t")):
                continue
            absolute = written if written.startswith("/") else f"{directory}/{written}"
            canonical = self._tree.resolve(absolute)
            if canonical is not None and canonical in self._tree.entries:
                self.archives.append(canonical)
            elif canonical is not None:
                yield canonical


def source_of(path: str) -> str:
    """Return the source that a cached compiled file stands for, else the path itself."""
    found = COMPILED.fullmatch(path)
    return path if found is None else f"{found[1]}/{found[2]}.py"
