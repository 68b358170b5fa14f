"""Directories that native code names by a path which is not absolute.

Such a path is looked up below the working directory, or the code puts the directory of
its own program before it (`%s/../lib/mods/%s`).
"""

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.loadable.tree import Tree

STRING_BYTES_MAX: Final = 1024
FORMAT: Final = re.compile(rb"%[-\d.*l]*[a-z]")
# Where the distribution's programs lie; their neighbors are not one program's own.
SHARED: Final = re.compile(
    r"/?|/(usr|opt|etc|var|lib(32|64|x32)?|s?bin)|/usr/(local/)?(s?bin|lib(32|64|exec)?)"
    r"|/usr/local|/usr/lib/[\w-]+-linux-\w+"
)
LEADING: Final = re.compile(r"^/*(?:\.{1,2}/+)*")
ABOVE: Final = 2


class Relative:
    """Finds such directories in one image."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree

    def named(self, path: str, data: bytes) -> Iterator[str]:
        """Yield the canonical directories that the data of the file at `path` names."""
        bases = self._bases(path)
        beneath = {name.encode() for base in bases for name in self._names_below(base)}
        present = [name for name in beneath if name in data]
        if not present:
            return
        seen = set()
        for string in frozenset(data.split(b"\0")):
            if len(string) > STRING_BYTES_MAX or not any(one in string for one in present):
                continue
            for part in _parts(string):
                seen.add(part)
        yield from self._directories(seen, bases)

    def beneath(self, path: str, data: bytes) -> Iterator[str]:
        """Yield the same where strings have no ends, as in Go's and Rust's data."""
        for base in self._bases(path):
            for name in self._names_below(base):
                mark = name.encode()
                if mark + b"/" in data or b"/" + mark in data:
                    yield f"{base}/{name}"

    def _bases(self, path: str) -> list[str]:
        surroundings = self._tree.surroundings
        working = self._tree.resolve(surroundings.working_directory or "/")
        found = [(working or "").rstrip("/")]
        own = path
        for _ in range(ABOVE):
            own = own.rpartition("/")[0]
            if SHARED.fullmatch(own) is None:
                found.append(own)
        return list(dict.fromkeys(found))

    def _names_below(self, base: str) -> list[str]:
        return [one.rpartition("/")[2] for one in self._tree.children(base)]

    def _directories(self, parts: Iterable[str], bases: Iterable[str]) -> Iterator[str]:
        found = set()
        for part in parts:
            for base in bases:
                canonical = self._tree.resolve(posixpath.normpath(f"{base}/{part}"))
                if canonical and self._tree.is_directory(canonical):
                    below = canonical.startswith(f"{base}/")
                    if below and SHARED.fullmatch(canonical) is None:
                        found.add(canonical)
        yield from sorted(found)


def _parts(string: bytes) -> Iterator[str]:
    """Yield what could be a directory in a string: its fixed parts, and their parents."""
    pieces = FORMAT.split(string)
    for number, piece in enumerate(pieces, start=1):
        text = LEADING.sub("", piece.decode("utf-8", "surrogateescape"))
        if number < len(pieces):
            # `plugins/mod_%s`: what stands before the value is the start of a name.
            yield from {text.rpartition("/")[0], text.rstrip("/")} - {""}
        elif text.strip("/"):
            yield text.rstrip("/")
