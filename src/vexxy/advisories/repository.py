"""All SQL of the advisory database."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

import msgspec

from vexxy.advisories import errors, models
from vexxy.advisories.rules import grouping
from vexxy.advisories.types import (
    Advisory,
    Affected,
    Details,
    EcosystemStatus,
    ImportReport,
    OverlayLine,
    Precondition,
    Symbol,
)
from vexxy.kit import clock

_TABLES: Final = ("advisory", "affected", "alias", "scope")
# SQLite takes 32,766 variables in one statement; smaller statements stay cached.
_BATCH: Final = 500

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_affected: Final = msgspec.msgpack.Decoder(tuple[Affected, ...]).decode
_Terms = tuple[tuple[str, ...], tuple[Precondition, ...]]
_decode_terms: Final = msgspec.msgpack.Decoder(_Terms).decode
_decode_details: Final = msgspec.msgpack.Decoder(Details).decode


class Index:
    """Stored advisories, open for reading; close it, or use it in a `with`.

    Attributes:
        report: What was loaded, for an index that was made from files; else None.
    """

    def __init__(
        self, connection: sqlite3.Connection, *, report: ImportReport | None = None
    ) -> None:
        self._connection = connection
        self.report = report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the file back; closing twice is fine."""
        self._connection.close()

    def list_scopes(self) -> tuple[str, ...]:
        """Return every ecosystem, with release, that an advisory names."""
        query = "SELECT DISTINCT ecosystem FROM scope ORDER BY ecosystem"
        return tuple(name for (name,) in self._connection.execute(query))

    def list_affected(
        self, ecosystem: str, name: str
    ) -> list[tuple[str, tuple[Affected, ...]]]:
        """Return record id and what it says, for each record about the package."""
        query = "SELECT id, body FROM affected WHERE ecosystem = ? AND name = ?"
        rows = self._connection.execute(query, (ecosystem, name))
        return [(record_id, _decode_affected(body)) for record_id, body in rows]

    def find_details(self, ids: Iterable[str]) -> dict[str, tuple[Details, ...]]:
        """Return what records say, by id; unknown ids are left out."""
        found: dict[str, list[Details]] = defaultdict(list)
        query = "SELECT id, body FROM advisory WHERE id IN"
        for record_id, body in self._by_ids(query, sorted(ids)):
            found[record_id].append(_decode_details(body))
        return {record_id: tuple(many) for record_id, many in found.items()}

    def find_neighbors(self, ids: Collection[str]) -> Mapping[str, set[str]]:
        """Return the ids that some record calls the same, for each of these."""
        found: dict[str, set[str]] = defaultdict(set)
        query = "SELECT id, other FROM alias WHERE id IN"
        for one, other in self._by_ids(query, sorted(ids)):
            found[one].add(other)
        return found

    def _by_ids(self, query: str, ids: Sequence[str]) -> Iterator[tuple[str, Any]]:
        for start in range(0, len(ids), _BATCH):
            batch = ids[start : start + _BATCH]
            marks = ",".join("?" * len(batch))
            yield from self._connection.execute(f"{query} ({marks})", batch)

    def list_overlay(self, ecosystem: str, package: str) -> tuple[OverlayLine, ...]:
        """Return the functions derived on this machine for a package."""
        return self._overlay("WHERE ecosystem = ? AND package = ?", (ecosystem, package))

    def list_overlays(self) -> tuple[OverlayLine, ...]:
        """Return every function that was derived on this machine."""
        return self._overlay("", ())

    def _overlay(self, where: str, values: tuple[str, ...]) -> tuple[OverlayLine, ...]:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        terms = "terms" if version >= models.SCHEMA_VERSION else "NULL"
        columns = "ecosystem, package, vulnerability_id, module, name, provenance"
        query = f"SELECT {columns}, confidence, {terms} FROM overlay {where}"  # noqa: S608  constants of this class
        rows = self._connection.execute(query, values)
        return tuple(
            OverlayLine(ecosystem, package, vulnerability, _symbol(*rest))
            for ecosystem, package, vulnerability, *rest in rows
        )

    def list_of_records(
        self, ids: Collection[str]
    ) -> Iterator[tuple[str, str, str, tuple[Affected, ...]]]:
        """Yield ecosystem, package, record and what it says, for records by id."""
        marks = ",".join("?" * len(ids))
        query = f"SELECT ecosystem, name, id, body FROM affected WHERE id IN ({marks})"  # noqa: S608  marks only
        for *key, body in self._connection.execute(query, sorted(ids)[:_BATCH]):
            ecosystem, name, record = key
            yield ecosystem, name, record, _decode_affected(body)

    def count_overlay(self) -> int:
        """Return how many functions were derived on this machine."""
        (count,) = self._connection.execute("SELECT count(*) FROM overlay").fetchone()
        return int(count)

    def list_ecosystems(self) -> tuple[EcosystemStatus, ...]:
        """Return what was imported, by name."""
        query = (
            "SELECT name, imported_at, source, records, with_symbols, symbols "
            "FROM ecosystem ORDER BY name"
        )
        return tuple(
            EcosystemStatus(name, clock.parse_rfc3339(at), *rest)
            for name, at, *rest in self._connection.execute(query)
        )

    def find_validator(self, ecosystem: str, source: str) -> str | None:
        """Return the ETag that was stored with the ecosystem from this source."""
        query = "SELECT validator FROM ecosystem WHERE name = ? AND source = ?"
        row = self._connection.execute(query, (ecosystem, source)).fetchone()
        return row[0] if row else None


