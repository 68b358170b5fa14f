"""rpm's own `ndb` database, `Packages.db`.

Source: rpm, `lib/backend/ndb/rpmpkg.c`: pages of slots, each pointing to a blob that is
measured in blocks of 16 bytes; little endian.
"""

import struct
from collections.abc import Iterator
from typing import Final

_PAGE_BYTES: Final = 4096
_BLOCK_BYTES: Final = 16
_SLOT: Final = struct.Struct("<4sIII")
_FIRST_SLOT: Final = 2
_HEADER: Final = struct.Struct("<4sIIII")


def headers(content: bytes) -> Iterator[bytes]:
    """Yield the header of every package in the database.

    Raises:
        ValueError: The file is cut off or no ndb database.
    """
    if len(content) < _PAGE_BYTES or not content.startswith(b"RpmP"):
        raise ValueError("not an ndb database")
    _, _, _, pages, _ = _HEADER.unpack_from(content)
    slots = pages * _PAGE_BYTES // _SLOT.size
    if slots * _SLOT.size > len(content):
        raise ValueError("the table of packages is cut off")
    for number in range(_FIRST_SLOT, slots):
        magic, package, block, _ = _SLOT.unpack_from(content, number * _SLOT.size)
        if magic != b"Slot":
            raise ValueError(f"slot {number} is damaged")
        if package and block:
            yield _blob(content, package, block * _BLOCK_BYTES)


def _blob(content: bytes, package: int, offset: int) -> bytes:
    if offset + _SLOT.size > len(content):
        raise ValueError(f"package {package} lies behind the end of the file")
    magic, owner, _, size = _SLOT.unpack_from(content, offset)
    start = offset + _SLOT.size
    if magic != b"BlbS" or owner != package or start + size > len(content):
        raise ValueError(f"the header of package {package} is damaged")
    return content[start : start + size]
