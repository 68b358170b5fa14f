"""SQL of erasures. Every statement is bounded and may be run again."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CursorResult, TextClause, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.portability.models import ErasureRow
from vexxy.portability.types import Erasure, Fate, Stage, Table

_SLUG: Final = text("select slug from organizations where id = :id")
_OPERATORS: Final = text(
    "select count(*) from users where organization_id = :id and is_admin and is_active"
)
_UNFINISHED: Final = text(
    "select id from premium_analysis_jobs where organization_id = :id"
    " and status in ('queued', 'running', 'analyzing') order by id limit :limit for update"
)
_JOBS: Final = text(
    "select id, state from jobs where organization_id = :id"
    " and state in ('queued', 'running') order by id"
)
_OPEN_HOLDS: Final = text(
    "select hold.key from billing_events hold where hold.organization_id = :id"
    " and hold.kind = 'hold' and not exists (select from billing_events ending"
    " where ending.organization_id = :id and ending.resolves = hold.sequence)"
    " order by hold.sequence"
)
# What lets anybody act for the organization, and whom it tells. A member who is
# deactivated and whose generation moved on holds no token that counts.
_STOP_ALL: Final = """
update users set is_active = false, token_generation = token_generation + 1,
  tokens_valid_from = now(), updated_at = now() where organization_id = :id;
update api_keys set revoked_at = now() where organization_id = :id and revoked_at is null;
update invitations set revoked_at = now()
  where organization_id = :id and accepted_at is null and revoked_at is null;
update password_resets set used_at = now() where organization_id = :id and used_at is null;
update notification_endpoints set is_active = false,
  disabled_reason = 'the organization is being erased'
  where organization_id = :id and is_active;
update notification_deliveries set state = 'dead', finished_at = now()
  where organization_id = :id and state = 'waiting';
