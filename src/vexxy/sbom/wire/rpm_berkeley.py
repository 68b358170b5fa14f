"""rpm's Berkeley DB hash file, `Packages`.

Only what rpm needs of it: every value on every page. Source: Berkeley DB,
`src/dbinc/db_page.h`.
"""

import struct
from collections.abc import Iterator
from typing import Final

_HASH_MAGIC: Final = 0x061561
_PAGE_HEADER_BYTES: Final = 26
_HASH_PAGES: Final = frozenset({2, 13})
_OVERFLOW_PAGE: Final = 7
_ON_PAGE: Final = 1
_OFF_PAGE: Final = 3
_OFF_PAGE_BYTES: Final = 12
_PAGE_SIZES: Final = frozenset(512 << shift for shift in range(8))
_HEADER_BYTES_MIN: Final = 16  # shorter values are rpm's own counters


def headers(content: bytes) -> Iterator[bytes]:
    """Yield the header of every package in the database.

    Raises:
        ValueError: The file is cut off or no Berkeley DB hash.
    """
    for order in "<>":
        if content[12:16] == struct.pack(f"{order}I", _HASH_MAGIC):
            yield from _Hash(content, order).values()
            return
    raise ValueError("not a Berkeley DB hash")


class _Hash:
    def __init__(self, content: bytes, order: str) -> None:
        self._content: Final = content
        self._order: Final = order
        self._page_bytes: Final = int.from_bytes(
            content[20:24], "little" if order == "<" else "big"
        )
        if self._page_bytes not in _PAGE_SIZES:
            raise ValueError(f"a page size of {self._page_bytes}")

    def values(self) -> Iterator[bytes]:
        """Yield every value that can be a header, page by page."""
        for number in range(1, len(self._content) // self._page_bytes):
            page = self._page(number)
            if page[25] not in _HASH_PAGES:
                continue
            (entries,) = struct.unpack_from(f"{self._order}H", page, 20)
            if _PAGE_HEADER_BYTES + 2 * entries > len(page):
                raise ValueError(f"page {number} is damaged")
            offsets = struct.unpack_from(
                f"{self._order}{entries}H", page, _PAGE_HEADER_BYTES
            )
            # Keys and values take turns; an item ends where the one before it starts.
            for index in range(1, entries, 2):
                yield from self._item(page, offsets[index], offsets[index - 1])

    def _item(self, page: bytes, start: int, end: int) -> Iterator[bytes]:
        if not _PAGE_HEADER_BYTES <= start < end <= len(page):
            raise ValueError("an entry lies outside its page")
        if page[start] == _ON_PAGE and end - start > _HEADER_BYTES_MIN:
            yield page[start + 1 : end]
        elif page[start] == _OFF_PAGE and end - start >= _OFF_PAGE_BYTES:
            first, size = struct.unpack_from(f"{self._order}II", page, start + 4)
            yield self._chain(first, size)

    def _chain(self, number: int, size: int) -> bytes:
        """Return a value that lies on overflow pages of its own."""
        parts: list[bytes] = []
        length = 0
        while number and length < size:
            page = self._page(number)
            if page[25] != _OVERFLOW_PAGE:
                raise ValueError(f"page {number} is no overflow page")
            (used,) = struct.unpack_from(f"{self._order}H", page, 22)
            part = page[_PAGE_HEADER_BYTES : _PAGE_HEADER_BYTES + used]
            if not part:
                raise ValueError(f"page {number} is empty")
            parts.append(part)
            length += len(part)
            (number,) = struct.unpack_from(f"{self._order}I", page, 16)
        if length < size:
            raise ValueError("a header is cut off")
        return b"".join(parts)[:size]

    def _page(self, number: int) -> bytes:
        start = number * self._page_bytes
        page = self._content[start : start + self._page_bytes]
        if len(page) < self._page_bytes:
            raise ValueError(f"page {number} lies behind the end of the file")
        return page
