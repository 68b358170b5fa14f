"""Blobs in a bucket: S3, MinIO and others that speak S3, Google Cloud Storage."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, Final

import obstore
from obstore.store import GCSStore, S3Store

from vexxy.integrations.object_storage.blobs import PART_BYTES, PARTS_AT_ONCE, Blobs
from vexxy.integrations.object_storage.failures import told

if TYPE_CHECKING:  # exists for type checkers only
    from obstore import Attributes

# What a browser is told that follows a presigned URL: unpack it, save it, do not show it.
_ATTRIBUTES: Final["Attributes"] = {
    "Content-Type": "application/octet-stream",
    "Content-Encoding": "zstd",
    "Content-Disposition": "attachment",
}


class Bucket(Blobs):
    """Blobs in one bucket, below one prefix.

    What a killed writer leaves of a blob in parts is invisible here; a life-cycle rule
    of the bucket that aborts unfinished uploads removes it (docs/evidence.md).
    """

    def __init__(self, store: S3Store | GCSStore, *, presigned: bool) -> None:
        super().__init__(lambda: store)
        self._bucket = store
        self._presigned = presigned

    def put(self, path: str, blob: BinaryIO) -> None:
        """Store the whole of it; the server publishes it when all has arrived."""
        with told("store a blob"):
            obstore.put(
                self._bucket,
                path,
                blob,
                attributes=_ATTRIBUTES,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )

    def delete(self, paths: Sequence[str]) -> None:
        """Remove the blobs; S3 removes a thousand with one request."""
        if not paths:
            return
        with told("remove blobs"):
            try:
                obstore.delete(self._bucket, paths)
            except FileNotFoundError:
                # Google Cloud Storage stops at an absent one.
                self._delete_each(paths)

    def discard_unfinished(self, prefix: str, *, before: datetime) -> int:
        """Remove nothing: unfinished uploads are the bucket's own to forget."""
        del prefix, before
        return 0

    def ping(self) -> None:
        """List at most one blob; an absent bucket or refused credentials fail."""
        with told("answer"):
            next(iter(obstore.list(self._bucket, chunk_size=1)), None)

    def link(self, path: str, *, seconds: int) -> str | None:
        """Return a presigned URL, or None where that is not wanted."""
        if not self._presigned:
            return None
        with told("sign a link"):
            return obstore.sign(self._bucket, "GET", path, timedelta(seconds=seconds))
