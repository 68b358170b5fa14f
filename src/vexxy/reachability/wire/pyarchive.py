"""Python code in a zip archive (PEP 273, PEP 441), whatever stands before the archive."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from vexxy.reachability.errors import Unparsable

SUFFIXES: Final = (".py", ".pyc", ".pyw")
NATIVE: Final = ".so"
NESTED: Final = (".whl", ".egg", ".zip", ".pyz", ".pex")
START_MARK: Final = b"PK\x03\x04"
END_MARK: Final = b"PK\x05\x06"
END_BYTES_MAX: Final = 65_557
CONTENT_BYTES_MAX: Final = 512 * 1024 * 1024
DEPTH_MAX: Final = 3
DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, OSError, EOFError,
    ValueError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive that Python could load; archives in it are opened."""

    name: str
    content: bytes


def is_archive(content: bytes) -> bool:
    """Return whether the bytes are a zip archive; a program may come before it."""
    if content.rfind(END_MARK, -END_BYTES_MAX) < 0:
        return False
    if content.startswith(START_MARK):
        return True
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return bool(archive.namelist())
    except DAMAGED:
        # The mark alone: a program that can read archives has it among its constants.
        return False


def top_level(content: bytes) -> frozenset[str]:
    """Return the names that can be imported when the archive is on the search path.

    Raises:
        Unparsable: It cannot be read.
    """
    if not is_archive(content):
        return frozenset()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except DAMAGED as error:
        raise _damaged(error) from error
    code = (name for name in names if name.endswith((*SUFFIXES, NATIVE)))
    found = {name.partition("/")[0].partition(".")[0] for name in code}
    return frozenset(found - {"__main__", "__init__", ""})


def members(content: bytes, *, depth: int = DEPTH_MAX) -> Iterator[Member]:
    """Yield the code in an archive, that of archives inside it included.

    Raises:
        Unparsable: It is damaged, encrypted, or larger than anything sensible.
    """
    left = CONTENT_BYTES_MAX
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                nested = info.filename.endswith(NESTED) and depth > 0
                if not nested and not info.filename.endswith((*SUFFIXES, NATIVE)):
                    continue
                left -= info.file_size
                if left < 0:
                    raise Unparsable("holds more code than is looked into")
                inner = archive.read(info)
                if nested:
                    yield from members(inner, depth=depth - 1)
                else:
                    yield Member(info.filename, inner)
    except DAMAGED as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> Unparsable:
    return Unparsable(f"is a damaged or encrypted archive ({error})")
