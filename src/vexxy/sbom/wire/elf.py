"""The little of ELF that an inventory needs: sections by name, memory by address.

Every executable of an image passes here, so only headers are read. Source: System V
ABI, chapters 4 and 5.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

MAGIC: Final = b"\x7fELF"
HEADER_BYTES: Final = 64
SECTIONS_MAX: Final = 4096
NAMES_LIMIT_BYTES: Final = 1024 * 1024
_CLASS_64: Final = 2
_BIG_ENDIAN: Final = 2
_LOADED: Final = 1
_NO_BITS: Final = 8
WRITABLE: Final = 2


@dataclass(frozen=True, slots=True)
class Section:
    """A named range of the file."""

    name: str
    offset: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of the file that is loaded at an address."""

    address: int
    offset: int
    size_bytes: int
    flags: int


class Elf:
    """One ELF file, its headers read, its content on demand."""

    def __init__(self, file: BinaryIO, header: bytes) -> None:
        self._file: Final = file
        self.wide: Final = header[4] == _CLASS_64
        self.order: Final = ">" if header[5] == _BIG_ENDIAN else "<"
        layout = "HHIQQQIHHHHHH" if self.wide else "HHIIIIIHHHHHH"
        fields = struct.unpack_from(self.order + layout, header, 16)
        self.segments: Final = self._read_segments(fields[4], fields[8:10])
        self.sections: Final = self._read_sections(fields[5], fields[10:13])

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Return bytes of the file, fewer at its end."""
        self._file.seek(offset)
        return self._file.read(size_bytes)

    def section(self, name: str, *, limit: int) -> bytes | None:
        """Return the content of the first section so named, cut off at `limit`."""
        for section in self.sections:
            if section.name == name:
                return self.read(section.offset, min(section.size_bytes, limit))
        return None

    def memory(self, address: int, size_bytes: int) -> bytes:
        """Return what is loaded at an address; empty where nothing of the file is."""
        for segment in self.segments:
            skip = address - segment.address
            if 0 <= skip < segment.size_bytes:
                available = min(size_bytes, segment.size_bytes - skip)
                return self.read(segment.offset + skip, available)
        return b""

    def _read_segments(self, offset: int, shape: tuple[int, ...]) -> Sequence[Segment]:
        layout = self.order + ("IIQQQQQQ" if self.wide else "IIIIIIII")
        segments = []
        for row in self._rows(layout, offset, shape):
            if self.wide:
                kind, flags, start, address, _, size, _, _ = row
            else:
                kind, start, address, _, size, _, flags, _ = row
            if kind == _LOADED:
                segments.append(Segment(address, start, size, flags))
        return segments

    def _read_sections(self, offset: int, shape: tuple[int, ...]) -> Sequence[Section]:
        entry, count, names = shape
        layout = self.order + ("IIQQQQIIQQ" if self.wide else "IIIIIIIIII")
        rows = list(self._rows(layout, offset, (entry, min(count, SECTIONS_MAX))))
        if names >= len(rows):
            return ()
        table = self.read(rows[names][4], min(rows[names][5], NAMES_LIMIT_BYTES))
        return [
            Section(_text(table, row[0]), offset=row[4], size_bytes=row[5])
            for row in rows
            if row[1] != _NO_BITS
        ]

    def _rows(
        self, layout: str, offset: int, shape: tuple[int, ...]
    ) -> Sequence[tuple[int, ...]]:
        entry, count = shape
        if not offset or entry < struct.calcsize(layout):
            return ()
        content = self.read(offset, entry * count)
        return [
            struct.unpack_from(layout, content, position)
            for position in range(0, len(content) - entry + 1, entry)
        ]


def read_elf(file: BinaryIO) -> Elf | None:
    """Return the ELF file, or None when it is something else.

    Raises:
        struct.error: The magic is there and the headers are damaged.
        OSError, OverflowError, ValueError: An offset leads nowhere.
    """
    header = file.read(HEADER_BYTES)
    if not header.startswith(MAGIC) or len(header) < HEADER_BYTES - 12:
        return None
    return Elf(file, header)


def _text(table: bytes, start: int) -> str:
    end = table.find(b"\0", start)
    return table[start : end if end >= 0 else None].decode("latin-1")
