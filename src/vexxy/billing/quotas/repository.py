"""SQL of admissions; the organization's account is locked for writes."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, text, update
from sqlalchemy.orm import Session

from vexxy.billing.entitlements.types import Override
from vexxy.billing.quotas.models import AdmissionRow
from vexxy.billing.quotas.types import (
    Admission,
    Discrepancy,
    State,
)

_ADMISSION: Final = (
    "organization_id, reference, period_id, state, credits, unlimited, hold_number,"
    " hold_expires_at, counted, own_fault, charged_credits, shortfall_credits, reason,"
    " created_at, ended_at"
)
_OVERRIDE: Final = (
    "id, organization_id, feature, limit_value, unlimited, reason, expires_at, created_by,"
    " created_at, ended_at, ended_by"
)
# One round trip for both: a submission waits for it with the account locked.
_ASKED: Final = text(
    "select a.reference is not null as known, o.* from (values (1)) as one"  # noqa: S608
    " left join quota_admissions a"
    "  on a.organization_id = :organization_id and a.reference = :reference"
    f" left join (select {_OVERRIDE} from billing_entitlements"
    "  where organization_id = :organization_id and ended_at is null"
    "  and expires_at > :now) as o on true"
)
# Counted in the same round trip; the period's row is locked already.
_ADMIT: Final = text(
    "with counted as (update billing_periods set analyses = analyses + 1"  # noqa: S608
    "  where id = :period_id) insert into quota_admissions (organization_id, reference,"
    " period_id, credits, unlimited, hold_expires_at, created_at) values"
    " (:organization_id, :reference, :period_id, :credits, :unlimited,"
    f" :hold_expires_at, :now) returning {_ADMISSION}"
)
_FIND: Final = text(
    f"select {_ADMISSION} from quota_admissions"  # noqa: S608  own names
    " where organization_id = :organization_id and reference = :reference"
)
_HELD: Final = text(
    "select coalesce(sum(credits), 0)::bigint from quota_admissions"
    " where organization_id = :organization_id and period_id = :period_id"
    " and state = 'admitted'"
)

# --- what records say of each other ---------------------------------------------------

# Of an erased organization the counts stay and what they were counted from is gone.
_NOT_ERASED: Final = (
    " and not exists (select from organizations o"
    "  where o.id = :organization_id and o.closed_at is not null)"
)
_COUNTED: Final = (
    "select p.id, p.analyses, p.credits_used,"  # noqa: S608  own words
    " (count(a.reference) filter (where a.counted))::bigint as counted,"
    " coalesce(sum(a.charged_credits), 0)::bigint as charged"
    " from billing_periods p left join quota_admissions a"
    "  on a.organization_id = p.organization_id and a.period_id = p.id"
    f" where p.organization_id = :organization_id{_NOT_ERASED} group by p.id"
)
_PERIODS: Final = text(
    f"select * from ({_COUNTED}) as c"  # noqa: S608  own names
    " where c.analyses <> c.counted or c.credits_used <> c.charged order by c.id"
)
_REBUILD: Final = text(
    "update billing_periods p set analyses = c.counted, credits_used = c.charged"  # noqa: S608
    f" from ({_COUNTED}) as c where p.id = c.id"
    " and (c.analyses <> c.counted or c.credits_used <> c.charged)"
)
_CHARGES: Final = text(
    "select reference, coalesce(a.charged, 0) as stored,"  # noqa: S608  own words
    " coalesce(e.charged, 0) as computed"
    " from (select reference, charged_credits as charged from quota_admissions"
    "  where organization_id = :organization_id) as a"
    " full join (select split_part(key, ':', 2)::uuid as reference,"
    "  sum(credits)::bigint as charged from billing_events"
    "  where organization_id = :organization_id and kind = 'settle'"
    "  and key like 'analysis:%' group by 1) as e using (reference)"
    f" where coalesce(a.charged, 0) <> coalesce(e.charged, 0){_NOT_ERASED}"
    " order by reference"
)
# A hold that nobody will end: its admission is over, or there never was one.
_HOLDS: Final = text(
    "select split_part(h.key, ':', 2)::uuid as reference, 0::bigint as stored,"
    " h.credits as computed from billing_events h"
    " where h.organization_id = :organization_id and h.kind = 'hold'"
    " and h.key like 'analysis:%' and not exists (select from billing_events r"
    "  where r.organization_id = h.organization_id and r.resolves = h.sequence)"
    " and not exists (select from quota_admissions a"
    "  where a.organization_id = h.organization_id and a.state = 'admitted'"
    "  and a.reference = split_part(h.key, ':', 2)::uuid) order by 1"
)


def read_asked(
    session: Session, organization_id: UUID, reference: UUID, *, now: datetime
) -> tuple[bool, list[Override]]:
    """Return whether the reference was let in before, and the overrides that hold."""
    named = {"organization_id": organization_id, "reference": reference, "now": now}
    rows = session.execute(_ASKED, named).all()
    return bool(rows[0].known), [_override(row) for row in rows if row.id is not None]


def read_held(session: Session, organization_id: UUID, period_id: UUID) -> int:
    """Return the credits of the period's analyses that are not over."""
    named = {"organization_id": organization_id, "period_id": period_id}
    return int(session.execute(_HELD, named).scalar_one())


