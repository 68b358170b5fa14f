"""An ELF file as a loaded program has it: addresses, symbols, relative relocations.

Source: System V ABI, "ELF" (object files, symbol table, relocation). Only 64-bit
little-endian files of x86-64 and AArch64 are read, the machines the agent runs on.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from vexxy.tracer.functions.native.errors import Unreadable

MAGIC: Final = b"\x7fELF\x02\x01"
X86_64: Final = 62
AARCH64: Final = 183
MACHINES: Final = {X86_64, AARCH64}
RELATIVE: Final = {X86_64: 8, AARCH64: 1027}
PT_LOAD: Final = 1
PF_X: Final = 1
SHT_SYMTAB: Final = 2
SHT_RELA: Final = 4
SHT_NOBITS: Final = 8
SHT_DYNSYM: Final = 11
SHF_COMPRESSED: Final = 0x800
STT_FUNC: Final = 2
STT_GNU_IFUNC: Final = 10
HEADER: Final = struct.Struct("<HHIQQQIHHHHHH")
PROGRAM_HEADER: Final = struct.Struct("<IIQQQQQQ")
SECTION_HEADER: Final = struct.Struct("<IIQQQQIIQQ")
SYMBOL: Final = struct.Struct("<IBBHQQ")
RELA: Final = struct.Struct("<QQq")
WORD: Final = struct.Struct("<Q")
TABLE_ROWS_MAX: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes of the file that are loaded."""

    address: int
    offset: int
    size: int
    executable: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the section table."""

    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function that the file defines.

    Attributes:
        is_resolver: Called once by the dynamic linker to choose the function itself.
    """

    name: str
    address: int
    size: int
    is_resolver: bool


@dataclass(frozen=True)
class Image:
    """One file; `read` makes it."""

    content: bytes = field(repr=False)
    machine: int
    segments: tuple[Segment, ...]
    rows: tuple[Section, ...]
    names: tuple[str, ...]

    def offset_of(self, address: int) -> int | None:
        """Return where the byte at an address lies in the file, None if nowhere."""
        for one in self.segments:
            if one.address <= address < one.address + one.size:
                return one.offset + address - one.address
        return None

    def address_of(self, offset: int) -> int | None:
        """Return the address of executable code at an offset, None if it is none."""
        for one in self.segments:
            if one.executable and one.offset <= offset < one.offset + one.size:
                return one.address + offset - one.offset
        return None

    def is_code(self, address: int) -> bool:
        """Return whether an address is executable."""
        return any(
            one.executable and one.address <= address < one.address + one.size
            for one in self.segments
        )

    def data(self, address: int, size: int) -> bytes:
        """Return the bytes at an address; fewer, or none, where they are not there."""
        offset = self.offset_of(address)
        return b"" if offset is None or size < 0 else self.content[offset : offset + size]

    def word(self, address: int) -> int | None:
        """Return the pointer at an address as the loader leaves it, None if unmapped."""
        relocated = self.relocations.get(address)
        if relocated is not None:
            return relocated
        found = self.data(address, WORD.size)
        return int(WORD.unpack(found)[0]) if len(found) == WORD.size else None

    def unpacked_size(self, section: Section) -> int:
        """Return how many bytes a section has once it is decompressed."""
        if not section.flags & SHF_COMPRESSED:
            return section.size
        return int(WORD.unpack_from(self.content, section.offset + WORD.size)[0])

    def section(self, name: str) -> Section | None:
        """Return the section of that name, None if there is none."""
        return next(
            (row for row, own in zip(self.rows, self.names, strict=True) if own == name),
            None,
        )

    @cached_property
    def relocations(self) -> dict[int, int]:
        """Pointers that the loader fills in with an address of the file itself."""
        return {
            place: addend
            for row in self.rows
            if row.kind == SHT_RELA
            for place, info, addend in self._rows(row, RELA)
            if info & 0xFFFFFFFF == RELATIVE[self.machine]
        }

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """Functions defined here, of both symbol tables."""
        return tuple(
            symbol
            for row in self.rows
            if row.kind in {SHT_SYMTAB, SHT_DYNSYM}
            for symbol in self._symbols(row)
        )

    def _symbols(self, table: Section) -> Iterator[Symbol]:
        if table.link >= len(self.rows):
            return
        strings = self.rows[table.link]
        text = self.content[strings.offset : strings.offset + strings.size]
        for name, info, _, section, address, size in self._rows(table, SYMBOL):
            kind = info & 15
            if kind not in {STT_FUNC, STT_GNU_IFUNC} or not section or name >= len(text):
                continue
            end = text.find(b"\0", name)
            word = text[name:end].decode("utf-8", "replace") if end > name else ""
            if word:
                yield Symbol(word, address, size, kind == STT_GNU_IFUNC)

    def _rows(self, table: Section, form: struct.Struct) -> Iterator[tuple[int, ...]]:
        block = self.content[table.offset : table.offset + table.size]
        count = min(len(block) // form.size, TABLE_ROWS_MAX)
        return form.iter_unpack(block[: count * form.size])


def read(content: bytes) -> Image:
    """Return the file.

    Raises:
        Unreadable: It is no ELF file of a machine that is read, or a damaged one.
    """
    if content[:6] != MAGIC:
        raise Unreadable("not a 64-bit little-endian ELF file")
    try:
        fields = HEADER.unpack_from(content, 16)
        machine = fields[1]
        if machine not in MACHINES:
            raise Unreadable(f"an ELF file of another machine ({machine})")
        segments = tuple(_segments(content, (fields[4], fields[8], fields[9])))
        rows = [
            SECTION_HEADER.unpack_from(content, fields[5] + number * fields[10])
            for number in range(fields[11] if fields[5] else 0)
        ]
    except struct.error as error:
        raise Unreadable(f"a damaged ELF file: {error}") from error
    return Image(
        content=content,
        machine=machine,
        segments=segments,
        rows=tuple(Section(*row[1:7]) for row in rows),
        names=tuple(_section_names(content, rows, fields[12])),
    )


def _segments(content: bytes, table: tuple[int, int, int]) -> Iterator[Segment]:
    start, size, count = table
    for number in range(count):
        kind, flags, offset, address, _, length, _, _ = PROGRAM_HEADER.unpack_from(
            content, start + number * size
        )
        if kind == PT_LOAD:
            yield Segment(address, offset, length, bool(flags & PF_X))


def _section_names(
    content: bytes, rows: list[tuple[int, ...]], strings: int
) -> Iterator[str]:
    start = rows[strings][4] if strings < len(rows) else 0
    for row in rows:
        at = start + row[0]
        end = content.find(b"\0", at, at + 256)
        yield content[at:end].decode("utf-8", "replace") if start and end > at else ""
