"""Code that an application hands to browsers: files below a directory that it serves."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.loadable.tree import Lead, Tree

SUFFIXES: Final = (".js", ".mjs", ".cjs", ".wasm")
# Frameworks serve these without being told.
USUAL: Final = frozenset(
    {
        "static", "staticfiles", "public", "www", "wwwroot", "htdocs", "html", "assets",
        "dist", "webroot", "frontend", "client", "media", "js",
    }
)  # fmt: skip
RELATIVE: Final = re.compile(r"\.{0,2}/?\w[\w./-]{0,80}")
DEPTH: Final = 8


class Served:
    """What the applications of one image can serve."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self._done: set[str] = set()

    def leads(self, path: str, literals: Iterable[str]) -> Iterator[Lead]:
        """Yield browser code in usual directories beside the file, and in named ones."""
        own = path.rpartition("/")[0]
        bases = dict.fromkeys((own, own.rpartition("/")[0], self._working))
        names = {one.strip("./") for one in literals if RELATIVE.fullmatch(one)} | USUAL
        for base in bases:
            for name in names - {""}:
                yield from self._below(f"{base}/{name}")

    def _below(self, directory: str) -> Iterator[Lead]:
        if directory in self._done or not self._tree.is_directory(directory):
            return
        self._done.add(directory)
        for path in self._tree.files_under(directory, depth=DEPTH):
            if path.endswith(SUFFIXES):
                yield Lead(path, "may serve to browsers", "configuration")

    @property
    def _working(self) -> str:
        return self._tree.surroundings.working_directory.rstrip("/")
