"""Zip archives that Python imports from or runs: applications, eggs, wheels."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.wire import pyarchive

SUFFIXES: Final = (
    ".pyz", ".pyzw", ".pex", ".egg", ".whl", ".zip", ".par", ".xar", ".shiv",
)  # fmt: skip
# Wheels that `ensurepip` and `virtualenv` install from; they are data until then.
ELSEWHERE: Final = (
    "/usr/share/python-wheels/", "/ensurepip/_bundled/", "/embed/wheels/",
    "/usr/share/doc/",
)  # fmt: skip


class Archives:
    """The archives of one image, by the top-level names of the modules in them."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree

    @property
    def names(self) -> frozenset[str]:
        """Every top-level name in any archive."""
        return frozenset(self._by_name)

    def holding(self, top: str) -> list[str]:
        """Return the archives with a module or package of this name at their top."""
        return self._by_name.get(top, [])

    @cached_property
    def _by_name(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in self._paths():
            content = self._tree.read(path)
            try:
                names = pyarchive.top_level(content or b"")
            except Unparsable:
                # It is said when something leads to the file; names it has none.
                continue
            for name in names:
                found[name].append(path)
        return found

    def _paths(self) -> Iterator[str]:
        for path in self._tree.entries:
            if path.endswith(SUFFIXES) and not any(one in path for one in ELSEWHERE):
                yield path
