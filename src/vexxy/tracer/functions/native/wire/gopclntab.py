"""Go's table of functions, which every Go program carries, stripped or not.

Source: Go, `src/internal/abi/symtab.go`, `src/runtime/symtab.go` (pcHeader, step,
moduledata), `src/runtime/runtime2.go` (_func); for older layouts the same files of the
tags go1.16, go1.18 and go1.20.
"""

import bisect
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from vexxy.tracer.functions.native.errors import Unreadable
from vexxy.tracer.functions.native.wire import elf

MAGICS: Final = {0xFFFFFFFA: 16, 0xFFFFFFF0: 18, 0xFFFFFFF1: 20}
SECTIONS: Final = (".gopclntab", ".data.rel.ro.gopclntab")
# Magic, two zeros, the instruction quantum, the size of a pointer.
BEGINNING: Final = re.compile(
    rb"[\xfa\xf0\xf1]\xff\xff\xff\0\0[\x01\x02\x04]\x08", re.DOTALL
)
NO_DATA: Final = 0xFFFFFFFF
FUNCTIONS_MAX: Final = 2_000_000
STEPS_MAX: Final = 1_000_000
MODULE_TEXT: Final = 22
"""Which word of the module's data is the start of its code, after six slices."""
LANDMARK: Final = "runtime.main"
BUILD_PATH: Final = re.compile(
    rb"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6path\t([^\n]*)\n"
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function as linked: `at` is where the table describes it."""

    entry: int
    end: int
    name_offset: int
    at: int


@dataclass(frozen=True, slots=True)
class Range:
    """Addresses with one value of a table."""

    start: int
    end: int
    value: int


@dataclass(frozen=True)
class Header:
    """Where the parts of the table are."""

    generation: int
    quantum: int
    functions: int
    text: int
    names: int
    units: int
    files: int
    values: int
    data: int


@dataclass(frozen=True)
class Table:
    """The function table of one program; `read` makes it."""

    image: elf.Image
    bytes: bytes
    header: Header
    module: int
    """Address of the module's data, 0 where it was not found."""

    @cached_property
    def functions(self) -> tuple[Function, ...]:
        """Every function, by address."""
        try:
            return tuple(self._functions())
        except struct.error as error:
            raise Unreadable(f"a damaged Go function table: {error}") from error

    @cached_property
    def _entries(self) -> list[int]:
        return [function.entry for function in self.functions]

    def function_at(self, address: int) -> Function | None:
        """Return the function that holds an address, None if none does."""
        place = bisect.bisect_right(self._entries, address) - 1
        if place < 0 or address >= self.functions[place].end:
            return None
        return self.functions[place]

    def name(self, offset: int) -> str:
        """Return the name at an offset of the names, empty where there is none."""
        start = self.header.names + offset
        if not self.header.names <= start < self.header.units:
            return ""
        end = self.bytes.find(b"\0", start, self.header.units)
        return self.bytes[start:end].decode("utf-8", "replace") if end >= 0 else ""

    def field(self, function: Function, number: int) -> int:
        """Return a 32-bit field of a function, counted behind its entry."""
        first = function.at + (8 if self.header.generation == 16 else 4)  # noqa: PLR2004  Go 1.16 writes addresses
        return int(struct.unpack_from("<I", self.bytes, first + 4 * number)[0])

    def values(self, function: Function, table: int) -> Iterator[Range]:
        """Yield the ranges of a table of values (lines, files, inlined calls).

        Raises:
            Unreadable: The table does not end.
        """
        at = self.header.values + table
        address, value = function.entry, -1
        for step in range(STEPS_MAX):
            change, at = self._varint(at)
            if change == 0 and step:
                return
            value += ~(change >> 1) if change & 1 else change >> 1
            length, at = self._varint(at)
            if not length:
                break
            end = address + length * self.header.quantum
            yield Range(address, end, value)
            address = end
            if address >= function.end:
                return
        raise Unreadable("a damaged Go table of values")

    def source_of(self, address: int) -> tuple[str, int] | None:
        """Return the source file and line of an instruction, None if unknown."""
        function = self.function_at(address)
        if function is None:
            return None
        try:
            line = self._value_at(function, self.field(function, 5), address)
            number = self._value_at(function, self.field(function, 4), address)
            unit = self.field(function, 7)
            place = self.header.units + 4 * (unit + number)
            (offset,) = struct.unpack_from("<I", self.bytes, place)
        except (struct.error, Unreadable):
            return None
        start = self.header.files + offset
        end = self.bytes.find(b"\0", start, self.header.values)
        path = self.bytes[start:end].decode("utf-8", "replace") if end > start else ""
        return (path, line) if path and line > 0 else None

    def _value_at(self, function: Function, table: int, address: int) -> int:
        for one in self.values(function, table):
            if one.start <= address < one.end:
                return one.value
        return -1

    def _varint(self, at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            if at >= len(self.bytes) or shift > 63:  # noqa: PLR2004  a 64-bit number
                raise Unreadable("a damaged Go table of values")
            byte = self.bytes[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004  the continuation bit
                return value, at
            shift += 7

    def _functions(self) -> Iterator[Function]:
        header = self.header
        old = header.generation == 16  # noqa: PLR2004  Go 1.16 writes addresses
        form = struct.Struct("<QQ" if old else "<II")
        end = header.data + header.functions * form.size
        rows = list(form.iter_unpack(self.bytes[header.data : end]))
        last = struct.unpack_from("<Q" if old else "<I", self.bytes, end)[0]
        ends = [row[0] for row in rows[1:]] + [last]
        for (entry, place), after in zip(rows, ends, strict=True):
            at = header.data + place
            (name,) = struct.unpack_from("<i", self.bytes, at + (8 if old else 4))
            yield Function(header.text + entry, header.text + after, name, at)


def read(image: elf.Image) -> Table | None:
    """Return the function table of a Go program, None where there is none.

    Raises:
        Unreadable: There is one of a layout that is not known, or a damaged one.
    """
    for address, offset in _places(image):
        block = image.content[offset:]
        header = _header(block)
        if header is None:
            continue
        module = _module(image, address, header)
        text = _text(image, header, module)
        if text is None:
            raise Unreadable("a Go program whose code begins nobody knows where")
        placed = Header(**{**header.__dict__, "text": text})
        table = Table(image, block, placed, module)
        if any(table.name(one.name_offset) == LANDMARK for one in table.functions):
            return table
        raise Unreadable("a Go function table without Go's own functions")
    return None


def main_package(content: bytes) -> str | None:
    """Return the import path of the program itself, None where it was not written."""
    found = BUILD_PATH.search(content)
    return found[1].decode("utf-8", "replace") if found else None


def _places(image: elf.Image) -> Iterator[tuple[int, int]]:
    for name in SECTIONS:
        section = image.section(name)
        if section is not None:
            yield section.address, section.offset
            return
    for found in BEGINNING.finditer(image.content):
        for one in image.segments:
            if one.offset <= found.start() < one.offset + one.size:
                yield one.address + found.start() - one.offset, found.start()


def _header(block: bytes) -> Header | None:
    try:
        magic, zeros, quantum, word = struct.unpack_from("<IHBB", block)
        fields = struct.unpack_from("<8Q", block, 8)
    except struct.error:
        return None
    if magic not in MAGICS or zeros or word != 8 or quantum not in {1, 2, 4}:  # noqa: PLR2004  bytes of a pointer
        return None
    generation = MAGICS[magic]
    text = 0 if generation == 16 else fields[2]  # noqa: PLR2004  Go 1.16 writes addresses
    parts = fields[2:7] if generation == 16 else fields[3:8]  # noqa: PLR2004  see above
    if not fields[0] <= FUNCTIONS_MAX or list(parts) != sorted(parts):
        raise Unreadable("a damaged Go function table: its parts are out of place")
    if parts[-1] + fields[0] * 8 > len(block):
        raise Unreadable("a damaged Go function table: it ends too early")
    return Header(generation, quantum, fields[0], text, *parts)


def _module(image: elf.Image, address: int, header: Header) -> int:
    """Return where the module's data is: it begins with the table's own address."""
    wanted = (address, address + header.names)
    places = [place for place, value in image.relocations.items() if value == address]
    pattern = elf.WORD.pack(address)
    for one in image.segments:
        at = image.content.find(pattern, one.offset, one.offset + one.size)
        while at >= 0:
            places.append(one.address + at - one.offset)
            at = image.content.find(pattern, at + 1, one.offset + one.size)
    for place in places:
        if (image.word(place), image.word(place + 8)) == wanted:
            return place
    return 0


def _text(image: elf.Image, header: Header, module: int) -> int | None:
    if header.generation == 16:  # noqa: PLR2004  Go 1.16 writes addresses
        return 0
    if module:
        return image.word(module + 8 * MODULE_TEXT)
    return header.text or None
