"""One Go program: what each function refers to, and what nothing but data refers to."""

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import gocode, gotypes
from vexxy.reachability.wire.gopclntab import normalize
from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire import elf, goinlining, gopclntab

TYPES_MAX: Final = 2_000_000


@dataclass(frozen=True)
class Program:
    """A Go program as linked; `read` makes it. Functions are known by address."""

    module: gotypes.Module

    @cached_property
    def names(self) -> dict[int, str]:
        """The name of every function, as linked."""
        table = self.module.table
        return {one.entry: table.name(one.name_offset) for one in table.functions}

    @cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Functions by their normalized name and those around them."""
        found = defaultdict(list)
        for entry, raw in self.names.items():
            for name in _around(normalize(raw)):
                found[name].append(entry)
        return found

    @cached_property
    def references(self) -> dict[int, frozenset[int]]:
        """What each function's code refers to: functions, cells, itabs and types."""
        found: dict[int, set[int]] = defaultdict(set)
        functions = self.module.table.functions
        number = 0
        span = (functions[0].entry, functions[-1].end)
        for site, target in gocode.references(self.module.image, *span, self._wanted):
            while site >= functions[number].end:
                number += 1
            found[functions[number].entry].add(target)
        return {entry: frozenset(targets) for entry, targets in found.items()}

    @cached_property
    def cells(self) -> dict[int, int]:
        """Pointers to functions in the data, by their own address: function values."""
        slots = {
            one
            for itab in self.module.itabs.values()
            for one in range(itab.start + gotypes.ITAB_HEAD, itab.end, 8)
        }
        entries = self.module.entries
        return {
            address: value
            for address, value in self._words
            if value in entries and address not in slots
        }

    @cached_property
    def itab_at(self) -> dict[int, gotypes.Itab]:
        """Interface tables by every word of theirs."""
        return {
            address: itab
            for itab in self.module.itabs.values()
            for address in range(itab.start, itab.end + 1, 8)
            if address < itab.end or address == itab.start
        }

    @cached_property
    def types(self) -> dict[int, gotypes.Type]:
        """Every type that was found, by address.

        Raises:
            Unparsable: One that another one names is none.
        """
        found: dict[int, gotypes.Type] = {}
        sure = [one.type for one in self.module.itabs.values()]
        sure += self.module.pointers.values()
        for targets in self.references.values():
            for one in targets:
                if self.module.is_type_place(one) and one not in found:
                    parsed = self.module.type_at(one)
                    if parsed is not None:
                        found[one] = parsed
                        sure += (*parsed.contained, *parsed.signature)
        while sure:
            one = sure.pop()
            if one not in found:
                parsed = self.module.type_at(one)
                if parsed is None:
                    raise Unparsable("a Go type that names what is none")
                found[one] = parsed
                sure += (*parsed.contained, *parsed.signature)
        return found

    @cached_property
    def from_data(self) -> tuple[frozenset[int], frozenset[int]]:
        """Functions, and types and itabs, that data outside types and itabs names."""
        known = {place for one in self.types.values() for place in one.places}
        for itab in self.module.itabs.values():
            known |= {itab.start, itab.start + 8}
        functions, described = set(), set()
        itabs, cells = self.module.itabs, self.cells
        for address, value in self._words:
            if value in cells and address not in known:
                functions.add(cells[value])
            elif (value in itabs and not self._is_listed(address)) or (
                value in self.types and address not in known
            ):
                described.add(value)
        named = {target for targets in self.references.values() for target in targets}
        named |= {value for one in self.types.values() for value in one.values}
        functions |= {entry for cell, entry in cells.items() if cell not in named}
        return frozenset(functions), frozenset(described)

    @cached_property
    def from_outside(self) -> frozenset[int]:
        """What code that is not Go's (C, where it is linked) refers to."""
        functions = self.module.table.functions
        found = set()
        for one in self.module.image.segments:
            if not one.executable:
                continue
            end = one.address + one.size
            for start, stop in (
                (one.address, min(functions[0].entry, end)),
                (max(functions[-1].end, one.address), end),
            ):
                found |= {
                    target
                    for _, target in gocode.references(
                        self.module.image, start, stop, self._wanted
                    )
                }
        return frozenset(found)

    @cached_property
    def inlining(self) -> goinlining.Inlining:
        """Copies of functions inside others."""
        return goinlining.Inlining(self.module.table)

    @cached_property
    def name_offsets(self) -> dict[str, set[int]]:
        """Offsets of names, also those of functions that are only copied into others."""
        table = self.module.table
        header = table.header
        found = defaultdict(set)
        at = header.names
        for raw in table.bytes[header.names : header.units].split(b"\0"):
            if raw:
                for name in _around(normalize(raw.decode("utf-8", "replace"))):
                    found[name].add(at - header.names)
            at += len(raw) + 1
        return found

    @cached_property
    def _wanted(self) -> gocode.Wanted:
        places = frozenset(self.cells) | frozenset(self.itab_at)
        return gocode.Wanted(self.module.entries, places, self.module.types)

    @cached_property
    def _words(self) -> list[tuple[int, int]]:
        """Words of the loaded data that are addresses of this program's own."""
        image = self.module.image
        low = min(one.address for one in image.segments) or 1
        high = max(one.address + one.size for one in image.segments)
        found = dict(image.relocations)
        for one in image.segments:
            if not one.executable:
                block = image.content[one.offset : one.offset + one.size // 8 * 8]
                words = struct.unpack(f"<{len(block) // 8}Q", block)
                found.update(
                    (one.address + 8 * number, word)
                    for number, word in enumerate(words)
                    if low <= word < high
                )
        return list(found.items())

    def _is_listed(self, address: int) -> bool:
        """Return whether a place belongs to the list of all interface tables."""
        start, count = self.module.listed
        return start <= address < start + 8 * count


def read(content: bytes) -> Program | None:
    """Return the program, None where the file is no Go program.

    Raises:
        Unparsable: It is one of a version, machine or layout that is not read.
    """
    try:
        image = elf.read(content)
        table = gopclntab.read(image)
    except Unreadable as error:
        raise Unparsable(str(error)) from error
    if table is None:
        return None
    if image.machine != elf.X86_64:
        raise Unparsable("a Go program of another machine than x86-64")
    return Program(gotypes.read(table))


def _around(name: str) -> Iterator[str]:
    """Yield a name and those it is inside of, down to the package's."""
    start = name.rfind("/") + 1
    while True:
        yield name
        end = name.rfind(".", start)
        if end <= start:
            return
        name = name[:end]
