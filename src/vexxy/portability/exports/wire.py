"""The archive that an organization is given: a ZIP of JSON lines and a manifest."""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Self

from vexxy.evidence import wire as frames
from vexxy.evidence.ports import BlobStore
from vexxy.evidence.types import Sums
from vexxy.kit import jsontext
from vexxy.portability.types import Archive as Stored

README: Final = """\
This archive holds what VEXxy Enterprise has of one organization.

manifest.json        what is in here, with rows and SHA-256 of each file; what is left
                     out, and why
tables/<name>.jsonl  one row a line, a JSON object of the table's columns; instants are
                     RFC 3339 in UTC, credits whole numbers, bytes hexadecimal
sboms/<id>.json      SBOMs, byte for byte as they were sent
files/<id>.<ext>     pieces of evidence, where they were asked for; the rows of
                     tables/analysis_evidence.jsonl describe them

All tables are of one instant.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the archive.

    Attributes:
        rows: Lines of a table; None for any other file.
    """

    path: str
    size_bytes: int
    sha256: str
    rows: int | None = None


class Archive:
    """A ZIP archive that is written front to back, in memory that does not grow.

    Args:
        into: A file that can be written and sought.
    """

    def __init__(self, into: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED, compresslevel=6)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def add(self, path: str, pieces: Iterable[bytes]) -> Part:
        """Write a file piece by piece."""
        digest, size = hashlib.sha256(), 0
        with self._zip.open(path, "w", force_zip64=True) as opened:
            for piece in pieces:
                digest.update(piece)
                size += len(piece)
                opened.write(piece)
        return Part(path, size, digest.hexdigest())

    def add_rows(self, path: str, rows: Iterable[str]) -> Part:
        """Write rows, a line each."""
        digest, size, count = hashlib.sha256(), 0, 0
        with self._zip.open(path, "w", force_zip64=True) as opened:
            for row in rows:
                line = row.encode() + b"\n"
                digest.update(line)
                size += len(line)
                count += 1
                opened.write(line)
        return Part(path, size, digest.hexdigest(), count)

    def describe(self, manifest: dict[str, object]) -> None:
        """Write what is in the archive; the last thing that is written."""
        self._zip.writestr("README.txt", README)
        self._zip.writestr("manifest.json", jsontext.encode(manifest, indented=True))


@dataclass(slots=True)
class Opened:
    """An archive whose stored bytes were compared with their checksum; close it."""

    _stored: BinaryIO = field(repr=False)
    _sums: Sums

    def pieces(self) -> Iterator[bytes]:
        """Return the archive, a MiB or less at a time; closes itself at the end."""
        with self._stored:
            yield from frames.unpack(self._stored, sums=self._sums)

    def close(self) -> None:
        """Forget the bytes."""
        self._stored.close()


def open_archive(store: BlobStore, archive: Stored) -> Opened:
    """Fetch the bytes of an archive; needs no database.

    Raises:
        BlobMissing: The store lost them.
        EvidenceDamaged: They are not those that were stored.
    """
    sums = Sums(
        size_bytes=archive.size_bytes,
        checksum=archive.checksum,
        stored_bytes=archive.stored_bytes,
        stored_checksum=archive.stored_checksum,
    )
    with ExitStack() as unless_whole:
        stored = unless_whole.enter_context(frames.spool())
        frames.receive(store.read(archive.path), stored, sums=sums)
        stored.seek(0)
        unless_whole.pop_all()
    return Opened(stored, sums)
