"""What a disk and a bucket have in common, because obstore makes them alike."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

import obstore
from obstore.store import GCSStore, LocalStore, S3Store

from vexxy.evidence.errors import BlobMissing
from vexxy.evidence.types import FoundBlob
from vexxy.integrations.object_storage.failures import told

if TYPE_CHECKING:  # exists for type checkers only
    from obstore import BytesStream

# Larger blobs travel in parts of this size, two at a time: 16 MiB of memory at most.
PART_BYTES: Final = 8 * 1024 * 1024
PARTS_AT_ONCE: Final = 2
_PIECE_BYTES: Final = 1024 * 1024


class Blobs:
    """Reading, asking for and listing blobs.

    Args:
        opened: Returns obstore's store; asked for at each act, so it may open it late.
    """

    def __init__(self, opened: Callable[[], LocalStore | S3Store | GCSStore]) -> None:
        self._opened = opened

    def read(self, path: str) -> Iterator[bytes]:
        """Return the stored bytes; an absent blob is an error of the call itself."""
        with told("read a blob"):
            try:
                found = obstore.get(self._opened(), path)
            except FileNotFoundError as error:
                raise BlobMissing from error
            stream = found.stream(min_chunk_size=_PIECE_BYTES)
        return _pieces(stream)

    def find_size(self, path: str) -> int | None:
        """Return how many bytes are stored at the path, or None for nothing."""
        with told("look for a blob"):
            try:
                return obstore.head(self._opened(), path)["size"]
            except FileNotFoundError:
                return None

    def list_blobs(self, prefix: str) -> Iterator[FoundBlob]:
        """Return what is below the folder, fetched a page at a time."""
        with told("list blobs"):
            for page in obstore.list(self._opened(), prefix):
                for meta in page:
                    yield FoundBlob(
                        path=meta["path"],
                        size_bytes=meta["size"],
                        modified_at=meta["last_modified"],
                    )

    def _delete_each(self, paths: Iterable[str]) -> None:
        for path in paths:
            try:
                obstore.delete(self._opened(), path)
            except FileNotFoundError:
                continue


def _pieces(stream: "BytesStream") -> Iterator[bytes]:
    with told("read a blob"):
        for piece in stream:
            if piece:
                yield bytes(piece)
