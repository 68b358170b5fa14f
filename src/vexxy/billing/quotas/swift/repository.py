"""SQL of a submission: all that a decision stands on, and all that it gives, at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from vexxy.billing.entitlements.types import Override
from vexxy.billing.ledger import repository as ledger
from vexxy.billing.ledger.types import Decision, Lot
from vexxy.billing.quotas.types import Admission

# Live, as the partial indexes of subscriptions say it.
_CURRENT: Final = (
    " from subscriptions s join billing_periods p on p.subscription_id = s.id"
    " where s.organization_id = :organization_id"
    " and s.status not in ('canceled', 'incomplete_expired') and p.closed_at is null"
)
# When the plan changed within the period, something may be due at any time: of what it
# gave too much, whatever is available again is taken back (`subscriptions.allowance`).
_DUE: Final = "case when jsonb_array_length(p.parts) = 1 then s.due_at end as due_at"
_OVERRIDES: Final = (
    "(select json_agg(o)::text from (select id, organization_id, feature,"
    " limit_value::text as limit_value, unlimited, reason, expires_at, created_by,"
    " created_at, ended_at, ended_by from billing_entitlements"
    " where organization_id = :organization_id and ended_at is null"
    " and expires_at > :now) as o) as overrides"
)
_PLAN: Final = text(
    f"select s.catalog, s.tier, s.plan_version, {_DUE}, {_OVERRIDES} {_CURRENT}"
)
# A statement of its own after the lock: it sees what the lock's last owner committed.
_GROUND: Final = text(
    "with held as materialized (select s.status, p.id as period_id,"  # noqa: S608
    f" {_DUE}, p.period_end, p.analysis_limit, p.credit_limit, p.analyses, p.credits_used"
    f" {_CURRENT} for update)"
    " select held.*, exists (select from quota_admissions"
    "  where organization_id = :organization_id and reference = :reference)"
    " or exists (select from billing_events"
    "  where organization_id = :organization_id and key = :key) as known,"
    f" (select json_agg(l)::text from (select {ledger.LOT_COLUMNS} from credit_lots"
    f"  where organization_id = :organization_id and is_open) as l) as lots, {_OVERRIDES}"
    " from held"
)
_ADMIT: Final = text(
    f"with {ledger.WRITING}, counted as ("  # noqa: S608  own names
    "  update billing_periods set analyses = analyses + 1 where id = :period_id)"
    " insert into quota_admissions (organization_id, reference, period_id, credits,"
    "  unlimited, hold_expires_at, created_at) values (:organization_id, :reference,"
    "  :period_id, :credits, :unlimited, :hold_expires_at, :now)"
)
_LOTS: Final = msgspec.json.Decoder(list[Lot])
_LIVE: Final = msgspec.json.Decoder(list[Override])


@dataclass(frozen=True, slots=True)
class Ground:
    """What a decision stands on.

    Attributes:
        row: The subscription's state and the open period, both locked.
        overrides: That nobody ended and whose time is not over.
        lots: That are not used up.
    """

    row: Row[Any]
    overrides: list[Override]
    lots: list[Lot]


def find_plan(
    session: Session, organization_id: UUID, *, now: datetime
) -> tuple[Row[Any], list[Override]] | None:
    """Return which plan the live subscription is of, and the overrides; nothing locked."""
    named = {"organization_id": organization_id, "now": now}
    row = session.execute(_PLAN, named).one_or_none()
    return None if row is None else (row, _overrides(row))


def find_ground(
    session: Session, organization_id: UUID, reference: UUID, *, key: str, now: datetime
) -> Ground | None:
    """Return what the admission of a reference stands on; the account is locked.

    None where there is no live subscription, or the reference or the key is known.
    """
    named = {
        "organization_id": organization_id,
        "reference": reference,
        "key": key,
        "now": now,
    }
    row = session.execute(_GROUND, named).one_or_none()
    if row is None or row.known:
        return None
    lots = _LOTS.decode(row.lots) if row.lots else []
    return Ground(row, _overrides(row), lots)


def _overrides(row: Row[Any]) -> list[Override]:
    return _LIVE.decode(row.overrides) if row.overrides else []


def admit(
    session: Session, admission: Admission, decided: Decision, *, now: datetime
) -> None:
    """Write the admission, its count in its period, and its hold."""
    values = ledger.written(decided.state, rows=decided.rows, lots=decided.lots, now=now)
    values |= {
        "reference": admission.reference,
        "period_id": admission.period_id,
        "credits": admission.credits,
        "unlimited": admission.unlimited,
        "hold_expires_at": admission.hold_expires_at,
    }
    session.execute(_ADMIT, values)
