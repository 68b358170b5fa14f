"""Code that lies packed in another file: after a program, in chunks, in archives."""

import re
import struct
import zlib
from collections.abc import Iterable
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.wire import elf

TRIES_MAX: Final = 2000
PAYLOAD_BYTES_MAX: Final = 16 * 1024 * 1024
TOTAL_BYTES_MAX: Final = 64 * 1024 * 1024
APPENDED_MIN: Final = 16
STREAM: Final = re.compile(rb"\x1f\x8b\x08|\x78[\x9c\xda\x5e]")
# Zip, Zstandard, xz, bzip2, LZ4, 7z, SquashFS: not unpacked here.
OTHER: Final = re.compile(
    rb"PK\x03\x04|\x28\xb5\x2f\xfd|\xfd7zXZ\x00|BZh[1-9]1AY&SY|\x04\x22\x4d\x18|7z\xbc\xaf|hsqs"
)
WINDOW_AUTO: Final = zlib.MAX_WBITS | 32
GZIP: Final = b"\x1f\x8b\x08"
LITERALS: Final = b"LitT"
STUB_END: Final = re.compile(rb"__HALT_COMPILER\(\);(?: ?\?>)?\r?\n?")
PHAR_DEFLATED, PHAR_OTHER = 0x1000, 0xE000
ENDS: Final = re.compile(rb"[\n\"'`]")
RUN: Final = re.compile(rb"[\x20-\x7e]{3,400}")


def inflate(data: bytes, *, window: int = WINDOW_AUTO) -> bytes:
    """Return the beginning of what a compressed stream holds; nothing if it is none."""
    try:
        return zlib.decompressobj(window).decompress(data, PAYLOAD_BYTES_MAX)
    except zlib.error:
        return b""


def unpacked(data: bytes) -> bytes:
    """Return what is compressed somewhere in the data, joined with NUL."""
    found, total = [], 0
    for tries, match in enumerate(STREAM.finditer(data)):
        if tries >= TRIES_MAX or total >= TOTAL_BYTES_MAX:
            break
        plain = inflate(data[match.start() : match.start() + PAYLOAD_BYTES_MAX])
        if len(plain) >= APPENDED_MIN:
            found.append(plain)
            total += len(plain)
    return b"\0".join(found)


def appended(content: bytes) -> bytes:
    """Return what lies after everything that an ELF file's headers speak of."""
    try:
        ends = [one.offset + one.size for one in elf.segments(content)]
        wide = content[4] == 2  # noqa: PLR2004  class of 64-bit files
        order = "<" if content[5] == 1 else ">"
        word = order + ("Q" if wide else "I")
        (start,) = struct.unpack_from(word, content, 40 if wide else 32)
        size, count = struct.unpack_from(order + "HH", content, 58 if wide else 46)
    except (Unparsable, struct.error, IndexError):
        return b""
    rest = content[max(*ends, start + size * count, 0) :]
    return rest if len(rest.strip(b"\0")) >= APPENDED_MIN else b""


def data(blocks: Iterable[bytes], content: bytes) -> bytes:
    """Return an ELF file's data, joined, with what is packed in it or follows it.

    Without the whole file's `content` it is not looked for.
    """
    plain = b"\0".join(blocks)
    if not content:
        return plain
    more = appended(content)
    return plain + _lines(more) + _lines(unpacked(plain + more))


def holds_other(content: bytes) -> bool:
    """Return whether an ELF file is followed by data that is not unpacked here."""
    return OTHER.search(appended(content)) is not None


def _lines(text: bytes) -> bytes:
    """Return text as strings that end, also at its lines and quotes."""
    return b"\0" + text + b"\0" + ENDS.sub(b"\0", text) + b"\0" if text else b""


def texts(content: bytes) -> list[str]:
    """Return the runs of printable characters of byte code, compressed ones included."""
    if content.startswith(GZIP):
        content = inflate(content)
    at = content.find(LITERALS)
    if content.startswith(b"FOR1") and at >= 0:
        content += b"\0" + inflate(content[at + 12 :])
    return [one.decode("ascii") for one in set(RUN.findall(content))]


def phar(content: bytes) -> str | None:
    """Return the text of a PHP archive's files; None where they cannot be unpacked.

    Source: PHP manual, "Phar file format".
    """
    if content.startswith(GZIP):
        content = inflate(content)
    stub = STUB_END.search(content)
    if stub is None:
        return None
    try:
        return _members(content, stub.end())
    except (struct.error, UnicodeDecodeError):
        return None


def _members(content: bytes, at: int) -> str | None:
    length, count = struct.unpack_from("<II", content, at)
    data_at = at + 4 + length
    (alias,) = struct.unpack_from("<I", content, at + 14)
    at += 18 + alias
    (metadata,) = struct.unpack_from("<I", content, at)
    at += 4 + metadata
    found, total = [], 0
    for _ in range(min(count, 100_000)):
        (name,) = struct.unpack_from("<I", content, at)
        at += 4 + name
        packed, _checksum, flags, more = struct.unpack_from("<8x4I", content, at)
        at += 24 + more
        data = content[data_at : data_at + packed]
        data_at += packed
        if flags & PHAR_DEFLATED:
            data = inflate(data, window=-zlib.MAX_WBITS)
        elif flags & PHAR_OTHER:
            return None
        found.append(data)
        total += len(data)
        if total > TOTAL_BYTES_MAX:
            return None
    return b"\n".join(found).decode("utf-8", "replace") if found else None
