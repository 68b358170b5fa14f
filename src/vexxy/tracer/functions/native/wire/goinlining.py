"""Copies of Go functions inside other Go functions.

Source: Go, `src/runtime/symtabinl.go` (inlinedCall) and `src/internal/abi/symtab.go`
(PCDATA_InlTreeIndex, FUNCDATA_InlTree); of the tags go1.16 and go1.18 for older ones.
"""

import bisect
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire.gopclntab import NO_DATA, Function, Range, Table

INDEX_TABLE: Final = 2
TREE_DATA: Final = 3
CALL_OLD: Final = struct.Struct("<hBxiiii")
CALL_NEW: Final = struct.Struct("<B3xiii")
CALLS_MAX: Final = 1 << 15
SAMPLES: Final = 100
MODULE_WORDS: Final = 64


@dataclass(frozen=True, slots=True)
class Call:
    """An inlined call: whose body, and inside which other inlined call (-1: none)."""

    name_offset: int
    parent: int


@dataclass(frozen=True, slots=True)
class Copy:
    """The addresses in one function that came from another one's body."""

    holder: Function
    ranges: tuple[Range, ...]


@dataclass(frozen=True)
class Inlining:
    """The inlined calls of one program."""

    table: Table

    @cached_property
    def base(self) -> int:
        """Address that the trees are counted from; 0 where they have addresses.

        The module's data holds it in a place that changes with Go's versions. Only one
        of its words makes every tree a tree.

        Raises:
            Unreadable: No word does.
        """
        if self._is_old:
            return 0
        samples = self._samples()
        if not samples:
            return 0
        for number in range(MODULE_WORDS if self.table.module else 0):
            word = self.table.image.word(self.table.module + 8 * number)
            if word and all(self._is_tree(one, ranges, word) for one, ranges in samples):
                return word
        raise Unreadable("the inlined calls of this Go program were not found")

    def copies(self, names: frozenset[int]) -> Iterator[tuple[int, Copy]]:
        """Yield each copy of the functions whose name has one of these offsets."""
        for holder in self._holders(names):
            ranges = self._index(holder)
            calls = self._calls(holder, ranges, self.base)
            for number, call in enumerate(calls):
                if call.name_offset in names:
                    within = _below(calls, number)
                    inside = tuple(one for one in ranges if one.value in within)
                    if inside:
                        yield call.name_offset, Copy(holder, inside)

    @property
    def _is_old(self) -> bool:
        return self.table.header.generation == 16  # noqa: PLR2004  Go 1.16 writes addresses

    @property
    def _call(self) -> struct.Struct:
        return CALL_NEW if self.table.header.generation >= 20 else CALL_OLD  # noqa: PLR2004  Go 1.20

    def _holders(self, names: frozenset[int]) -> Iterable[Function]:
        """Return functions whose tree may name one of these.

        Looking for the bytes of the names' offsets and for the tree around each spares
        decoding every function's table, which takes minutes for a large program.
        """
        trees: dict[int, list[Function]] = {}
        for one in self.table.functions:
            tree = self._tree(one)
            if tree is not None:
                trees.setdefault(tree + self.base, []).append(one)
        starts = sorted(trees)
        if not starts:
            return []
        found: dict[Function, None] = {}
        image = self.table.image
        for segment in image.segments:
            window = (segment.offset, segment.offset + segment.size)
            for name in names:
                pattern = struct.pack("<i", name)
                at = image.content.find(pattern, *window)
                while at >= 0:
                    address = segment.address + at - segment.offset
                    place = bisect.bisect_right(starts, address) - 1
                    if place >= 0:
                        found.update(dict.fromkeys(trees[starts[place]]))
                    at = image.content.find(pattern, at + 1, window[1])
        return found

    def _tree(self, function: Function) -> int | None:
        """Return where a function's tree is, from the base; None if it has none."""
        table = self.table
        values, _, data = self._counts(function)
        if data <= TREE_DATA:
            return None
        at = self._behind(function) + 4 * values
        if self._is_old:
            at = -(-at // 8) * 8
            (raw,) = struct.unpack_from("<Q", table.bytes, at + 8 * TREE_DATA)
            start = self._table_address + at + 8 * TREE_DATA
            relocated = table.image.relocations.get(start)
            return (raw if relocated is None else relocated) or None
        (offset,) = struct.unpack_from("<I", table.bytes, at + 4 * TREE_DATA)
        return None if offset == NO_DATA else int(offset)

    @cached_property
    def _table_address(self) -> int:
        image = self.table.image
        return (image.word(self.table.module) or 0) if self.table.module else 0

    def _counts(self, function: Function) -> tuple[int, int, int]:
        """Return how many tables of values, and how many data, a function has."""
        values = self.table.field(function, 6)
        last = self._behind(function) - 4
        flags = struct.unpack_from("<BBBB", self.table.bytes, last)
        return values, flags[0], flags[3]

    def _behind(self, function: Function) -> int:
        """Return where the fixed part of a function's description ends."""
        entry = 8 if self._is_old else 4
        fields = 10 if self.table.header.generation >= 20 else 9  # noqa: PLR2004  with the start line
        return function.at + entry + 4 * fields

    def _index(self, function: Function) -> list[Range]:
        """Return which inlined call each address belongs to, -1 for none."""
        values, _, _ = self._counts(function)
        if values <= INDEX_TABLE:
            return []
        at = self._behind(function) + 4 * INDEX_TABLE
        (table,) = struct.unpack_from("<I", self.table.bytes, at)
        return list(self.table.values(function, table)) if table else []

    def _calls(self, function: Function, ranges: list[Range], base: int) -> list[Call]:
        """Return a function's inlined calls.

        Raises:
            Unreadable: Something there is none.
        """
        tree = self._tree(function)
        count = max((one.value for one in ranges), default=-1) + 1
        if tree is None or not count:
            return []
        form = self._call
        block = self.table.image.data(tree + base, count * form.size)
        if count > CALLS_MAX or len(block) < count * form.size:
            raise Unreadable("a tree of inlined calls out of place")
        calls = []
        for row in form.iter_unpack(block):
            if form is CALL_OLD:
                call = Call(name_offset=row[4], parent=row[0])
            else:
                call = Call(row[1], _value_at(ranges, function.entry + row[2]))
            if not self._is_call(call, count):
                raise Unreadable("a tree of inlined calls that is none")
            calls.append(call)
        return calls

    def _is_call(self, call: Call, count: int) -> bool:
        header = self.table.header
        start = header.names + call.name_offset
        return (
            header.names <= start < header.units
            and (call.name_offset == 0 or self.table.bytes[start - 1] == 0)
            and self.table.bytes[start] != 0
            and -1 <= call.parent < count
        )

    def _samples(self) -> list[tuple[Function, list[Range]]]:
        found = []
        for one in self.table.functions:
            ranges = [] if self._tree(one) is None else self._index(one)
            if ranges:
                found.append((one, ranges))
                if len(found) == SAMPLES:
                    break
        return found

    def _is_tree(self, function: Function, ranges: list[Range], base: int) -> bool:
        try:
            return bool(self._calls(function, ranges, base))
        except Unreadable:
            return False


def _value_at(ranges: list[Range], address: int) -> int:
    for one in ranges:
        if one.start <= address < one.end:
            return one.value
    return -1


def _below(calls: list[Call], top: int) -> frozenset[int]:
    """Return a call and every call inlined inside it."""
    within = {top}
    grown = True
    while grown:
        more = {n for n, one in enumerate(calls) if one.parent in within} - within
        grown = bool(more)
        within |= more
    return frozenset(within)
