"""One Go program: what each function refers to, and what nothing but data refers to."""

import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import gocode, goflow, gotypes
from vexxy.reachability.wire.gopclntab import normalize
from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire import elf, goinlining, gopclntab

# Called in the middle of anything, with nothing kept aside.
KEEPING: Final = ("runtime.gcWriteBarrier", "runtime.duff")


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
        for entry, own in self.plain.items():
            for name in _around(own):
                found[name].append(entry)
        return found

    @cached_property
    def plain(self) -> dict[int, str]:
        """The normalized name of every function."""
        return {entry: normalize(raw) for entry, raw in self.names.items()}

    @cached_property
    def references(self) -> dict[int, frozenset[int]]:
        """What each function's code refers to: functions, cells, itabs and types."""
        found: dict[int, set[int]] = defaultdict(set)
        for entry, _, target in self._sites:
            found[entry].add(target)
        return {entry: frozenset(targets) for entry, targets in found.items()}

    @cached_property
    def _sites(self) -> list[tuple[int, int, int]]:
        """Each reference: the function, the place in its code, what is referred to."""
        found = []
        functions = self.module.table.functions
        number = 0
        span = (functions[0].entry, functions[-1].end)
        for site, target in gocode.references(self.module.image, span, self._wanted):
            while site >= functions[number].end:
                number += 1
            found.append((functions[number].entry, site, target))
        return found

    @cached_property
    def tested(self) -> dict[int, frozenset[int]]:
        """Types that a function may only compare with, as addresses it refers to."""
        found: dict[int, set[int]] = defaultdict(set)
        for entry, site, target in self._sites:
            place = self.described(target)
            if place and gocode.is_compared(self.module.image, site):
                found[entry].add(place)
        return {entry: frozenset(targets) for entry, targets in found.items()}

    def described(self, target: int) -> int:
        """Return the type that an address describes or has the methods of, or 0."""
        itab = self.itab_at.get(target)
        if itab is not None:
            return itab.type
        return target if target in self.types else 0

    def is_made(self, described: int) -> bool:
        """Return whether only code that names a type makes it: a named one, or to one."""
        found = self.types[described]
        inner = self.types.get(found.contained[0]) if found.is_pointer else found
        return inner is not None and inner.is_named

    @cached_property
    def asked(self) -> frozenset[gotypes.Method]:
        """The methods that any interface asks for."""
        return frozenset(each for one in self.types.values() for each in one.asked or ())

    def slots(self, method: str) -> frozenset[int]:
        """Return where interface tables hold a method of a name, of any interface."""
        return frozenset(
            gotypes.ITAB_HEAD + 8 * number
            for one in self.types.values()
            for number, (name, _) in enumerate(one.asked or ())
            if name == method
        )

    def calls_method(self, entry: int, slots: frozenset[int]) -> bool:
        """Return whether a function may call a method at one of the places in tables."""
        one = self.module.table.function_at(entry)
        if one is None:
            return True
        code = self.module.image.data(entry, one.end - entry)
        present = [slot for slot in slots if gocode.offset_bytes(slot) in code]
        if not present:
            return False
        function = self.decoded(entry)
        return function is None or any(goflow.calls_slot(function, one) for one in present)

    def used(self, entry: int, alive: Callable[[int], bool]) -> goflow.Used | None:
        """Return what of a function can run where only some types have values.

        None where its code was not understood. `alive` tells of a type.
        """
        function = self.decoded(entry)
        if function is None or function.has_table:
            return None
        return function.used(
            self._places, lambda place: alive(self.described(place)), self.effect_of_call
        )

    def effect_of_call(self, target: int, register: str) -> str:
        """Return what a call does with a register; see `goflow.Calls`."""
        if target in self.keeping:
            return ""
        if (target, register) not in self._arguments:
            function = self.decoded(target) if target in self.module.entries else None
            self._arguments[target, register] = function is None or goflow.is_argument(
                function, register, self.keeping
            )
        return "use" if self._arguments[target, register] else "write"

    def decoded(self, entry: int) -> goflow.Function | None:
        """Return the instructions of a function, None where they are not all understood."""
        if entry not in self._functions:
            one = self.module.table.function_at(entry)
            end = one.end if one is not None else entry
            self._functions[entry] = goflow.decode(self.module.image, entry, end)
        return self._functions[entry]

    @cached_property
    def _functions(self) -> dict[int, goflow.Function | None]:
        return {}

    @cached_property
    def _arguments(self) -> dict[tuple[int, str], bool]:
        return {}

    @cached_property
    def keeping(self) -> frozenset[int]:
        """Functions that leave every register as it is."""
        return frozenset(
            entry for entry, name in self.names.items() if name.startswith(KEEPING)
        )

    @cached_property
    def _places(self) -> frozenset[int]:
        return frozenset(self.itab_at) | frozenset(self.types)

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
        itabs = self.module.itabs.values()
        sure = [place for one in itabs for place in (one.type, one.interface)]
        found: dict[int, gotypes.Type] = {}
        self._take_types([*sure, *self.module.pointers.values()], found, is_sure=True)
        likely = {target for targets in self.references.values() for target in targets}
        likely.update(value for _, value in self._words)
        # Strings lie among the types, so an address there need not be a type's.
        places = [one for one in likely if self.module.is_type_place(one)]
        self._take_types(places, found, is_sure=False)
        return found

    def _take_types(
        self, places: list[int], found: dict[int, gotypes.Type], *, is_sure: bool
    ) -> None:
        while places:
            one = places.pop()
            if one in found:
                continue
            try:
                parsed = self.module.type_at(one)
            except Unparsable:
                parsed = None
            if parsed is not None:
                found[one] = parsed
                places += (*parsed.contained, *parsed.signature)
            elif is_sure:
                raise Unparsable("a Go type that names what is none")

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
            before = (one.address, min(functions[0].entry, end))
            after = (max(functions[-1].end, one.address), end)
            for span in (before, after):
                sites = gocode.references(self.module.image, span, self._wanted)
                found |= {target for _, target in sites}
                found.update(gocode.absolutes(self.module.image, span, self.module.entries))
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
        for row in image.rows:
            # What the loader does is known already, and its table names no place itself.
            if row.kind == elf.SHT_RELA and row.address:
                for place in range(row.address, row.address + row.size, 8):
                    found.pop(place, None)
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