def admit(
    session: Session,
    organization_id: UUID,
    reference: UUID,
    *,
    period_id: UUID,
    credits: int,  # noqa: A002  the ledger's word
    unlimited: bool,
    hold_expires_at: datetime,
    now: datetime,
) -> Admission:
    """Insert an admission, and count it in its period."""
    values = {
        "organization_id": organization_id,
        "reference": reference,
        "period_id": period_id,
        "credits": credits,
        "unlimited": unlimited,
        "hold_expires_at": hold_expires_at,
        "now": now,
    }
    return _admission(session.execute(_ADMIT, values).one())


def find(session: Session, organization_id: UUID, reference: UUID) -> Admission | None:
    """Return the admission as it is stored now."""
    named = {"organization_id": organization_id, "reference": reference}
    row = session.execute(_FIND, named).one_or_none()
    return None if row is None else _admission(row)


def get(session: Session, organization_id: UUID, reference: UUID) -> Admission:
    """Return an admission that is known to be there."""
    named = {"organization_id": organization_id, "reference": reference}
    return _admission(session.execute(_FIND, named).one())


def change(
    session: Session,
    organization_id: UUID,
    reference: UUID,
    **values: Any,  # noqa: ANN401  columns of the table
) -> None:
    """Change an admission that is not over."""
    row = AdmissionRow
    session.execute(
        update(row)
        .where(
            row.organization_id == organization_id,
            row.reference == reference,
            row.state == State.ADMITTED.value,
        )
        .values(values)
        .execution_options(synchronize_session=False)
    )


def _admission(row: Row[Any]) -> Admission:
    return Admission(**{**row._mapping, "state": State(row.state)})  # noqa: SLF001


def _override(row: Row[Any]) -> Override:
    found = {name: value for name, value in row._mapping.items() if name != "known"}  # noqa: SLF001
    return Override(**found)


# --- what records say of each other ---------------------------------------------------


def list_discrepancies(session: Session, organization_id: UUID) -> list[Discrepancy]:
    """Return what disagrees: periods, admissions, the ledger."""
    named = {"organization_id": organization_id}
    found: list[Discrepancy] = []
    for row in session.execute(_PERIODS, named):
        for what, stored, computed in (
            ("analyses", row.analyses, row.counted),
            ("credits_used", row.credits_used, row.charged),
        ):
            if stored != computed:
                found.append(Discrepancy(what, row.id, stored, computed))
    for what, query in (("charge", _CHARGES), ("hold", _HOLDS)):
        found += [
            Discrepancy(what, row.reference, row.stored, row.computed)
            for row in session.execute(query, named)
        ]
    return found


def rebuild(session: Session, organization_id: UUID) -> int:
    """Count every period again; return how many were wrong."""
    result = session.execute(_REBUILD, {"organization_id": organization_id})
    return int(result.rowcount)  # type: ignore[attr-defined]
