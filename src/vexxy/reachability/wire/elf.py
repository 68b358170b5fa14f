"""What an ELF file asks of the dynamic linker, and the strings it carries.

Source: System V ABI, "ELF" and "Dynamic Linking"; section headers are not needed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.errors import Unparsable

MAGIC: Final = b"\x7fELF"
PT_LOAD: Final = 1
PT_DYNAMIC: Final = 2
PT_INTERP: Final = 3
PT_NOTE: Final = 4
PF_X: Final = 1
DT_NEEDED: Final = 1
DT_STRTAB: Final = 5
DT_SYMTAB: Final = 6
DT_STRSZ: Final = 10
DT_SONAME: Final = 14
DT_RPATH: Final = 15
DT_RUNPATH: Final = 29
# Tables that may follow the symbol table: DT_HASH, DT_STRTAB, DT_RELA, DT_REL,
# DT_JMPREL, DT_GNU_HASH, DT_VERSYM, DT_VERDEF, DT_VERNEED.
TABLES: Final = (
    4, DT_STRTAB, 7, 17, 23, 0x6FFFFEF5, 0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFE,
)  # fmt: skip
SHF_ALLOC: Final = 2
SHF_EXECINSTR: Final = 4
SHT_PROGBITS: Final = 1
# Tables of a language's runtime: they hold no strings that a program uses.
UNWINDING: Final = (
    ".eh_frame",
    ".gcc_except_table",
    ".gopclntab",
    ".data.rel.ro.gopclntab",
)
# UPX writes its mark near the start, PyInstaller its cookie near the end.
PACKED: Final = b"UPX!"
PACKED_WITHIN: Final = 1024
BUNDLE: Final = b"MEI\x0c\x0b\x0a\x0b\x0e"
BUNDLE_WITHIN: Final = 8192
ENTRIES_MAX: Final = 1 << 20
BUILD_ID: Final = 3
BUILD_ID_OWNER: Final = b"GNU\0"


@dataclass(frozen=True, slots=True)
class Segment:
    """A program header, or a section with what a segment has."""

    kind: int
    flags: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Row:
    """A section header; `target` is the section that relocations in it are for."""

    name: str
    kind: int
    flags: int
    offset: int
    size: int
    target: int
    alignment: int
    entry_size: int


@dataclass(frozen=True, slots=True)
class Elf:
    """An ELF file as the dynamic linker sees it.

    Attributes:
        interpreter: Path of the dynamic linker, empty for libraries and static files.
        search: Directories of DT_RUNPATH, else DT_RPATH, as written (`$ORIGIN/...`).
        inherited: Those of DT_RPATH that serve what its libraries need, too.
        imports: Names of undefined dynamic symbols.
        dynamic: False for a static executable, whose imports nobody can read.
        data: The bytes of everything that is loaded and is not machine code.
    """

    interpreter: str
    needed: tuple[str, ...]
    soname: str
    search: tuple[str, ...]
    imports: frozenset[str]
    dynamic: bool
    data: tuple[bytes, ...]
    inherited: tuple[str, ...] = ()

    def strings(self) -> Iterator[bytes]:
        """Yield the NUL-terminated strings of the data, however short."""
        for block in self.data:
            yield from block.split(b"\0")


@dataclass(frozen=True, slots=True)
class Layout:
    """Word size and byte order of one file, and where its tables are."""

    order: str
    wide: bool
    headers: tuple[int, int, int]
    sections: tuple[int, int, int, int]

    def unpack(self, wide: str, narrow: str) -> struct.Struct:
        """Return the structure for this file's word size."""
        return struct.Struct(self.order + (wide if self.wide else narrow))


def is_packed(content: bytes) -> bool:
    """Return whether it unpacks itself, or a bundle at its end."""
    return PACKED in content[:PACKED_WITHIN] or BUNDLE in content[-BUNDLE_WITHIN:]


def read(content: bytes) -> Elf:
    """Return what the file says.

    Raises:
        Unparsable: It is no ELF file, or a damaged one.
    """
    if content[:4] != MAGIC:
        raise Unparsable("not an ELF file")
    if is_packed(content):
        raise Unparsable("packed: its own code and strings are compressed")
    try:
        layout = _layout(content)
        segments = _segments(content, layout)
        table = _dynamic(content, layout, segments)
        return _assemble(content, layout, (segments, table))
    except (struct.error, IndexError, KeyError, ValueError, OverflowError) as error:
        raise Unparsable(f"a damaged ELF file: {error}") from error


