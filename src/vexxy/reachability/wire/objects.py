"""Object files of static archives, and what of them a program they are linked into holds.

A linker copies machine code as it is, but for the places of its relocations. So a program
without the pieces between them does not hold the object. Source: ar(5); System V ABI,
"Sections" and "Relocation"; how far around a relocation a linker may rewrite
instructions: x86-64 psABI, "Optimize GOTPCRELX Relocations" and "TLS".
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import elf

ARCHIVE: Final = b"!<arch>\n"
THIN: Final = b"!<thin>\n"
HEADER_BYTES: Final = 60
SIZE: Final = slice(48, 58)
LONG_NAME: Final = b"#1/"
INDEXES: Final = frozenset({b"/", b"//", b"/SYM64/", b"__.SYMDEF", b"ARFILENAMES/"})

BLOCK_BYTES: Final = 16
BLOCK: Final = re.compile(rb"(?s).{%d}" % BLOCK_BYTES)
BLOCKS_MAX: Final = 8
RUN_BYTES_MIN: Final = 20
RUN_BYTES_MAX: Final = 96
# What assemblers put between functions: functions that return at once look alike.
PADDING: Final = (b"\x0f\x1f", b"\x66\x90", b"\x90\x90", b"\xcc\xcc", b"\0\0\0\0")
BEFORE: Final = 4
AFTER: Final = 12
SHT_RELA: Final = 4
SHT_REL: Final = 9
# Machines whose linkers shorten code, so that no piece stays what it was.
RELAXED: Final = frozenset({243, 258})
# Code that only comes into being when the program is linked.
INTERMEDIATE: Final = ".gnu.lto_"


@dataclass(frozen=True, slots=True)
class Piece:
    """Machine code of one section that stays the same.

    Attributes:
        run: The longest stretch of it, or its start.
        blocks: Some of it that lies at multiples of a block's size; found faster.
    """

    run: bytes
    blocks: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """The machine code of a program or library, in blocks at multiples of their size."""

    text: bytes
    blocks: frozenset[bytes]

    def holds(self, piece: Piece) -> bool:
        """Return whether the program holds the piece."""
        return all(one in self.blocks for one in piece.blocks) and piece.run in self.text


def program(content: bytes) -> Program:
    """Return the machine code of an ELF file.

    Raises:
        Unparsable: It is no ELF file, or a damaged or packed one.
    """
    found = [
        content[one.offset : one.offset + one.size]
        for one in elf.segments(content)
        if one.kind == elf.PT_LOAD and one.flags & elf.PF_X
    ]
    blocks = (one for text in found for one in BLOCK.findall(text))
    return Program(b"\0".join(found), frozenset(blocks))


def members(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each member of an archive, indexes left out.

    Raises:
        Unparsable: It is no archive, a damaged one, or one without its members.
    """
    if content[: len(THIN)] == THIN:
        raise Unparsable("a thin archive: its members are elsewhere")
    if content[: len(ARCHIVE)] != ARCHIVE:
        raise Unparsable("no archive")
    names = b""
    at = len(ARCHIVE)
    while at + HEADER_BYTES <= len(content):
        header = content[at : at + HEADER_BYTES]
        start, raw = at + HEADER_BYTES, header[:16].rstrip()
        if not header[SIZE].strip().isdigit():
            raise Unparsable("a damaged archive")
        size = int(header[SIZE])
        body = content[start : start + size]
        at = start + size + size % 2
        if raw == b"//":
            names = body
        if raw not in INDEXES:
            name, body = _named(raw, names, body)
            yield name, body


def pieces(member: bytes) -> list[Piece]:
    """Return one piece of each section of machine code in an object file.

    Sections without 20 bytes on end that stay the same have none.

    Raises:
        Unparsable: It is no object file, or one whose code a linker makes anew.
    """
    machine, rows = elf.section_rows(member)
    if machine in RELAXED or any(one.name.startswith(INTERMEDIATE) for one in rows):
        raise Unparsable("code that the linker makes anew")
    fixed: dict[int, list[int]] = {}
    for row in rows:
        if row.kind in {SHT_RELA, SHT_REL}:
            body = member[row.offset : row.offset + row.size]
            fixed.setdefault(row.target, []).extend(_offsets(body, member, row.entry_size))
    found = []
    for number, row in enumerate(rows):
        if row.kind == elf.SHT_PROGBITS and row.flags & elf.SHF_EXECINSTR:
            code = member[row.offset : row.offset + row.size]
            piece = _piece(code, row.alignment, sorted(fixed.get(number, ())))
            found += [piece] if piece else []
    return found


def _piece(code: bytes, alignment: int, relocations: list[int]) -> Piece | None:
    free = list(_free(len(code), relocations))
    start, end = max(free, key=lambda one: one[1] - one[0], default=(0, 0))
    run = code[start : min(end, start + RUN_BYTES_MAX)]
    if len(run) < RUN_BYTES_MIN:
        return None
    if not alignment or alignment % BLOCK_BYTES:
        return Piece(run, ())
    blocks = (
        code[at : at + BLOCK_BYTES]
        for start, end in free
        for at in range(-(-start // BLOCK_BYTES) * BLOCK_BYTES, end - 15, BLOCK_BYTES)
    )
    telling = (one for one in blocks if not any(mark in one for mark in PADDING))
    return Piece(run, tuple(islice(telling, BLOCKS_MAX)))


def _free(size: int, relocations: list[int]) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of what no relocation is near."""
    start = 0
    for at in relocations:
        if at - BEFORE > start:
            yield start, at - BEFORE
        start = max(start, at + AFTER)
    if start < size:
        yield start, size


def _offsets(table: bytes, member: bytes, entry_size: int) -> Iterator[int]:
    wide = member[4] == 2  # noqa: PLR2004  class of 64-bit files
    word = "Q" if wide else "I"
    rest = entry_size - struct.calcsize(f"<{word}")
    if rest < 0:
        raise Unparsable("a damaged table of relocations")
    form = struct.Struct(f"{'<' if member[5] == 1 else '>'}{word}{rest}x")
    whole = len(table) - len(table) % form.size
    return (one for (one,) in form.iter_unpack(table[:whole]))


def _named(raw: bytes, names: bytes, body: bytes) -> tuple[str, bytes]:
    """Return a member's name, which may be in a table or before its content."""
    if raw.startswith(LONG_NAME) and raw[len(LONG_NAME) :].isdigit():
        length = int(raw[len(LONG_NAME) :])
        return body[:length].rstrip(b"\0").decode("utf-8", "replace"), body[length:]
    if raw[:1] == b"/" and raw[1:].isdigit():
        raw = names[int(raw[1:]) :].partition(b"\n")[0]
    return raw.rstrip(b"/").decode("utf-8", "replace"), body
