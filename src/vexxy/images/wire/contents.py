"""What lies in an image archive: a digest for each file, the text of the small ones.

One pass from front to back, compressed or not, so that an archive of any size needs
little memory and no room on the disk.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import pathlib
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

import zstandard

from vexxy.images.errors import InvalidArchive
from vexxy.images.wire.tar import CHUNK_BYTES, TarReader

DOCUMENT_LIMIT_BYTES: Final = 8 * 1024 * 1024
DOCUMENTS_LIMIT_BYTES: Final = 64 * 1024 * 1024
UNPACKED_LIMIT_BYTES: Final = 64 * 1024 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
_DAMAGED: Final = (EOFError, zlib.error, zstandard.ZstdError, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class File:
    """One file of an archive.

    Attributes:
        digest: `sha256:<hex>`, or `sha512:` for a blob that is named so.
        diff_id: Digest of what a gzip file unpacks to; of the file itself otherwise.
        unpacked_bytes: Size of what `diff_id` is the digest of.
        document: The content, of JSON files up to 8 MiB only.
    """

    size_bytes: int
    digest: str
    diff_id: str
    unpacked_bytes: int
    document: bytes | None


def read_contents(path: pathlib.Path) -> Mapping[str, File]:
    """Return every file of a tar (plain, gzip, zstd, xz, bzip2) or folder by its name.

    Links inside the archive are followed. A blob whose content is not what its name says
    is an error.

    Raises:
        InvalidArchive: Damaged, cut off, hostile or no tar.
    """
    collector = _Collector()
    if path.is_dir():
        for name, file in _folder_files(path):
            with file:
                collector.add(name, iter(lambda f=file: f.read(CHUNK_BYTES), b""))  # type: ignore[misc]
        return collector.files
    links: dict[str, str] = {}
    try:
        with unpacked(path) as stream:
            reader = TarReader(stream)
            for member in reader:
                if member.is_file:
                    collector.add(member.name, reader.content())
                elif member.link_target is not None:
                    links[member.name] = member.link_target
    except _DAMAGED as error:
        raise InvalidArchive(
            f"{path.name} is damaged or cut off: {error}",
            hint="it was probably not copied or downloaded to its end; fetch it again",
        ) from error
    except OSError as error:  # gzip.BadGzipFile is one
        reason = error.strerror or str(error)
        raise InvalidArchive(f"{path.name} could not be read: {reason}") from error
    return collector.files | _linked(collector.files, links)


def _folder_files(root: pathlib.Path) -> Iterator[tuple[str, BinaryIO]]:
    """Yield the regular files of an OCI layout folder; links are not followed."""
    for directory, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = pathlib.Path(directory, name)
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            file = os.fdopen(descriptor, "rb")
            if stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield path.relative_to(root).as_posix(), file
            else:
                file.close()


@contextmanager
def unpacked(path: pathlib.Path) -> Iterator[BinaryIO]:
    """Open a file, unpacking on the way what gzip, zstd, xz or bzip2 compressed."""
    with path.open("rb") as raw:
        magic = raw.read(6)
        raw.seek(0)
        unpack = next((made for start, made in _UNPACKERS if magic.startswith(start)), None)
        if unpack is None:
            yield raw
            return
        with unpack(raw) as stream:
            yield stream


def _gzip(raw: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw))


def _zstd(raw: BinaryIO) -> BinaryIO:
    reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    return cast("BinaryIO", reader)


def _xz(raw: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", lzma.LZMAFile(raw))


def _bzip2(raw: BinaryIO) -> BinaryIO:
    return cast("BinaryIO", bz2.BZ2File(raw))


_UNPACKERS: Final = (
    (_GZIP, _gzip),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\xfd7zXZ\x00", _xz),
    (b"BZh", _bzip2),
)


def _linked(files: Mapping[str, File], links: Mapping[str, str]) -> dict[str, File]:
    """Return the files that links lead to, chains of links included."""
    found = {}
    for name, target in links.items():
        for _ in range(8):
            if target not in links:
                break
            target = links[target]  # noqa: PLW2901  following the chain is the point
        if target in files:
            found[name] = files[target]
    return found


class _Collector:
    def __init__(self) -> None:
        self.files: Final[dict[str, File]] = {}
        self._documents_bytes = 0
        self._unpacked_bytes = 0

    def add(self, name: str, content: Iterable[bytes]) -> None:
        """Digest one file; refuse a blob that is not what its name says."""
        named = _digest_of_blob(name)
        algorithm = named.partition(":")[0] if named else "sha256"
        digest, size, unpacker = hashlib.new(algorithm), 0, None
        kept: list[bytes] | None = None
        for chunk in content:
            if not size:
                kept = [] if chunk.lstrip()[:1] in {b"{", b"["} else None
                unpacker = _Unpacker() if chunk.startswith(_GZIP) else None
            size += len(chunk)
            digest.update(chunk)
            if unpacker is not None:
                unpacker.update(chunk)
            if kept is not None:
                kept = self._keep(kept, chunk, size)
        self._unpacked_bytes += size
        if self._unpacked_bytes > UNPACKED_LIMIT_BYTES:
            raise _too_large()
        written = f"{algorithm}:{digest.hexdigest()}"
        if named and named != written:
            raise InvalidArchive(
                f"the blob {named} is corrupt: its content has the digest {written}",
                hint="the archive was changed or damaged; make or fetch it again",
            )
        diff_id = unpacker.digest() if unpacker else written
        document = b"".join(kept) if kept is not None else None
        unpacked = unpacker.size_bytes if unpacker else size
        self.files[name] = File(size, written, diff_id, unpacked, document)

    def _keep(self, kept: list[bytes], chunk: bytes, size: int) -> list[bytes] | None:
        if size > DOCUMENT_LIMIT_BYTES:
            self._documents_bytes -= sum(len(part) for part in kept)
            return None
        self._documents_bytes += len(chunk)
        if self._documents_bytes > DOCUMENTS_LIMIT_BYTES:
            raise InvalidArchive("the archive holds more JSON than any image needs")
        kept.append(chunk)
        return kept


class _Unpacker:
    """Digests what a gzip stream unpacks to, in bounded memory."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(wbits=31)
        self._digest: Final = hashlib.sha256()
        self._damaged = False
        self.size_bytes = 0

    def update(self, chunk: bytes) -> None:
        """Take the next compressed bytes; several gzip members may follow each other."""
        while chunk and not self._damaged:
            try:
                unpacked = self._inflater.decompress(chunk, CHUNK_BYTES)
            except zlib.error:
                self._damaged = True
                return
            self._digest.update(unpacked)
            self.size_bytes += len(unpacked)
            if self.size_bytes > UNPACKED_LIMIT_BYTES:
                raise _too_large()
            chunk = self._inflater.unconsumed_tail
            if self._inflater.eof:
                chunk = self._inflater.unused_data
                self._inflater = zlib.decompressobj(wbits=31)

    def digest(self) -> str:
        """Return the digest, empty when the stream was damaged."""
        return "" if self._damaged else f"sha256:{self._digest.hexdigest()}"


def _too_large() -> InvalidArchive:
    return InvalidArchive("the archive unpacks to more than any image holds")


def _digest_of_blob(name: str) -> str | None:
    """Return the digest that a blob's path promises, None for other files."""
    parts = name.split("/")
    if len(parts) != 3 or parts[0] != "blobs" or parts[1] not in {"sha256", "sha512"}:  # noqa: PLR2004  blobs/ALGORITHM/ENCODED
        return None
    return f"{parts[1]}:{parts[2]}"
