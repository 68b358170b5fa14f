"""Blobs on a disk of this machine, or on one that is mounted here."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

import obstore
from obstore.store import LocalStore

from vexxy.integrations.object_storage.blobs import PART_BYTES, PARTS_AT_ONCE, Blobs
from vexxy.integrations.object_storage.failures import told

# How obstore names a file until it is whole; it lists none of them.
_UNFINISHED: Final = re.compile(r"#\d+$")


class LocalDisk(Blobs):
    """Blobs below one directory, which nobody else may read.

    The directory is made by the first act that needs it, not when a process starts.
    """

    def __init__(self, directory: Path) -> None:
        self._root = directory.absolute()
        self._store: LocalStore | None = None
        super().__init__(self._open)

    def _open(self) -> LocalStore:
        if self._store is None:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._store = LocalStore(self._root, automatic_cleanup=True)
        return self._store

    def put(self, path: str, blob: BinaryIO) -> None:
        """Store the whole of it; on return it survives a loss of power.

        A bucket promises that. obstore renames into place and leaves the rest to the
        kernel, so the file, and every folder that may be new, is written through here.
        """
        with told("store a blob"):
            obstore.put(
                self._open(),
                path,
                blob,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
            written = self._root / path
            _write_through(written)
            for folder in written.parents:
                _write_through(folder)
                if folder == self._root:
                    break

    def delete(self, paths: Sequence[str]) -> None:
        """Remove the blobs and the folders that are empty then."""
        with told("remove blobs"):
            self._delete_each(paths)

    def discard_unfinished(self, prefix: str, *, before: datetime) -> int:
        """Remove files that a writer began before the instant and never finished."""
        discarded = 0
        with told("remove unfinished blobs"):
            for path in (self._root / prefix).rglob("*"):
                if _UNFINISHED.search(path.name) and _modified_at(path) < before:
                    path.unlink(missing_ok=True)
                    discarded += 1
        return discarded

    def ping(self) -> None:
        """Look whether the directory, or the one it will be made in, takes files."""
        with told("take files"):
            there = next(
                path for path in (self._root, *self._root.parents) if path.exists()
            )
            if not (there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK)):
                raise PermissionError

    def link(self, path: str, *, seconds: int) -> str | None:
        """Return None: a disk has no URLs."""
        del path, seconds
        return None


def _write_through(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _modified_at(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
