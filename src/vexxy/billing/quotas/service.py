"""Let analyses in, and say what is left.

In the caller's transaction, under the organization's account lock: a submission is let
in, counted and its credits held together with its rows, or not at all.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.catalog.service import Plans
from vexxy.billing.entitlements import rules as overriding
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import ANALYSES, CREDITS, Override
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.errors import InsufficientCredits
from vexxy.billing.quotas import repository, rules
from vexxy.billing.quotas.ending import new_hold
from vexxy.billing.quotas.swift import service as swift
from vexxy.billing.quotas.types import (
    Admitted,
    Ask,
    Discrepancy,
    Let,
    Overview,
    Position,
)
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions.rules import states
from vexxy.billing.subscriptions.types import Current
from vexxy.billing.types import Plan
from vexxy.kit import clock
from vexxy.kit.errors import QuotaExceeded


def admit(
    session: Session, ask: Ask, *, plans: Plans, now: datetime | None = None
) -> Admitted:
    """Let an analysis in, count it and hold what it costs at most; all or nothing.

    The account stays locked until the transaction ends, so it is called as late in one as
    can be. The same reference again changes nothing.

    Raises:
        SubscriptionUnusable: Paused, unpaid, or past due for longer than the grace.
        QuotaExceeded: The period's analyses or the credits are used up; nothing was held.
    """
    moment = clock.instant() if now is None else now
    usual = swift.admit(session, ask, catalog=plans.catalog, now=moment)
    return usual or admit_unusual(session, ask, plans=plans, now=moment)


def admit_unusual(
    session: Session, ask: Ask, *, plans: Plans, now: datetime | None = None
) -> Admitted:
    """Let an analysis in whatever is due or out of the usual; else as `admit` does.

    Raises:
        SubscriptionUnusable: Paused, unpaid, or past due for longer than the grace.
        QuotaExceeded: The period's analyses or the credits are used up; nothing was held.
    """
    moment = clock.instant() if now is None else now
    home = ask.organization_id
    current = subscriptions.current(session, home, plans=plans, now=moment)
    known, overrides = repository.read_asked(session, home, ask.reference, now=moment)
    position = _position(session, current, overriding.live(overrides, moment))
    if known:
        return Admitted(
            repository.get(session, home, ask.reference), rules.remaining(position)
        )
    states.check_usable(current.subscription, moment)
    let = rules.decide(position, ask.credits)
    if isinstance(let, QuotaExceeded):
        raise let
    unlimited = _hold(
        session, ask, let, period_id=current.period.id, position=position, now=moment
    )
    admission = repository.admit(
        session,
        home,
        ask.reference,
        period_id=current.period.id,
        credits=ask.credits,
        unlimited=unlimited,
        hold_expires_at=moment + rules.HOLD_FOR,
        now=moment,
    )
    return Admitted(
        admission,
        rules.remaining(position, more=1),
        alerting=rules.reaches(position, plans.catalog.alert_percents),
    )


def _position(
    session: Session, current: Current, overrides: Mapping[str, Override]
) -> Position:
    period = current.period
    credit_override = overrides.get(CREDITS)
    held = 0
    if credit_override is not None:
        home = current.subscription.organization_id
        held = repository.read_held(session, home, period.id)
    return Position(
        analyses=period.analyses,
        credits_used=period.credits_used,
        credits_held=held,
        analysis_limit=period.analysis_limit,
        credit_limit=period.credit_limit,
        resets_at=period.end,
        analysis_override=overrides.get(ANALYSES),
        credit_override=credit_override,
    )


def _hold(
    session: Session,
    ask: Ask,
    let: Let,
    *,
    period_id: UUID,
    position: Position,
    now: datetime,
) -> bool:
    """Hold the credits; return whether none of the organization's own were set aside."""
    home = ask.organization_id
    if let.own_first:
        try:
            ledger.post_one(session, home, new_hold(ask, now=now), now=now)
        except InsufficientCredits as short:
            if not let.unlimited:
                held = repository.read_held(session, home, period_id)
                raise rules.credits_used_up(
                    replace(position, credits_held=held),
                    required=ask.credits,
                    available=short.available_credits,
                ) from short
        else:
            return False
    ledger.post_one(session, home, new_hold(ask, now=now, unlimited=True), now=now)
    return True


def plan(
    session: Session, organization_id: UUID, *, plans: Plans, now: datetime | None = None
) -> Plan:
    """Return what the organization may use: its plan, and what operators changed.

    Nothing is locked, so it is for what follows from a plan, never for a decision about
    the last of something.
    """
    moment = clock.instant() if now is None else now
    usual = swift.find_plan(session, organization_id, plans=plans, now=moment)
    if usual is not None:
        return usual
    found = subscriptions.current(
        session, organization_id, plans=plans, now=moment, lock=False
    )
    return overriding.entitled(
        found.plan, entitlements.live(session, organization_id, now=moment)
    )


def overview(
    session: Session, organization_id: UUID, *, plans: Plans, now: datetime | None = None
) -> Overview:
    """Return what was used of the period, also of who never did anything."""
    moment = clock.instant() if now is None else now
    home = organization_id
    current = subscriptions.current(session, home, plans=plans, now=moment, lock=False)
    position = _position(session, current, entitlements.live(session, home, now=moment))
    return Overview(
        organization_id=organization_id,
        analyses=position.analyses,
        credits_used=subscriptions.credits_used(session, home, current.period),
        analysis_limit=rules.analysis_limit(position),
        credit_limit=rules.credit_limit(position),
        period_start=current.period.start,
        period_end=current.period.end,
    )


def check(session: Session, organization_id: UUID) -> list[Discrepancy]:
    """Return where periods, admissions and the ledger disagree; nothing should."""
    return repository.list_discrepancies(session, organization_id)


def rebuild(session: Session, organization_id: UUID) -> int:
    """Count the periods again from admissions; return how many were wrong."""
    ledger.lock(session, organization_id)
    return repository.rebuild(session, organization_id)
