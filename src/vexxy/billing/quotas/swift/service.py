"""Decide as `quotas.service` does, by the same rules, where nothing is out of the usual.

It only says yes. Whatever is due, known, paused, short of credits or limited by an
operator is answered None: `quotas.service` decides then, under the lock that is held
already. So no refusal has two forms.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.catalog.service import Plans
from vexxy.billing.catalog.types import Catalog
from vexxy.billing.entitlements import rules as overriding
from vexxy.billing.entitlements.types import ANALYSES, CREDITS
from vexxy.billing.ledger import repository as ledger
from vexxy.billing.ledger.rules import engine
from vexxy.billing.ledger.types import Decision
from vexxy.billing.quotas import rules
from vexxy.billing.quotas.ending import new_hold
from vexxy.billing.quotas.swift import repository
from vexxy.billing.quotas.swift.repository import Ground
from vexxy.billing.quotas.types import Admission, Admitted, Ask, Let, Position, State
from vexxy.billing.subscriptions.types import Status
from vexxy.billing.types import Plan
from vexxy.kit import ids, metrics
from vexxy.kit.errors import VexxyError

_USABLE: Final = frozenset({Status.ACTIVE.value, Status.TRIALING.value})


def admit(
    session: Session, ask: Ask, *, catalog: Catalog, now: datetime
) -> Admitted | None:
    """Let an analysis in, count it and hold what it costs at most, if that is usual.

    Else None, with the account locked and nothing written.
    """
    home = ask.organization_id
    # What is not written yet could be what the statements here ask for.
    session.flush()
    account = ledger.lock_account(session, home)
    if account is None:
        return None
    hold = new_hold(ask, now=now)
    ground = repository.find_ground(session, home, ask.reference, key=hold.key, now=now)
    position = None if ground is None else _position(ground, now)
    if ground is None or position is None:
        return None
    let = rules.decide(position, ask.credits)
    if not isinstance(let, Let):
        return None
    state = ledger.state_of(account, ground.lots)
    unlimited = not let.own_first
    hold = new_hold(ask, now=now, unlimited=unlimited)
    decided = engine.decide(state, [hold], now=now, new_id=ids.new_id)
    if isinstance(decided.answers[0], VexxyError):
        return None
    admission = _admission(ask, ground, unlimited=unlimited, now=now)
    repository.admit(session, admission, decided, now=now)
    _count(decided)
    return Admitted(
        admission,
        rules.remaining(position, more=1),
        alerting=rules.reaches(position, catalog.alert_percents),
    )


def find_plan(
    session: Session, organization_id: UUID, *, plans: Plans, now: datetime
) -> Plan | None:
    """Return what the organization may use, None where something is due or missing."""
    session.flush()
    found = repository.find_plan(session, organization_id, now=now)
    if found is None or _due(found[0].due_at, now):
        return None
    row, overrides = found
    plan = plans.get(session, row.tier, row.plan_version, catalog=row.catalog)
    return overriding.entitled(plan, overriding.live(overrides, now))


def _due(due_at: datetime | None, now: datetime) -> bool:
    return due_at is None or due_at <= now


def _position(ground: Ground, now: datetime) -> Position | None:
    """Return where the organization stands, None where more is to be done or read."""
    row, overrides = ground.row, overriding.live(ground.overrides, now)
    if _due(row.due_at, now) or row.status not in _USABLE or CREDITS in overrides:
        return None
    return Position(
        analyses=row.analyses,
        credits_used=row.credits_used,
        # Only asked where an operator limits credits.
        credits_held=0,
        analysis_limit=row.analysis_limit,
        credit_limit=row.credit_limit,
        resets_at=row.period_end,
        analysis_override=overrides.get(ANALYSES),
    )


def _admission(ask: Ask, ground: Ground, *, unlimited: bool, now: datetime) -> Admission:
    return Admission(
        organization_id=ask.organization_id,
        reference=ask.reference,
        period_id=ground.row.period_id,
        state=State.ADMITTED,
        credits=ask.credits,
        unlimited=unlimited,
        hold_number=1,
        hold_expires_at=now + rules.HOLD_FOR,
        counted=True,
        own_fault=False,
        charged_credits=0,
        shortfall_credits=0,
        reason=None,
        created_at=now,
        ended_at=None,
    )


def _count(decided: Decision) -> None:
    for row in decided.rows:
        metrics.LEDGER_POSTINGS.count(kind=row.kind)
