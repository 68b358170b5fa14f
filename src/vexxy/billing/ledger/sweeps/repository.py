"""SQL of the sweeps; as SYSTEM, across organizations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# A hold becomes visible when its transaction commits, which is after it was decided: so
# much is read again each time.
OVERLAP: Final = timedelta(hours=1)
_HOLDS: Final = "holds"

_READ_MARK: Final = text("select reached_at from ledger_marks where name = :name")
_WRITE_MARK: Final = text(
    "insert into ledger_marks (name, reached_at) values (:name, :reached_at)"
    " on conflict (name) do update"
    " set reached_at = greatest(ledger_marks.reached_at, excluded.reached_at)"
)
_DUE_HOLDS: Final = text(
    "select id, organization_id, key, expires_at from billing_events held"
    " where kind = 'hold' and expires_at <= :now"
    " and (cast(:after as timestamptz) is null or expires_at > :after)"
    " and not exists (select from billing_events ended"
    "  where ended.organization_id = held.organization_id"
    "  and ended.resolves = held.sequence)"
    " order by expires_at, id limit :limit"
)
_DUE_LOTS: Final = text(
    "select distinct organization_id from credit_lots"
    " where is_open and available_credits > 0 and expires_at <= :now limit :limit"
)


@dataclass(frozen=True, slots=True)
class DueHold:
    """A hold whose time is over and that nobody ended."""

    id: UUID
    organization_id: UUID
    key: str
    expires_at: datetime


def list_due_holds(session: Session, *, now: datetime, limit: int) -> list[DueHold]:
    """Return such holds, those that lapsed first first."""
    reached = session.execute(_READ_MARK, {"name": _HOLDS}).scalar_one_or_none()
    after = None if reached is None else reached - OVERLAP
    rows = session.execute(_DUE_HOLDS, {"now": now, "after": after, "limit": limit})
    return [DueHold(*row) for row in rows]


def mark_holds(session: Session, reached_at: datetime) -> None:
    """Remember that every hold that lapsed until then was looked at."""
    session.execute(_WRITE_MARK, {"name": _HOLDS, "reached_at": reached_at})


def list_due_organizations(session: Session, *, now: datetime, limit: int) -> list[UUID]:
    """Return organizations that have lots whose time is over."""
    return list(session.scalars(_DUE_LOTS, {"now": now, "limit": limit}))
