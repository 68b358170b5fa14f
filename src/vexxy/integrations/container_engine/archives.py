"""An image archive as an engine can read it: unpacked, and described in its own words."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vexxy.images.wire.contents import unpacked

CHUNK_BYTES: Final = 1024 * 1024
BLOCK_BYTES: Final = 512
MANIFEST_NAME: Final = "manifest.json"


def content(archive: Path, *, manifest: bytes | None) -> Iterator[bytes]:
    """Yield the archive as a plain tar, piece by piece.

    Args:
        archive: A tar, plain or packed with gzip, zstd, xz or bzip2.
        manifest: A docker `manifest.json` to put in front. Its paths may point into an
            OCI layout, which makes that readable for a Docker that knows no OCI.
    """
    if manifest is not None:
        yield _member(manifest)
    with unpacked(archive) as stream:
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