update organizations set closed_at = coalesce(closed_at, now()) where id = :id
"""
_STOPS: Final = tuple(text(statement) for statement in _STOP_ALL.split(";"))
_TOMBSTONE: Final = text(
    "update organizations set erased_at = coalesce(erased_at, now()), updated_at = now()"
    " where id = :id"
)


def become_worker(session: Session) -> None:
    """Have a transaction of SYSTEM see no more than the organization it is bound to."""
    session.execute(text("set local role vexxy_worker"))


def find_slug(session: Session, organization_id: UUID) -> str | None:
    """Return what confirms an erasure; None where there is no such organization."""
    return session.scalars(_SLUG, {"id": organization_id}).one_or_none()


def count_operators(session: Session, organization_id: UUID) -> int:
    """Return how many operators of the service are active members."""
    return int(session.scalars(_OPERATORS, {"id": organization_id}).one())


def add(session: Session, organization_id: UUID, *, requested_by: str) -> bool:
    """Store a new erasure; False where there is one."""
    statement = (
        insert(ErasureRow)
        .values(organization_id=organization_id, requested_by=requested_by)
        .on_conflict_do_nothing()
        .returning(ErasureRow.organization_id)
    )
    return session.scalars(statement).one_or_none() is not None


def find(session: Session, organization_id: UUID) -> Erasure | None:
    """Return the erasure of an organization."""
    row = session.get(ErasureRow, organization_id, populate_existing=True)
    return None if row is None else _erasure(row)


def list_due(session: Session, *, quiet_seconds: int) -> Sequence[UUID]:
    """Return organizations whose unfinished erasure was asked for long enough ago."""
    long_ago = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, quiet_seconds)
    query = select(ErasureRow.organization_id).where(
        ErasureRow.stage != Stage.DONE.value, ErasureRow.requested_at <= long_ago
    )
    return session.scalars(query.order_by(ErasureRow.requested_at).limit(1000)).all()


def note(session: Session, organization_id: UUID, **values: Any) -> None:  # noqa: ANN401  columns
    """Write down how far an erasure is."""
    session.execute(
        update(ErasureRow)
        .where(ErasureRow.organization_id == organization_id)
        .values(updated_at=func.now(), **values)
    )


def note_progress(
    session: Session,
    organization_id: UUID,
    *,
    stage: str,
    part: str | None,
    more: Mapping[str, int],
) -> None:
    """Write down the stage, and add to what was counted."""
    counted = {name: getattr(ErasureRow, name) + value for name, value in more.items()}
    note(session, organization_id, stage=stage, current_part=part, **counted)


def lock_unfinished(
    session: Session, organization_id: UUID, *, limit: int
) -> Sequence[UUID]:
    """Return analyses that have not ended, locked in one order."""
    return session.scalars(_UNFINISHED, {"id": organization_id, "limit": limit}).all()


def list_jobs(session: Session, organization_id: UUID) -> Sequence[tuple[UUID, str]]:
    """Return the jobs of an organization that are queued or running, and which."""
    rows = session.execute(_JOBS, {"id": organization_id})
    return [(row.id, row.state) for row in rows]


def list_open_holds(session: Session, organization_id: UUID) -> Sequence[str]:
    """Return the keys of holds that nothing has ended."""
    return session.scalars(_OPEN_HOLDS, {"id": organization_id}).all()


def stop(session: Session, organization_id: UUID) -> None:
    """Let nobody act for the organization any more, and tell nobody of it."""
    for statement in _STOPS:
        session.execute(statement, {"id": organization_id})


def erase(session: Session, table: Table, organization_id: UUID, *, limit: int) -> int:
    """Remove some rows of an organization; return how many."""
    statement = text(
        f"delete from {table.name} where ctid = any (array(select ctid"  # noqa: S608  ours
        f" from {table.name} where {table.column} = :id limit :limit))"
    )
    return _count(session, statement, organization_id, limit=limit)


def blank(session: Session, table: Table, organization_id: UUID, *, limit: int) -> int:
    """Empty the columns that may name a person in some rows; return how many rows."""
    values = ", ".join(f"{name} = {value}" for name, value in table.blank.items())
    statement = text(
        f"update {table.name} set {values} where ctid = any (array(select ctid"  # noqa: S608  ours
        f" from {table.name} where {table.column} = :id and {_unblank(table)}"
        " limit :limit))"
    )
    return _count(session, statement, organization_id, limit=limit)


def count_left(session: Session, table: Table, organization_id: UUID) -> int:
    """Return how many rows an erasure still has to do something about."""
    if table.fate is Fate.KEPT:
        return 0
    rest = f" and {_unblank(table)}" if table.fate is Fate.BLANKED else ""
    statement = text(
        f"select count(*) from {table.name} where {table.column} = :id{rest}"  # noqa: S608  ours
    )
    return int(session.scalars(statement, {"id": organization_id}).one())


def count_rows(session: Session, table: Table, organization_id: UUID) -> int:
    """Return how many rows of an organization a table has."""
    statement = text(f"select count(*) from {table.name} where {table.column} = :id")  # noqa: S608  ours
    return int(session.scalars(statement, {"id": organization_id}).one())


def bury(session: Session, organization_id: UUID) -> None:
    """Say in the organization's own row that it was erased."""
    session.execute(_TOMBSTONE, {"id": organization_id})


def _unblank(table: Table) -> str:
    return (
        "("
        + " or ".join(
            f"{name} is distinct from {value}" for name, value in table.blank.items()
        )
        + ")"
    )


def _count(
    session: Session, statement: TextClause, organization_id: UUID, *, limit: int
) -> int:
    result = session.execute(statement, {"id": organization_id, "limit": limit})
    assert isinstance(result, CursorResult)  # noqa: S101  of a statement that writes
    return result.rowcount


def _erasure(row: ErasureRow) -> Erasure:
    return Erasure(
        organization_id=row.organization_id,
        stage=Stage(row.stage),
        current_part=row.current_part,
        rows_erased=row.rows_erased,
        entries_blanked=row.entries_blanked,
        blobs_erased=row.blobs_erased,
        requested_at=row.requested_at,
        updated_at=row.updated_at,
        finished_at=row.finished_at,
        proof=row.proof,
    )
