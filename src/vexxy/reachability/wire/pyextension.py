"""The constants of Python code that was compiled to machine code.

Cython, mypyc, Nuitka and Rust keep them joined, without an end to each; Cython 3.2 and
later may compress the whole table. A name that is not in such a file as it stands proves
nothing. Source: Cython, "Extension types and compilation", CYTHON_COMPRESS_STRINGS.
"""

import bz2
import re
import zlib
from collections.abc import Iterator
from typing import Final

from vexxy.reachability.errors import Unparsable

ENTRY: Final = b"PyInit_"
JOINED: Final = re.compile(
    rb"(?i)cython|__pyx_|cline_in_traceback|mypyc|CPyStatics|nuitka|pyo3"
)
ENCRYPTED: Final = re.compile(rb"(?i)pyarmor|pytransform|sourcedefender|UPX!")
# What a file says that unpacks its table when it is imported.
COMPRESSED: Final = re.compile(rb"CYTHON_COMPRESS_STRINGS|LZSS string data")
ZLIB: Final = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
BZ2: Final = re.compile(rb"BZh[1-9]1AY&SY")
ZSTD: Final = b"\x28\xb5\x2f\xfd"
# A table starts with eight constants' characters and the byte that says they are that.
LZSS: Final = re.compile(rb"\xff(?=[\t\n\r\x20-\x7e\x80-\xf4]{8})")
# In every table: code that is compiled refers to them.
ALWAYS: Final = (b"cline_in_traceback", b"__name__", b"__main__")
TABLE_BYTES_MAX: Final = 16 * 1024 * 1024
TRIES_MAX: Final = 200_000
UNPACKED_BYTES_MIN: Final = 16
# The highest bit of a byte of a repetition says that one more belongs to it.
NEAR: Final = 0x80


def is_extension(content: bytes) -> bool:
    """Return whether Python imports this library as a module."""
    return ENTRY in content


def is_compiled_python(content: bytes) -> bool:
    """Return whether the code was Python, or keeps its constants as such code does."""
    return JOINED.search(content) is not None or ENCRYPTED.search(content) is not None


def unpacked(data: bytes) -> bytes:
    """Return what is compressed in the data of an extension module, unpacked.

    Raises:
        Unparsable: It is encrypted, or compressed in a way that could not be read.
    """
    if ENCRYPTED.search(data):
        raise Unparsable("keeps its code encrypted")
    tables = [*_streams(data)]
    if COMPRESSED.search(data) and not any(_is_table(one) for one in tables):
        tables += [one for one in _lzss(data) if _is_table(one)][:1]
        if not any(_is_table(one) for one in tables):
            raise Unparsable("keeps its constants compressed in a way that was not read")
    return b"\0".join(tables)


def is_opaque(content: bytes) -> bool:
    """Return whether names in an extension module are not to be read from outside."""
    if ENCRYPTED.search(content) or COMPRESSED.search(content):
        return True
    return ZSTD in content or any(True for _ in _streams(content))


def _is_table(data: bytes) -> bool:
    return any(name in data for name in ALWAYS)


def _streams(data: bytes) -> Iterator[bytes]:
    """Yield what is in zlib and bzip2 streams that can be read to their end."""
    view = memoryview(data)
    for found in ZLIB.finditer(data):
        opened = zlib.decompressobj()
        try:
            text = opened.decompress(view[found.start() :], TABLE_BYTES_MAX)
        except zlib.error:
            continue
        if opened.eof and len(text) >= UNPACKED_BYTES_MIN:
            yield text
    for found in BZ2.finditer(data):
        packed = bz2.BZ2Decompressor()
        try:
            text = packed.decompress(view[found.start() :], TABLE_BYTES_MAX)
        except (OSError, EOFError):
            continue
        if packed.eof:
            yield text


def _lzss(data: bytes) -> Iterator[bytes]:
    """Yield what starts at each place that may be the start of a table.

    Where the table is, only machine code says; text that is none refers to what was
    never written and ends at once.
    """
    for tries, found in enumerate(LZSS.finditer(data)):
        if tries >= TRIES_MAX:
            return
        text = _expand(data, found.start())
        if len(text) >= UNPACKED_BYTES_MIN:
            yield text


def _expand(data: bytes, at: int) -> bytes:
    """Unpack from one place until the data makes no sense any more."""
    written = bytearray()
    while at < len(data) and len(written) < TABLE_BYTES_MAX:
        flags, at = data[at], at + 1
        for bit in range(8):
            if at + 3 > len(data):
                return bytes(written)
            if flags >> bit & 1:
                written.append(data[at])
                at += 1
                continue
            distance, length, at = _reference(data, at)
            start = len(written) - distance - length
            if start < 0:
                return bytes(written)
            written += written[start : start + length]
    return bytes(written)


def _reference(data: bytes, at: int) -> tuple[int, int, int]:
    """Return (distance to the end of what is repeated, its length, what is next)."""
    low, high = data[at], data[at + 1]
    if low < NEAR:
        return low, high + 3, at + 2
    low -= NEAR
    if high < NEAR:
        return NEAR + ((high & 0x60) << 2 | low), (high & 0x1F) + 3, at + 2
    return NEAR + ((high - NEAR) << 7 | low), data[at + 2] + 3, at + 3