def needed(content: bytes) -> tuple[str, ...]:
    """Return the names of the libraries that the file needs; none if it is damaged."""
    if content[:4] != MAGIC:
        return ()
    try:
        layout = _layout(content)
        segments = _segments(content, layout)
        table = _dynamic(content, layout, segments)
        strings = _strings(content, segments, dict(table))
        return tuple(_string(strings, at) for tag, at in table if tag == DT_NEEDED)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError):
        return ()


def segments(content: bytes) -> list[Segment]:
    """Return the program headers.

    Raises:
        Unparsable: It is no ELF file, or a damaged or packed one.
    """
    if content[:4] != MAGIC or PACKED in content[:PACKED_WITHIN]:
        raise Unparsable("no ELF file, or a packed one")
    try:
        return _segments(content, _layout(content))
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise Unparsable(f"a damaged ELF file: {error}") from error


def section_rows(content: bytes) -> tuple[int, list[Row]]:
    """Return the machine and all sections in their order, those of one name included.

    Raises:
        Unparsable: It is no ELF file, or a damaged one.
    """
    if content[:4] != MAGIC:
        raise Unparsable("not an ELF file")
    try:
        layout = _layout(content)
        rows, strings = _rows(content, layout)
        if not rows:
            raise Unparsable("an ELF file without sections")
        found = [
            Row(
                name=_string(content, strings + one[0]),
                kind=one[1],
                flags=one[2],
                offset=one[4],
                size=one[5],
                target=one[7],
                alignment=one[8],
                entry_size=one[9],
            )
            for one in rows
        ]
        return struct.unpack_from(f"{layout.order}H", content, 18)[0], found
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise Unparsable(f"a damaged ELF file: {error}") from error


def sections(content: bytes) -> dict[str, Segment]:
    """Return the sections by name; empty when there is no section table.

    Raises:
        Unparsable: It is no ELF file, or a damaged one.
    """
    if content[:4] != MAGIC:
        raise Unparsable("not an ELF file")
    try:
        return _sections(content, _layout(content))
    except (struct.error, IndexError, ValueError, OverflowError) as error:
        raise Unparsable(f"a damaged ELF file: {error}") from error


def build_id(content: bytes) -> bytes:
    """Return what identifies one build of a program or library; empty if nothing does.

    It survives stripping and most editing. The first page of a file is enough.
    Source: "GNU build ID", ld(1) `--build-id`; notes: System V ABI, "Note Section".
    """
    if content[:4] != MAGIC:
        return b""
    try:
        layout = _layout(content)
        for segment in _segments(content, layout):
            if segment.kind == PT_NOTE:
                found = _note(content[segment.offset :][: segment.size], layout.order)
                if found:
                    return found
    except (struct.error, IndexError, ValueError, OverflowError):
        return b""
    return b""


def _note(notes: bytes, order: str) -> bytes:
    form = struct.Struct(f"{order}III")
    at = 0
    while at + form.size <= len(notes):
        owner_size, size, kind = form.unpack_from(notes, at)
        owner = at + form.size
        start = owner + (owner_size + 3) // 4 * 4
        if kind == BUILD_ID and notes[owner : owner + owner_size] == BUILD_ID_OWNER:
            return notes[start : start + size]
        at = start + (size + 3) // 4 * 4
    return b""


