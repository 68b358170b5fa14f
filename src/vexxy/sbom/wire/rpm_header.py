"""The header in which rpm keeps what it knows of an installed package.

Source: RPM reference manual, "RPM v4 header format"; the tags are those of `rpmtag.h`.
"""

import struct
from collections.abc import Mapping
from typing import Final

NAME: Final = 1000
VERSION: Final = 1001
RELEASE: Final = 1002
EPOCH: Final = 1003
ARCHITECTURE: Final = 1022
OLD_FILE_NAMES: Final = 1027
SOURCE_RPM: Final = 1044
DIRECTORY_INDEXES: Final = 1116
BASE_NAMES: Final = 1117
DIRECTORY_NAMES: Final = 1118

# As rpm itself refuses.
HEADER_LIMIT_BYTES: Final = 256 * 1024 * 1024
_ENTRY: Final = struct.Struct(">IIII")
_TAGS_MAX: Final = 65_535
_INT32: Final = 4
_STRING: Final = 6
_STRING_ARRAY: Final = 8
_WANTED: Final = frozenset(
    {
        NAME,
        VERSION,
        RELEASE,
        EPOCH,
        ARCHITECTURE,
        OLD_FILE_NAMES,
        SOURCE_RPM,
        DIRECTORY_INDEXES,
        BASE_NAMES,
        DIRECTORY_NAMES,
    }
)

Values = Mapping[int, tuple[str, ...] | tuple[int, ...]]


class Header:
    """The tags of one installed package that an inventory needs."""

    def __init__(self, values: Values) -> None:
        self._values: Final = values

    def text(self, tag: int) -> str:
        """Return a text tag, empty when the package has none."""
        values = self._values.get(tag, ())
        return str(values[0]) if values else ""

    @property
    def version(self) -> str:
        """`[epoch:]version-release`; an epoch of zero is not written."""
        epoch = self.text(EPOCH)
        prefix = f"{epoch}:" if epoch not in {"", "0"} else ""
        return f"{prefix}{self.text(VERSION)}-{self.text(RELEASE)}"

    @property
    def files(self) -> list[str]:
        """The paths that the package owns, directories included."""
        old = self._values.get(OLD_FILE_NAMES, ())
        if old:
            return [str(path) for path in old]
        directories = self._values.get(DIRECTORY_NAMES, ())
        names = self._values.get(BASE_NAMES, ())
        indexes = self._values.get(DIRECTORY_INDEXES, ())
        return [
            f"{directories[index]}{name}"
            for name, index in zip(names, indexes, strict=False)
            if isinstance(index, int) and index < len(directories)
        ]


def read_header(blob: bytes) -> Header:
    """Return the package that a header blob describes.

    Raises:
        ValueError: The blob is cut off, too large or no header.
    """
    if len(blob) > HEADER_LIMIT_BYTES:
        raise ValueError(f"an rpm header of {len(blob)} bytes is too large")
    try:
        count, size = struct.unpack_from(">II", blob)
        start = 8 + count * _ENTRY.size
        if count > _TAGS_MAX or start + size > len(blob):
            raise ValueError("an rpm header is cut off")
        values = {}
        for number in range(count):
            tag, kind, offset, length = _ENTRY.unpack_from(blob, 8 + number * _ENTRY.size)
            if tag in _WANTED:
                values[tag] = _value(blob[start : start + size], kind, (offset, length))
    except (struct.error, IndexError) as error:
        raise ValueError(f"a damaged rpm header: {error}") from error
    return Header(values)


def _value(
    data: bytes, kind: int, place: tuple[int, int]
) -> tuple[str, ...] | tuple[int, ...]:
    offset, length = place
    if kind == _INT32:
        return struct.unpack_from(f">{length}I", data, offset)
    if kind not in {_STRING, _STRING_ARRAY}:
        return ()
    count = 1 if kind == _STRING else length
    parts = data[offset:].split(b"\0", count)[:count]
    return tuple(part.decode("utf-8", "surrogateescape") for part in parts)
