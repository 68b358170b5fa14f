"""Folders, zips and gzips of OSV records, read within bounds."""

import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from vexxy.advisories.errors import NothingToImport
from vexxy.advisories.types import Rejected

RECORD_BYTES_MAX: Final = 32 << 20
TOTAL_BYTES_MAX: Final = 12 << 30
DIRECTORY_BYTES_MAX: Final = 256 << 20
_SUFFIXES: Final = (".json", ".json.gz", ".zip")
_CORRUPT: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,  # a compression method that nobody uses
    RuntimeError,  # an encrypted member
)


class Member(NamedTuple):
    """A file that may be a record.

    Attributes:
        progress: How much of the whole lies behind, 0-1.
    """

    path: str
    content: bytes
    progress: float


class Budget:
    """How many unpacked bytes may still be read; a bomb ends here."""

    def __init__(self, total_bytes: int = TOTAL_BYTES_MAX) -> None:
        self.left_bytes = total_bytes

    def spend(self, size_bytes: int, source: str) -> None:
        """Take note of what was read.

        Raises:
            NothingToImport: More than the whole import may unpack.
        """
        self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            raise NothingToImport(source, reason="it unpacks to an unreasonable size")


def read(path: Path, budget: Budget) -> Iterator[Member | Rejected]:
    """Yield the JSON files under a folder, in a zip, or the one file that `path` is.

    Zips inside a folder are opened, zips inside a zip are not. Other kinds of files
    are passed over. What cannot be read is yielded as rejected, with its path.

    Raises:
        NothingToImport: The path does not exist, is no archive and no folder, or
            unpacks beyond the budget.
    """
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if _wanted(one.name))
        for place, one in enumerate(files):
            if one.is_file():
                yield from _file(one, budget, done=(place, len(files)))
    elif not path.is_file():
        raise NothingToImport(str(path), reason="there is no such file or folder")
    elif not _wanted(path.name) and not zipfile.is_zipfile(path):
        raise NothingToImport(str(path), reason="it is neither JSON nor a zip")
    else:
        yield from _file(path, budget, done=(0, 1))


def _wanted(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _file(
    path: Path, budget: Budget, *, done: tuple[int, int]
) -> Iterator[Member | Rejected]:
    place, total = done
    name = path.name.lower()
    try:
        if name.endswith((".json", ".json.gz")):
            with gzip.open(path) if name.endswith(".gz") else path.open("rb") as stream:
                content = stream.read(RECORD_BYTES_MAX + 1)
            budget.spend(len(content), str(path))
            yield _checked(str(path), content, place / total)
        else:
            for one in _zip(path, budget):
                if isinstance(one, Member):
                    share = (place + one.progress) / total
                    yield one._replace(progress=share)
                else:
                    yield one
    except _CORRUPT as problem:
        yield Rejected(str(path), f"cannot be read: {problem}", damaged=True)


def _checked(path: str, content: bytes, progress: float) -> Member | Rejected:
    if len(content) > RECORD_BYTES_MAX:
        return Rejected(path, f"larger than {RECORD_BYTES_MAX >> 20} MiB")
    return Member(path, content, progress)


def _zip(path: Path, budget: Budget) -> Iterator[Member | Rejected]:
    if _directory_bytes(path) > DIRECTORY_BYTES_MAX:
        yield Rejected(str(path), "its table of contents is unreasonably large")
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        for place, info in enumerate(members):
            if info.is_dir() or not info.filename.lower().endswith((".json", ".json.gz")):
                continue
            shown = f"{path}!{info.filename}"
            try:
                content = _member(archive, info)
            except _CORRUPT as problem:
                yield Rejected(shown, f"cannot be read: {problem}", damaged=True)
                continue
            budget.spend(len(content), str(path))
            yield _checked(shown, content, place / len(members))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read one more byte than a record may have, whatever the archive announces."""
    with archive.open(info) as stream:
        if not info.filename.lower().endswith(".gz"):
            return stream.read(RECORD_BYTES_MAX + 1)
        with gzip.GzipFile(fileobj=stream) as unpacked:
            return unpacked.read(RECORD_BYTES_MAX + 1)


_END_OF_DIRECTORY: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_END_SEARCH_BYTES: Final = (1 << 16) + _END_OF_DIRECTORY.size + 20 + _END_64.size
_IS_64: Final = 0xFFFFFFFF


def _directory_bytes(path: Path) -> int:
    """Return the announced size of the central directory, before it is read.

    Python reads it whole. APPNOTE.TXT 6.3, sections 4.3.14 and 4.3.16; 0 if not found,
    and then zipfile refuses the file by itself.
    """
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _END_SEARCH_BYTES))
        tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END_OF_DIRECTORY.size:
        return 0
    size = int(_END_OF_DIRECTORY.unpack_from(tail, at)[5])
    at_64 = tail.rfind(b"PK\x06\x06", 0, at)
    if size == _IS_64 and at_64 >= 0 and len(tail) - at_64 >= _END_64.size:
        return int(_END_64.unpack_from(tail, at_64)[8])
    return size
