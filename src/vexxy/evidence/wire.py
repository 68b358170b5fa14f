"""Content ↔ the bytes that are stored: one zstd frame (RFC 8878) with its checksum."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

import zstandard

from vexxy.evidence.errors import EvidenceDamaged, EvidenceTooLarge
from vexxy.evidence.types import Content, Sums

PIECE_BYTES: Final = 1024 * 1024
# Up to here in memory, beyond on disk: most evidence never touches the disk twice.
SPOOL_BYTES: Final = 8 * 1024 * 1024
_LEVEL: Final = 3
# A reader needs no more memory for a frame than this, whatever the frame says.
_WINDOW_BYTES_MAX: Final = 8 * 1024 * 1024


def spool() -> BinaryIO:
    """Return a nameless file that stays in memory while it is small."""
    opened = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  handed on
    return cast("BinaryIO", opened)


def pieces(content: Content) -> Iterator[bytes]:
    """Return the content in pieces."""
    if isinstance(content, bytes):
        for start in range(0, len(content), PIECE_BYTES):
            yield content[start : start + PIECE_BYTES]
    elif isinstance(content, Path):
        with content.open("rb") as stream:
            yield from read(stream)
    else:
        yield from content


def read(stream: BinaryIO) -> Iterator[bytes]:
    """Return what is left of a stream in pieces."""
    while piece := stream.read(PIECE_BYTES):
        yield piece


def pack(content: Iterable[bytes], into: BinaryIO, *, bytes_max: int) -> Sums:
    """Write the compressed content; return what it is and what was written.

    Raises:
        EvidenceTooLarge: The content is over the limit; reading stopped there.
    """
    plain, stored = hashlib.sha256(), hashlib.sha256()
    size = stored_size = 0
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    for piece in content:
        size += len(piece)
        if size > bytes_max:
            raise EvidenceTooLarge(bytes_max=bytes_max)
        plain.update(piece)
        if compressed := compressor.compress(piece):
            stored.update(compressed)
            stored_size += into.write(compressed)
    rest = compressor.flush()
    stored.update(rest)
    stored_size += into.write(rest)
    return Sums(
        size_bytes=size,
        checksum=plain.hexdigest(),
        stored_bytes=stored_size,
        stored_checksum=stored.hexdigest(),
    )


def receive(stored: Iterable[bytes], into: BinaryIO, *, sums: Sums) -> None:
    """Write the stored bytes; they are the ones that were stored, or nothing is used.

    Raises:
        EvidenceDamaged: More, fewer or other bytes than were stored.
    """
    digest = hashlib.sha256()
    size = 0
    for piece in stored:
        size += len(piece)
        if size > sums.stored_bytes:
            raise EvidenceDamaged("the store has more bytes than were written")
        digest.update(piece)
        into.write(piece)
    if size < sums.stored_bytes:
        raise EvidenceDamaged(f"{sums.stored_bytes - size} bytes are missing")
    if digest.hexdigest() != sums.stored_checksum:
        raise EvidenceDamaged("its checksum differs")


def unpack(stored: BinaryIO, *, sums: Sums) -> Iterator[bytes]:
    """Return the content in pieces of bounded size.

    The stored bytes were compared with their checksum before (`receive`); this one
    catches a row that names the wrong bytes, and ends without the last piece then.

    Raises:
        EvidenceDamaged: Not what was kept.
    """
    digest = hashlib.sha256()
    size = 0
    held = b""
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW_BYTES_MAX)
    try:
        with decompressor.stream_reader(stored, closefd=False) as reader:
            while piece := reader.read(PIECE_BYTES):
                size += len(piece)
                if size > sums.size_bytes:
                    raise EvidenceDamaged("it unpacks to more bytes than were kept")
                digest.update(piece)
                if held:
                    yield held
                held = piece
    except zstandard.ZstdError as error:
        raise EvidenceDamaged("it does not unpack") from error
    if size != sums.size_bytes or digest.hexdigest() != sums.checksum:
        raise EvidenceDamaged("it unpacks to other bytes than were kept")
    if held:
        yield held
