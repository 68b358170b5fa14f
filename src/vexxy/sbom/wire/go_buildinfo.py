"""The modules that Go's linker records in every binary, also in stripped ones.

Source: Go `debug/buildinfo` and `runtime/debug` (`BuildInfo.String` is the text format).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.sbom.wire.elf import WRITABLE, Elf

MAGIC: Final = b"\xff Go buildinf:"
_HEADER_BYTES: Final = 32
_ALIGNMENT: Final = 16
_INLINE_STRINGS: Final = 2
_BIG_ENDIAN: Final = 1
_LIMIT_BYTES: Final = 16 * 1024 * 1024
_SEARCH_LIMIT_BYTES: Final = 64 * 1024 * 1024
_SENTINEL_BYTES: Final = 16
_MODULE_FIELDS: Final = 3


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """What a Go binary says it is made from.

    Attributes:
        go_version: `go1.22.1`, possibly with experiments after a space.
        modules: (path, version) of the main module, if it has one, and each dependency,
            replacements applied.
    """

    go_version: str
    modules: tuple[tuple[str, str], ...]


def find_build_info(elf: Elf) -> BuildInfo | None:
    """Return the build information, or None when this is no Go binary that has it.

    Raises:
        ValueError, struct.error: The information is there and damaged.
    """
    blob = elf.section(".go.buildinfo", limit=_LIMIT_BYTES)
    if blob is None and not elf.sections:
        blob = _search(elf)
    if blob is None or not blob.startswith(MAGIC):
        return None
    if blob[15] & _INLINE_STRINGS:
        version, rest = _inline(blob, _HEADER_BYTES)
        module_text, _ = _inline(blob, rest)
    else:
        version, module_text = _by_pointers(elf, blob)
    text = version.decode("utf-8", "replace")
    return BuildInfo(go_version=text, modules=tuple(_modules(module_text)))


def _search(elf: Elf) -> bytes | None:
    """Look in the data segment, as Go's own reader does when section names are gone."""
    for segment in elf.segments:
        if not segment.flags & WRITABLE:
            continue
        data = elf.read(segment.offset, min(segment.size_bytes, _SEARCH_LIMIT_BYTES))
        position = data.find(MAGIC)
        while position >= 0:
            if position % _ALIGNMENT == 0:
                return data[position : position + _LIMIT_BYTES]
            position = data.find(MAGIC, position + 1)
    return None


def _inline(blob: bytes, position: int) -> tuple[bytes, int]:
    """Return the string at a position, led by its length as a varint, and its end."""
    length, shift = 0, 0
    while True:
        if position >= len(blob) or shift > 35:  # noqa: PLR2004  five bytes hold any length
            raise ValueError("a length of the Go build information is cut off")
        byte = blob[position]
        position += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004  the last byte of a varint has no high bit
            break
    if position + length > len(blob):
        raise ValueError("the Go build information is cut off")
    return blob[position : position + length], position + length


def _by_pointers(elf: Elf, blob: bytes) -> tuple[bytes, bytes]:
    """Read the strings the way Go 1.13 to 1.17 left them: as addresses of headers."""
    size = blob[14]
    if size not in {4, 8}:
        raise ValueError(f"the Go build information has pointers of {size} bytes")
    order = ">" if blob[15] & _BIG_ENDIAN else "<"
    layout = order + ("Q" if size == 8 else "I")  # noqa: PLR2004  64 bits
    strings = []
    for start in (16, 16 + size):
        (header,) = struct.unpack_from(layout, blob, start)
        address, length = struct.unpack(
            layout + layout[-1], elf.memory(header, 2 * size) or bytes(2 * size)
        )
        if length > _LIMIT_BYTES:
            raise ValueError("a string of the Go build information is too long")
        strings.append(elf.memory(address, length))
    return strings[0], strings[1]


def _modules(framed: bytes) -> Iterator[tuple[str, str]]:
    """Yield the modules of the text between the linker's two sentinels."""
    if len(framed) < 2 * _SENTINEL_BYTES + 1:
        return
    text = framed[_SENTINEL_BYTES:-_SENTINEL_BYTES].decode("utf-8", "replace")
    pending: tuple[str, str] | None = None
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) < _MODULE_FIELDS or fields[0] not in {"mod", "dep", "=>"}:
            continue
        module = fields[1], fields[2]
        if fields[0] == "=>":
            # A folder has no name that anyone publishes about: the original's is better.
            pending = pending if module[0].startswith((".", "/")) else module
            continue
        if pending:
            yield pending
        pending = module
    if pending:
        yield pending
