"""The database as a file that is replaced, and records stored origin by origin."""

import fcntl
import os
import shutil
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from vexxy.advisories import errors, repository
from vexxy.advisories.repository import Imported
from vexxy.advisories.types import Advisory, EcosystemReport

_BATCH: Final = 2000


@contextmanager
def replacing(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a copy of the database to change; it takes the old one's place at the end.

    Readers keep what they opened. An error, a crash or a full disk leaves the old file;
    a copy that a crash left behind is overwritten by the next writer.

    Raises:
        DatabaseBusy: Another process is writing.
        DatabaseUnreadable: What is there is no database.
        SchemaMismatch: Another version of the product wrote it.
        DatabaseNotWritten: The copy cannot be written.
    """
    new = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_name(f"{path.name}.lock").open("w") as lock:
            _lock(lock.fileno(), path)
            try:
                with closing(_copy(path, new)) as connection:
                    yield connection
                    connection.commit()
                _put(new, path)
            finally:
                new.unlink(missing_ok=True)
    except sqlite3.DatabaseError as problem:
        raise errors.DatabaseNotWritten(path, reason=str(problem)) from problem
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise errors.DatabaseNotWritten(path, reason=reason) from problem


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as problem:
        raise errors.DatabaseBusy(path) from problem


def _copy(path: Path, new: Path) -> sqlite3.Connection:
    new.unlink(missing_ok=True)
    exists = path.exists()
    if exists:
        repository.open_index(path).close()
        shutil.copyfile(path, new)
    connection = sqlite3.connect(new)
    # The copy is thrown away unless it is complete, so a journal would protect nothing.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    if exists:
        repository.upgrade(connection)
    else:
        repository.create(connection)
    return connection


def _put(new: Path, path: Path) -> None:
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Storing:
    """Stores records as they come, origin by origin."""

    def __init__(self, connection: sqlite3.Connection, *, merge: bool = False) -> None:
        self._connection = connection
        self._merge = merge
        self._waiting: dict[str, list[Advisory]] = defaultdict(list)
        self._scopes: dict[str, set[str]] = defaultdict(set)
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._before: dict[str, int] = {}

    def take(self, origin: str, advisory: Advisory) -> None:
        """Store a record, unless its id was already met."""
        if advisory.id in self._seen[origin]:
            return
        if origin not in self._before:
            self._make_room(origin)
        self._seen[origin].add(advisory.id)
        self._scopes[origin].update(ecosystem for ecosystem, _, _ in advisory.packages)
        self._waiting[origin].append(advisory)
        if len(self._waiting[origin]) >= _BATCH:
            self._flush(origin)

    def _make_room(self, origin: str) -> None:
        self._before[origin] = repository.count_records(self._connection, origin)
        if not self._merge:
            repository.remove_origin(self._connection, origin)

    def _flush(self, origin: str) -> None:
        waiting = self._waiting.pop(origin, [])
        if self._merge:
            ids = {advisory.id for advisory in waiting}
            repository.remove_records(self._connection, origin, ids)
        for advisory in waiting:
            repository.add_advisory(self._connection, advisory, origin=origin)

    def finish(self, imported: Imported) -> tuple[EcosystemReport, ...]:
        """Store what waits and write down where it came from."""
        for origin in self._before:
            self._flush(origin)
            repository.add_scopes(self._connection, origin, self._scopes[origin])
            repository.record_import(self._connection, origin, imported)
        return tuple(
            EcosystemReport(origin, len(self._seen[origin]), before)
            for origin, before in sorted(self._before.items())
        )
