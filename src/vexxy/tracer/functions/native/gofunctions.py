"""Where a Go program's functions can be watched: entries, inlined copies, closures."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.types import Place, PlaceKind, Watchable
from vexxy.tracer.functions.native.wire import elf, flow, goinlining, gopclntab

CODE_BYTES: Final = 8
PLACES_MAX: Final = 4096
DOT: Final = re.compile(r"%([0-9a-fA-F]{2})")
ARGUMENTS: Final = re.compile(r"\[[^\[\]]*\]")
RECEIVER: Final = re.compile(r"\(\*?([^()]*)\)")
WITHOUT_PATH: Final = "command-line-arguments"
"""What a program is called that was built from files instead of a package."""
RENAMED: Final = "the program does not say how it was built; its names may be changed"
CLOSURE: Final = re.compile(r"\.(?:func|gowrap|deferwrap)\d[\w.]*$")


def normalize(name: str) -> str:
    """Return `path/pkg.T.M` for `path/pkg.(*T[...]).M-fm`, as advisories write it."""
    name = DOT.sub(lambda found: chr(int(found[1], 16)), name)
    while (shorter := ARGUMENTS.sub("", name)) != name:
        name = shorter
    return RECEIVER.sub(r"\1", name).removesuffix("-fm")


class GoFunctions:
    """The functions of one Go program by their normalized names."""

    def __init__(self, table: gopclntab.Table) -> None:
        self._table = table
        self._image = table.image
        self._inlining = goinlining.Inlining(table)
        self._entries: dict[str, list[gopclntab.Function]] = {}
        self._closures: dict[str, list[tuple[str, gopclntab.Function]]] = {}
        for one in table.functions:
            name = normalize(table.name(one.name_offset))
            self._entries.setdefault(name, []).append(one)
            made_by = CLOSURE.sub("", name)
            if made_by != name:
                self._closures.setdefault(made_by, []).append((name, one))
        self._main = gopclntab.main_package(table.image.content)

    def watch(self, names: Iterable[str]) -> dict[str, Watchable]:
        """Return where each function can be watched, by the name that was given.

        A name with no code in the program is `absent`.
        """
        candidates = {name: (normalize(name), self._in_main(name)) for name in names}
        possible = {own for both in candidates.values() for own in both if own}
        offsets = self._offsets(possible)
        there = set(offsets.values())
        wanted = {
            name: in_main if in_main in there and own not in there else own
            for name, (own, in_main) in candidates.items()
        }
        copies, obstacle = self._copies(offsets)
        return {
            name: self._watchable(
                name, own, (copies.get(own, []), obstacle.get("") or obstacle.get(own, ""))
            )
            for name, own in wanted.items()
        }

    def _in_main(self, name: str) -> str:
        """Return the name where it is of the program's own package, which is `main`."""
        package, _, rest = normalize(name).rpartition("/")
        first, _, function = rest.partition(".")
        path = f"{package}/{first}" if package else first
        is_main = self._main in {None, path, WITHOUT_PATH}
        return f"main.{function}" if function and is_main else ""

    def _offsets(self, names: Collection[str]) -> dict[int, str]:
        """Return the names wanted by their offsets in the table; inlined ones too."""
        header = self._table.header
        block = self._table.bytes[header.names : header.units]
        found, at = {}, 0
        for raw in block.split(b"\0"):
            name = normalize(raw.decode("utf-8", "replace")) if raw else ""
            if name in names:
                found[at] = name
            at += len(raw) + 1
        return found

    def _copies(
        self, offsets: dict[int, str]
    ) -> tuple[dict[str, list[Place]], dict[str, str]]:
        """Return the inlined copies by name, and why some may be missing."""
        found: dict[str, list[Place]] = {}
        obstacle: dict[str, str] = {}
        try:
            for offset, copy in self._inlining.copies(frozenset(offsets)):
                name = offsets[offset]
                try:
                    found.setdefault(name, []).extend(self._ways_into(copy))
                except Unreadable as error:
                    holder = self._table.name(copy.holder.name_offset)
                    obstacle[name] = f"its copy in {holder}: {error.message}"
        except Unreadable as error:
            obstacle[""] = error.message
        return found, obstacle

    def _ways_into(self, copy: goinlining.Copy) -> Iterator[Place]:
        holder = copy.holder
        code = self._image.data(holder.entry, holder.end - holder.entry)
        part = [(one.start, one.end) for one in copy.ranges]
        name = self._table.name(holder.name_offset)
        for address in flow.ways_in([(holder.entry, code)], self._image.machine, part):
            yield from self._place(PlaceKind.INLINED, address, name)

    def _watchable(
        self, name: str, own: str, inlined: tuple[list[Place], str]
    ) -> Watchable:
        copies, obstacle = inlined
        places = [
            place
            for one in self._entries.get(own, [])
            for place in self._place(PlaceKind.ENTRY, one.entry)
        ]
        places += copies
        if not places and not obstacle and self._main is None:
            obstacle = RENAMED  # obfuscators take the build information away too
        is_absent = not places and not obstacle
        for closure, one in self._closures.get(own, []):
            places += self._place(PlaceKind.CLOSURE, one.entry, closure)
        if is_absent and places:
            obstacle = "only functions that it makes were found"
        if len(places) > PLACES_MAX:
            return Watchable(name, obstacle=f"it has {len(places)} places, too many")
        return Watchable(name, tuple(places), obstacle, absent=is_absent and not places)

    def _place(self, kind: PlaceKind, address: int, holder: str = "") -> Iterator[Place]:
        offset = self._image.offset_of(address)
        if offset is not None and self._image.is_code(address):
            yield Place(
                kind, offset, holder, self._image.content[offset : offset + CODE_BYTES]
            )

    def describe(self, offset: int) -> str:
        """Return `file:line function` of an instruction at an offset, empty if unknown."""
        address = self._image.address_of(offset)
        function = None if address is None else self._table.function_at(address)
        if address is None or function is None:
            return ""
        name = self._table.name(function.name_offset)
        source = self._table.source_of(address)
        return f"{source[0]}:{source[1]} {name}" if source else name


def read(image: elf.Image) -> GoFunctions | None:
    """Return the functions of a Go program, None where it is none.

    Raises:
        Unreadable: It is one whose function table cannot be read.
    """
    table = gopclntab.read(image)
    return None if table is None else GoFunctions(table)
