"""What evidence needs from the outside."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import BinaryIO, Protocol

from vexxy.evidence.types import FoundBlob


class BlobStore(Protocol):
    """Bytes by path, on a disk or in a bucket.

    Every method raises `StoreFailed` when the store refuses or breaks off.
    """

    def put(self, path: str, blob: BinaryIO) -> None:
        """Store the whole of it, durably, replacing what was there.

        A reader sees all of it or nothing, whenever the writer is killed.
        """
        ...

    def read(self, path: str) -> Iterator[bytes]:
        """Return the bytes in pieces, none of which is empty.

        Raises:
            BlobMissing: Nothing is stored at the path; raised by the call itself.
        """
        ...

    def find_size(self, path: str) -> int | None:
        """Return how many bytes are stored at the path, or None for nothing."""
        ...

    def delete(self, paths: Sequence[str]) -> None:
        """Remove the blobs; one that is absent is no error."""
        ...

    def list_blobs(self, prefix: str) -> Iterator[FoundBlob]:
        """Return every whole blob below the folder, in no particular order."""
        ...

    def discard_unfinished(self, prefix: str, *, before: datetime) -> int:
        """Remove what killed writers left below the folder; return how many."""
        ...

    def ping(self) -> None:
        """Return when the store answers and takes new blobs, as far as is cheap to tell."""
        ...

    def link(self, path: str, *, seconds: int) -> str | None:
        """Return a URL that reads the blob without credentials, or None.

        None where the store has no such URLs. What it answers is compressed, with
        `Content-Encoding: zstd`.
        """
        ...