def open_index(path: Path) -> Index:
    """Open the database read-only; nothing on disk is changed, not even a lock file.

    Raises:
        DatabaseNotFound: There is no file.
        DatabaseUnreadable: The file is something else, or damaged.
        SchemaMismatch: Another version of the product wrote it.
    """
    if not path.is_file():
        raise errors.DatabaseNotFound(path)
    # A database is replaced, never changed in place, so it needs no locks.
    address = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True)
        check_schema(connection, path)
    except sqlite3.Error as problem:
        raise errors.DatabaseUnreadable(path, reason=str(problem)) from problem
    return Index(connection)


def check_schema(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file that this version cannot read.

    Raises:
        DatabaseUnreadable: It is no advisory database.
        SchemaMismatch: Another version of the product wrote it.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != models.APPLICATION_ID:
        connection.close()
        raise errors.DatabaseUnreadable(path, reason="it is a database of something else")
    if not models.OLDEST_READABLE <= version <= models.SCHEMA_VERSION:
        connection.close()
        raise errors.SchemaMismatch(path, found=version, expected=models.SCHEMA_VERSION)


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the tables of an older version up to date; nothing stored is lost."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for known in range(version, models.SCHEMA_VERSION):
        connection.executescript(models.UPGRADES[known])


def _symbol(
    module: str, name: str, provenance: str, *given: float | bytes | None
) -> Symbol:
    confidence, terms = given
    platforms, preconditions = (
        _decode_terms(terms) if isinstance(terms, bytes) else ((), ())
    )
    score = confidence if isinstance(confidence, float) else 1.0
    return Symbol(module, name, provenance, score, platforms, preconditions)


def create(connection: sqlite3.Connection) -> None:
    """Create the tables in an empty database."""
    connection.executescript(models.SCHEMA)
    connection.execute(f"PRAGMA application_id = {models.APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {models.SCHEMA_VERSION}")


def count_records(connection: sqlite3.Connection, origin: str) -> int:
    """Return how many records an origin has."""
    query = "SELECT count(*) FROM advisory WHERE origin = ?"
    (count,) = connection.execute(query, (origin,)).fetchone()
    return int(count)


def remove_origin(connection: sqlite3.Connection, origin: str) -> None:
    """Remove every record of an origin; the overlay stays."""
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table} WHERE origin = ?", (origin,))  # noqa: S608  a constant of this module


