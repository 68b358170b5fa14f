"""SQL of exports; every query sees what row-level security lets it see."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.kit import ids
from vexxy.portability.models import ErasureRow, ExportRow
from vexxy.portability.types import Archive, Export, ExportState, Table, Wanted

UNFINISHED = (ExportState.QUEUED.value, ExportState.RUNNING.value)
# Rows in memory at once; of tables whose rows may have megabytes, a few.
_BATCH, _BATCH_LARGE = 500, 4


def add(session: Session, wanted: Wanted) -> UUID | None:
    """Store a new export; None where one of the organization is unfinished."""
    statement = (
        insert(ExportRow)
        .values(
            id=ids.new_id(),
            organization_id=wanted.organization_id,
            requested_by=wanted.requested_by,
            files_included=wanted.files_included,
        )
        .on_conflict_do_nothing(
            index_elements=[ExportRow.organization_id],
            index_where=text("state in ('queued', 'running')"),
        )
        .returning(ExportRow.id)
    )
    return session.scalars(statement).one_or_none()


def find_unfinished(session: Session, organization_id: UUID) -> Export | None:
    """Return the export that is queued or running."""
    query = select(ExportRow).where(
        ExportRow.organization_id == organization_id, ExportRow.state.in_(UNFINISHED)
    )
    row = session.scalars(query).one_or_none()
    return None if row is None else _export(row)


def find(session: Session, export_id: UUID) -> Export | None:
    """Return an export."""
    row = session.get(ExportRow, export_id, populate_existing=True)
    return None if row is None else _export(row)


def list_(session: Session, *, limit: int, offset: int) -> tuple[int, list[Export]]:
    """Return how many exports there are, and some of them, newest first."""
    query = select(ExportRow).order_by(ExportRow.created_at.desc(), ExportRow.id)
    total = session.scalars(select(func.count()).select_from(ExportRow)).one()
    rows = session.scalars(query.limit(limit).offset(offset))
    return total, [_export(row) for row in rows]


def change(session: Session, export_id: UUID, **values: Any) -> bool:  # noqa: ANN401  columns
    """Change an unfinished export; return whether it still was one."""
    statement = (
        update(ExportRow)
        .where(ExportRow.id == export_id, ExportRow.state.in_(UNFINISHED))
        .values(values)
        .returning(ExportRow.id)
    )
    return session.scalars(statement).one_or_none() is not None


def list_expired(session: Session, *, now: datetime, limit: int) -> list[Export]:
    """Return exports whose time is over."""
    query = (
        select(ExportRow)
        .where(ExportRow.state == ExportState.DONE.value, ExportRow.expires_at <= now)
        .order_by(ExportRow.expires_at)
        .limit(limit)
    )
    return [_export(row) for row in session.scalars(query)]


def expire(session: Session, export_id: UUID) -> None:
    """Note that the archive of an export is gone."""
    session.execute(
        update(ExportRow)
        .where(ExportRow.id == export_id, ExportRow.state == ExportState.DONE.value)
        .values(state=ExportState.EXPIRED.value, storage_path=None)
    )


def is_erasing(session: Session, organization_id: UUID) -> bool:
    """Tell whether the organization's erasure was asked for."""
    return session.get(ErasureRow, organization_id) is not None


def is_known(session: Session, organization_id: UUID) -> bool:
    """Tell whether there is such an organization, erased or not."""
    query = text("select 1 from organizations where id = :id")
    return session.execute(query, {"id": organization_id}).first() is not None


def freeze(session: Session, organization_id: UUID) -> None:
    """Have the session see one instant of one organization from here on.

    Its first statement: a snapshot cannot be chosen later.
    """
    session.execute(text("set transaction isolation level repeatable read, read only"))
    session.execute(text("set local time zone 'UTC'"))
    session.execute(
        text("select set_config('vexxy.organization_id', :id, true)"),
        {"id": str(organization_id)},
    )


def columns(session: Session, table: Table) -> Sequence[str]:
    """Return the columns of a table that leave with an export, in their order."""
    query = text(
        "select attname from pg_attribute where attrelid = to_regclass(:name)"
        " and attnum > 0 and not attisdropped order by attnum"
    )
    names = session.scalars(query, {"name": table.name})
    return [name for name in names if name not in table.left_out]


def rows(
    session: Session, table: Table, *, names: Sequence[str], organization_id: UUID
) -> Iterator[str]:
    """Yield the organization's rows as JSON objects, a few in memory at a time."""
    query = text(
        f"select row_to_json(line)::text from (select {', '.join(names)}"  # noqa: S608  catalog
        f" from {table.name} where {table.column} = :id order by {table.order}) line"
    )
    batch = _BATCH_LARGE if table.large else _BATCH
    found = session.execute(
        query,
        {"id": organization_id},
        execution_options={"stream_results": True, "yield_per": batch},
    )
    yield from found.scalars()


def chain(session: Session, organization_id: UUID) -> dict[str, object] | None:
    """Return the head of the ledger's chain, None where there is no ledger."""
    query = text(
        "select sequence, encode(chain, 'hex') as head from credit_accounts"
        " where organization_id = :id"
    )
    row = session.execute(query, {"id": organization_id}).one_or_none()
    return None if row is None else {"sequence": row.sequence, "chain_head": row.head}


def ids_after(
    session: Session, table: str, after: UUID | None, *, limit: int
) -> list[UUID]:
    """Return ids of a table in their order, from behind one on."""
    query = text(
        f"select id from {table} where (cast(:after as uuid) is null or id > :after)"  # noqa: S608  ours
        " order by id limit :limit"
    )
    return list(session.scalars(query, {"after": after, "limit": limit}))


def _export(row: ExportRow) -> Export:
    archive = None
    if row.state == ExportState.DONE.value:
        archive = Archive(
            path=row.storage_path or "",
            size_bytes=row.size_bytes or 0,
            checksum=row.checksum or "",
            stored_bytes=row.stored_bytes or 0,
            stored_checksum=row.stored_checksum or "",
        )
    return Export(
        id=row.id,
        organization_id=row.organization_id,
        state=ExportState(row.state),
        files_included=row.files_included,
        progress_percent=row.progress_percent,
        current_part=row.current_part,
        rows_written=row.rows_written,
        error=row.error,
        created_at=row.created_at,
        finished_at=row.finished_at,
        expires_at=row.expires_at,
        archive=archive,
    )