def _layout(content: bytes) -> Layout:
    wide = content[4] == 2  # noqa: PLR2004  class of 64-bit files
    order = "<" if content[5] == 1 else ">"
    form = struct.Struct(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"))
    fields = form.unpack_from(content, 16)
    return Layout(
        order, wide, (fields[4], fields[8], fields[9]), (fields[5], *fields[10:13])
    )


def _segments(content: bytes, layout: Layout) -> list[Segment]:
    start, size, count = layout.headers
    form = layout.unpack("IIQQQQQQ", "IIIIIIII")
    found = []
    for number in range(count):
        fields = form.unpack_from(content, start + number * size)
        if layout.wide:
            kind, flags, offset, address, _, length = fields[:6]
        else:
            kind, offset, address, _, length, _, flags, _ = fields
        found.append(Segment(kind, flags, offset, address, length))
    return found


def _rows(content: bytes, layout: Layout) -> tuple[list[tuple[int, ...]], int]:
    """Return the section headers as they stand, and where their names are."""
    start, size, count, names = layout.sections
    if not start or not count or start + count * size > len(content):
        return [], 0
    form = layout.unpack("IIQQQQIIQQ", "IIIIIIIIII")
    rows = [form.unpack_from(content, start + number * size) for number in range(count)]
    return (rows, rows[names][4]) if names < len(rows) else ([], 0)


def _sections(content: bytes, layout: Layout) -> dict[str, Segment]:
    rows, strings = _rows(content, layout)
    return {
        _string(content, strings + row[0]): Segment(row[1], row[2], row[4], row[3], row[5])
        for row in rows
        if row[1]
    }


def _dynamic(
    content: bytes, layout: Layout, segments: list[Segment]
) -> list[tuple[int, int]]:
    for segment in segments:
        if segment.kind == PT_DYNAMIC:
            form = layout.unpack("qQ", "iI")
            end = segment.offset + segment.size - segment.size % form.size
            table = []
            for tag, value in form.iter_unpack(content[segment.offset : end]):
                if tag == 0:
                    break
                table.append((tag, value))
            return table
    return []


def _assemble(
    content: bytes,
    layout: Layout,
    tables: tuple[list[Segment], list[tuple[int, int]]],
) -> Elf:
    segments, table = tables
    values = dict(table)
    strings = _strings(content, segments, values)
    runpath = values.get(DT_RUNPATH, values.get(DT_RPATH))
    interpreter = next((one for one in segments if one.kind == PT_INTERP), None)
    return Elf(
        interpreter="" if interpreter is None else _string(content, interpreter.offset),
        needed=tuple(_string(strings, at) for tag, at in table if tag == DT_NEEDED),
        soname=_string(strings, values[DT_SONAME]) if DT_SONAME in values else "",
        search=_directories(strings, runpath),
        imports=_imports(content, layout, (segments, values, strings)),
        dynamic=bool(strings),
        data=_data(content, layout, segments),
        inherited=() if DT_RUNPATH in values else _directories(strings, runpath),
    )


def _strings(content: bytes, segments: list[Segment], values: dict[int, int]) -> bytes:
    if DT_STRTAB not in values:
        return b""
    start = _offset(segments, values[DT_STRTAB])
    return content[start : start + values.get(DT_STRSZ, 0)]


def _directories(strings: bytes, at: int | None) -> tuple[str, ...]:
    if at is None:
        return ()
    return tuple(part for part in _string(strings, at).split(":") if part)


def _imports(
    content: bytes,
    layout: Layout,
    tables: tuple[list[Segment], dict[int, int], bytes],
) -> frozenset[str]:
    """Return undefined names; all names of the table where its end cannot be told.

    Nothing says how long the symbol table is. It ends at the latest where the next
    table begins, which is the string table unless a tool such as patchelf moved that.
    Bytes behind its end can be read as further names; they never hide one.
    """
    segments, values, strings = tables
    if DT_SYMTAB not in values:
        return frozenset()
    start = _offset(segments, values[DT_SYMTAB])
    later = [values[tag] for tag in TABLES if values.get(tag, 0) > values[DT_SYMTAB]]
    if not later:
        return frozenset(name.decode("utf-8", "replace") for name in strings.split(b"\0"))
    end = start + min(later) - values[DT_SYMTAB]
    form = layout.unpack("IBBHQQ", "IIIBBH")
    count = (end - start) // form.size
    if not 0 < count <= ENTRIES_MAX:
        return frozenset(name.decode("utf-8", "replace") for name in strings.split(b"\0"))
    section = 3 if layout.wide else 5
    rows = form.iter_unpack(content[start : start + count * form.size])
    return frozenset(
        _string(strings, row[0])
        for row in rows
        if row[section] == 0 and row[0] < len(strings)
    )


def _data(content: bytes, layout: Layout, segments: list[Segment]) -> tuple[bytes, ...]:
    """Return loaded bytes that are not code; whole segments without a section table."""
    found = [
        section
        for name, section in _sections(content, layout).items()
        if section.kind == SHT_PROGBITS
        and not name.startswith(UNWINDING)
        and section.flags & SHF_ALLOC
        and not section.flags & SHF_EXECINSTR
    ]
    if not found:
        found = [segment for segment in segments if segment.kind == PT_LOAD]
    return tuple(content[one.offset : one.offset + one.size] for one in found)


def _offset(segments: list[Segment], address: int) -> int:
    for segment in segments:
        inside = segment.address <= address < segment.address + segment.size
        if segment.kind == PT_LOAD and inside:
            return segment.offset + address - segment.address
    raise ValueError(f"address {address:#x} is in no segment")


def _string(table: bytes, at: int) -> str:
    if not 0 <= at < len(table):
        raise ValueError("a name outside its table")
    return table[at : table.index(b"\0", at)].decode("utf-8", "surrogateescape")
