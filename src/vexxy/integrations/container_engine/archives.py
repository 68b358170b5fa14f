"""An image archive as an engine can read it: unpacked, and described in its own words."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final, cast

import zstandard

CHUNK_BYTES: Final = 1024 * 1024
BLOCK_BYTES: Final = 512
MANIFEST_NAME: Final = "manifest.json"

_UNPACKERS: Final[tuple[tuple[bytes, Callable[[BinaryIO], object]], ...]] = (
    (b"\x1f\x8b", gzip.open),
    (b"\x28\xb5\x2f\xfd", lambda raw: zstandard.ZstdDecompressor().stream_reader(raw)),
    (b"\xfd7zXZ\x00", lzma.open),
    (b"BZh", bz2.open),
)


def content(archive: Path, *, manifest: bytes | None) -> Iterator[bytes]:
    """Yield the archive as a plain tar, piece by piece.

    Args:
        archive: A tar, plain or packed with gzip, zstd, xz or bzip2.
        manifest: A docker `manifest.json` to put in front. Its paths may point into an
            OCI layout, which makes that readable for a Docker that knows no OCI.
    """
    if manifest is not None:
        yield _member(manifest)
    with archive.open("rb") as raw:
        magic = raw.read(BLOCK_BYTES)
        raw.seek(0)
        unpack = next((made for start, made in _UNPACKERS if magic.startswith(start)), None)
        stream = raw if unpack is None else cast("BinaryIO", unpack(raw))
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _member(manifest: bytes) -> bytes:
    """Return one tar member without the end of an archive after it."""
    entry = tarfile.TarInfo(MANIFEST_NAME)
    entry.size = len(manifest)
    out = io.BytesIO(entry.tobuf(tarfile.USTAR_FORMAT))
    out.seek(0, io.SEEK_END)
    out.write(manifest)
    out.write(b"\0" * (-len(manifest) % BLOCK_BYTES))
    return out.getvalue()