def remove_records(
    connection: sqlite3.Connection, origin: str, ids: Collection[str]
) -> None:
    """Remove the named records of an origin, in one pass over each table."""
    connection.execute("CREATE TEMP TABLE gone (id TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.executemany("INSERT OR IGNORE INTO gone VALUES (?)", ((i,) for i in ids))
    for table in ("advisory", "affected", "alias"):
        connection.execute(
            f"DELETE FROM {table} WHERE origin = ? AND id IN (SELECT id FROM gone)",  # noqa: S608  a constant of this module
            (origin,),
        )
    connection.execute("DROP TABLE gone")


def add_advisory(
    connection: sqlite3.Connection, advisory: Advisory, *, origin: str
) -> None:
    """Store a record that its origin does not have yet."""
    record_id, details, packages = advisory
    connection.execute(
        "INSERT INTO advisory VALUES (?, ?, ?)", (record_id, origin, _encode(details))
    )
    by_package: dict[tuple[str, str], list[Affected]] = defaultdict(list)
    for ecosystem, name, affected in packages:
        by_package[ecosystem, name].append(affected)
    connection.executemany(
        "INSERT INTO affected VALUES (?, ?, ?, ?, ?)",
        ((*key, record_id, origin, _encode(many)) for key, many in by_package.items()),
    )
    same = grouping.same(grouping.Ids(record_id, details.aliases, details.upstream))
    pairs = [(record_id, one) for one in same] + [(one, record_id) for one in same]
    connection.executemany(
        "INSERT OR IGNORE INTO alias VALUES (?, ?, ?)",
        ((one, other, origin) for one, other in pairs),
    )


def add_scopes(
    connection: sqlite3.Connection, origin: str, ecosystems: Iterable[str]
) -> None:
    """Note which ecosystems, with release, the records of an origin name."""
    connection.executemany(
        "INSERT OR IGNORE INTO scope VALUES (?, ?)",
        ((ecosystem, origin) for ecosystem in ecosystems),
    )


class Imported(NamedTuple):
    """Where and when an origin was imported from."""

    source: str
    at: datetime
    validator: str | None = None


def record_import(connection: sqlite3.Connection, origin: str, imported: Imported) -> None:
    """Write down where an origin came from, and count what it has."""
    named = 0
    records: set[str] = set()
    query = "SELECT id, body FROM affected WHERE origin = ?"
    for record_id, body in connection.execute(query, (origin,)):
        symbols = {symbol for one in _decode_affected(body) for symbol in one.symbols}
        if symbols:
            named += len(symbols)
            records.add(record_id)
    connection.execute(
        "INSERT OR REPLACE INTO ecosystem VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            origin,
            clock.rfc3339(imported.at),
            imported.source,
            imported.validator,
            count_records(connection, origin),
            len(records),
            named,
        ),
    )


def touch_import(connection: sqlite3.Connection, origin: str, at: datetime) -> None:
    """Note that what is stored is still what its source serves."""
    connection.execute(
        "UPDATE ecosystem SET imported_at = ? WHERE name = ?", (clock.rfc3339(at), origin)
    )


def replace_overlay(connection: sqlite3.Connection, lines: Iterable[OverlayLine]) -> None:
    """Store derived functions, in place of those of the same packages."""
    kept = tuple(lines)
    connection.executemany(
        "DELETE FROM overlay WHERE ecosystem = ? AND package = ?",
        {(line.ecosystem, line.package) for line in kept},
    )
    connection.executemany(
        "INSERT OR REPLACE INTO overlay VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                line.ecosystem,
                line.package,
                line.vulnerability_id,
                line.symbol.module,
                line.symbol.name,
                line.symbol.confidence,
                line.symbol.provenance,
                _encode((line.symbol.platforms, line.symbol.preconditions)),
            )
            for line in kept
        ),
    )


def in_memory() -> sqlite3.Connection:
    """Return an empty database that lives as long as its connection."""
    connection = sqlite3.connect(":memory:")
    create(connection)
    return connection
