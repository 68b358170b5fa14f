"""Code that a package lists and the image lacks: deleted, or moved to another place?

A proof of absence rests on files. A file that is gone from its place proves nothing when
one of its name lies elsewhere, or when the rest of its package is still there.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules import packages
from vexxy.reachability.wire import elf
from vexxy.sbom.types import Inventory, Package


class Missing:
    """Looks for what packages of one inventory list and one root lacks."""

    def __init__(self, tree: Tree, inventory: Inventory) -> None:
        self._tree: Final = tree
        self._inventory: Final = inventory

    def moved(self, package: Package, files: Iterable[str]) -> str:
        """Return why code of the package may lie elsewhere, empty if nothing says so.

        `files` are its files that are there.
        """
        gone = [path for path in self._gone(package) if packages.is_missed(path)]
        for path in gone:
            elsewhere = next(self._elsewhere(path), None)
            if elsewhere is not None:
                return f"{path} is not there, but {elsewhere} may be it, moved"
        native = [path for path in gone if packages.is_native(path)]
        if not native or package.embedded_in is not None:
            return ""
        if any(files) and not packages.only_describes(files):
            return f"{native[0]} is not there, and other files of it are"
        linked = [path for path in native if path.endswith(packages.LINKED)]
        if linked and len(linked) == len(gone) and self._built:
            return f"{linked[0]} is not there, but may be linked into {self._built[0]}"
        return ""

    def _gone(self, package: Package) -> Iterator[str]:
        yield from package.missing
        yield from (path for path in package.files if self._tree.locate(path) is None)

    def _elsewhere(self, path: str) -> Iterator[str]:
        """Yield files that no package owns and that may be the one that is gone.

        Of native code the name is enough, a library's also without its version or as
        it calls itself; of scripts the directory has to be the same, and of a language's
        package the whole path in it: most have a `tests/__init__.py`.
        """
        name = path.rpartition("/")[2]
        if not packages.is_native(path):
            end = _tail(path)
            for one in self._tree.files_named(name):
                if one not in self._owned and one.endswith(f"/{end}"):
                    yield one
            return
        stem = _stem(name)
        for one, names in self._unowned_names.items():
            if stem in names:
                yield one

    @cached_property
    def _unowned_names(self) -> dict[str, frozenset[str]]:
        """By program, library or archive: what it is called, versions left out.

        Those of the distribution are where it put them; a project owns what was moved
        into it.
        """
        found = {}
        for path in self._tree.entries:
            name = path.rpartition("/")[2]
            native = self._is_program(path) or name.endswith(packages.LINKED)
            if native and path not in self._tree.distributed:
                found[path] = frozenset({_stem(name), _stem(self._soname(path))})
        return found

    @cached_property
    def _built(self) -> tuple[str, ...]:
        """Programs and libraries that no package owns."""
        return tuple(one for one in self._unowned_names if self._is_program(one))

    def _is_program(self, path: str) -> bool:
        return self._tree.executable(path) or ".so" in path.rpartition("/")[2]

    def _soname(self, path: str) -> str:
        if ".so" not in path or self._tree.read_start(path, 4) != elf.MAGIC:
            return ""
        try:
            return elf.read(self._tree.read(path) or b"").soname
        except Unparsable:
            return ""

    @cached_property
    def _owned(self) -> frozenset[str]:
        return owned_files(self._tree, self._inventory.packages)


def owned_files(tree: Tree, owners: Iterable[Package]) -> frozenset[str]:
    """Return the canonical paths of the files that packages list and that exist."""
    found = (tree.locate(path) for one in owners for path in one.files)
    return frozenset(path for path in found if path is not None)


def _tail(path: str) -> str:
    """Return the end of a script's path that says which script it is."""
    for mark in ("-packages/", "/node_modules/"):
        if mark in path:
            return path.rpartition(mark)[2]
    return "/".join(path.split("/")[-2:])


def _stem(name: str) -> str:
    """Return a library's name without its version: `libz.so` for `libz.so.1.2.13`."""
    stem, mark, _ = name.partition(".so")
    return f"{stem}{mark}"
