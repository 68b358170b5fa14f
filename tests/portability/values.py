"""Organizations with something personal in every table."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, TextClause, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from tests.evidence.values import some_evidence
from tests.tenancy import rows
from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor, ActorType
from vexxy.evidence import service as evidence
from vexxy.evidence.ports import BlobStore
from vexxy.kit import db
from vexxy.kit.db import Database
from vexxy.portability import rules
from vexxy.portability.types import Export

MOST_PLACES = 40
ANALYSIS = text("select id from premium_analysis_jobs where organization_id = :id")
# Numbers, ids and words of ours; nobody writes a name into these columns.
OURS = {
    "state", "status", "kind", "source", "role", "stage", "tier", "catalog", "action",
    "actor_type", "event_type", "evidence_type", "content_type", "checksum", "digest",
    "currency", "aggregation", "scheduled_tier", "scheduled_interval", "parts",
    "grant_keys", "billing_interval", "storage_path", "stored_checksum", "format",
    "profile", "metric",
}  # fmt: skip
# The same of one table: tier, version, interval and status of a subscription.
OURS_IN = {"subscription_history": {"before_state", "after_state"}}


@dataclass(frozen=True, slots=True)
class Home:
    """An organization and its planted word."""

    organization_id: UUID
    word: str


def a_full_organization(url: str, system: Database, store: BlobStore, *, word: str) -> Home:
    """Store a row in every table, bytes in the store, and the word wherever it fits."""
    engine = create_engine(db.normalized(url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("set local role vexxy_system"))
        organization_id = rows.fill(connection, mark=word)
        connection.execute(text("reset role"))
        with unguarded(connection):
            assert plant(connection, organization_id, word=word) > MOST_PLACES
    with system.transaction() as session:
        analysis_id = session.scalars(ANALYSIS, {"id": organization_id}).one()
        actor = Actor(ActorType.USER, "x", ip_address="192.0.2.77", user_agent=word)
        state = {"email": f"{word}@example.com"}
        act = Act("member.invited", actor, organization_id, "user", after=state)
        audit.record(session, act)
        content = json.dumps({"by": word}).encode()
        kept = some_evidence((organization_id, analysis_id), content)
        evidence.put(session, store, kept)
    store.put(f"{rules.folder(organization_id)}/old.zip.zst", io.BytesIO(word.encode()))
    return Home(organization_id, word)


@contextmanager
def unguarded(connection: Connection) -> Iterator[None]:
    """Let the owner of the tables see their rows."""
    tables = [table.name for table in rows.tables(connection).values() if table.tenant]
    for table in tables:
        connection.execute(text(f"alter table {table} no force row level security"))
    yield
    # An update of a row that something points at is checked before a table is altered.
    connection.execute(text("set constraints all immediate"))
    for table in tables:
        connection.execute(text(f"alter table {table} force row level security"))


def plant(connection: Connection, organization_id: UUID, *, word: str) -> int:
    """Write the word into every text and JSON column that takes it; return how many."""
    # The rows of these two say what a test itself asks for.
    for table in ("organization_erasures", "organization_exports"):
        statement = text(f"delete from {table} where organization_id = :id")  # noqa: S608
        connection.execute(statement, {"id": organization_id})
    planted = 0
    for one in rows.tables(connection).values():
        if one.tenant is None or one.name in {"billing_audit_log", "billing_events"}:
            continue
        for name, kind in text_columns(connection, one.name):
            if name in OURS | OURS_IN.get(one.name, set()) or name.endswith("_id"):
                continue
            value = f"'{word}'" if kind == "text" else f"""'{{"by": "{word}"}}'::jsonb"""
            statement = text(
                f"update {one.name} set {name} = {value} where {one.tenant} = :id"  # noqa: S608
            )
            planted += attempted(connection, statement, organization_id)
    return planted


def text_columns(connection: Connection, table: str) -> list[tuple[str, str]]:
    query = text(
        "select column_name, data_type from information_schema.columns"
        " where table_schema = 'public' and table_name = :table"
        " and data_type in ('text', 'jsonb') and is_generated = 'NEVER'"
    )
    found = connection.execute(query, {"table": table})
    return [(row.column_name, row.data_type) for row in found]


def attempted(connection: Connection, statement: TextClause, organization_id: UUID) -> int:
    """Run it; where a check or a trigger refuses the word, it cannot stand."""
    point = connection.begin_nested()
    try:
        reached = connection.execute(statement, {"id": organization_id}).rowcount
    except DBAPIError:
        point.rollback()
        return 0
    point.commit()
    return reached


def places(session: Session, word: str) -> list[str]:
    """Return every table of the database in which the word stands, whatever its column."""
    connection = session.connection()
    found = []
    for table in rows.tables(connection):
        query = text(f"select count(*) from {table} t where t::text ilike :word")  # noqa: S608
        if connection.execute(query, {"word": f"%{word}%"}).scalar_one():
            found.append(table)
    return found


def contents(system: Database, organization_id: UUID) -> dict[str, list[str]]:
    """Return every row of an organization, by table."""
    found = {}
    with system.transaction() as session:
        for table in rules.TENANT:
            query = text(f"select t::text from {table.name} t where {table.column} = :id")  # noqa: S608
            values = {"id": organization_id}
            found[table.name] = sorted(session.scalars(query, values))
    return found


def unzipped(archive: bytes) -> zipfile.ZipFile:
    opened = zipfile.ZipFile(io.BytesIO(archive))
    assert opened.testzip() is None
    return opened


def lines(
    archive: zipfile.ZipFile, export: Export | None, table: str
) -> list[dict[str, object]]:
    del export
    return [json.loads(line) for line in archive.read(f"tables/{table}.jsonl").splitlines()]
