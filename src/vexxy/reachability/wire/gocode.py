"""What the machine code of a Go program refers to.

Every byte that could begin the operand of a call, a jump or an address relative to the
instruction is taken for one, so nothing depends on where instructions begin: what is
found is all that the code refers to and, rarely, something that it does not.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, §2.2.1.6
(RIP-relative addressing) and CALL, JMP, Jcc.
"""

import re
import struct
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.tracer.functions.native.wire.elf import Image

# CALL and JMP, Jcc behind its 0F, and ModRM bytes that say an address follows.
OPERAND: Final = rb"(?:[\xe8\xe9\x05\x0d\x15\x1d\x25\x2d\x35\x3d]|(?<=\x0f)[\x80-\x8f])"
# The highest byte of a distance says whether it stays within the program at all.
NEAR: Final = rb"(?s:(?=...[\x00-%b%b-\xff]))"
FAR_BYTES: Final = 0x7F
DISPLACEMENT: Final = struct.Struct("<i")
ADDRESS: Final = struct.Struct("<I")
LENGTH: Final = 5
# CMP of two 64-bit operands, somewhere behind the address that it is given.
COMPARISON: Final = re.compile(rb"[\x48-\x4f][\x39\x3b]")
COMPARED_WITHIN: Final = 40
BRANCHES: Final = frozenset({0xE8, 0xE9, *range(0x80, 0x90)})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which addresses count: beginnings of functions, and places of data.

    Attributes:
        entries: Where functions begin.
        places: Function values and interface tables.
        types: From where to where types are described.
    """

    entries: Container[int]
    places: Container[int]
    types: tuple[int, int]


def references(
    image: Image, span: tuple[int, int], wanted: Wanted
) -> Iterator[tuple[int, int]]:
    """Yield what code between two addresses refers to, as (place of the code, target)."""
    start, end = span
    offset = image.offset_of(start)
    if offset is None or end <= start:
        return
    content, shift = image.content, start - offset
    entries, places = wanted.entries, wanted.places
    low, high = wanted.types
    limit = min(offset + end - start, len(content)) - LENGTH + 1
    unpack = DISPLACEMENT.unpack_from
    for found in _operand(image).finditer(content, offset, max(limit, offset)):
        at = found.start()
        target = at + shift + LENGTH + unpack(content, at + 1)[0]
        if target in entries or (
            (low <= target < high or target in places) and content[at] not in BRANCHES
        ):
            yield at + shift, target


def _operand(image: Image) -> re.Pattern[bytes]:
    """Return what finds operands that lead to a place of the program."""
    starts = [one.address for one in image.segments]
    ends = [one.address + one.size for one in image.segments]
    highest = (max(ends, default=0) - min(starts, default=0) >> 24) + 1
    if highest >= FAR_BYTES:
        return re.compile(OPERAND)
    bounds = tuple(re.escape(bytes([one])) for one in (highest, 0xFF - highest))
    return re.compile(OPERAND + NEAR % bounds)


def absolutes(
    image: Image, span: tuple[int, int], entries: Container[int]
) -> Iterator[int]:
    """Yield functions whose address stands in bytes as it is, as C compilers write it."""
    code = image.data(span[0], span[1] - span[0])
    for shift in range(4):
        end = shift + (len(code) - shift) // 4 * 4
        for (value,) in ADDRESS.iter_unpack(code[shift : max(end, shift)]):
            if value in entries:
                yield value


def is_compared(image: Image, site: int) -> bool:
    """Return whether the address that an instruction makes may only be compared."""
    code = image.data(site + LENGTH, COMPARED_WITHIN)
    return COMPARISON.search(code) is not None


def offset_bytes(offset: int) -> bytes:
    """Return how an instruction writes an offset from a register."""
    return struct.pack("<b" if offset < 1 << 7 else "<i", offset)
