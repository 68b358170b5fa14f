"""Subscribe, change, cancel; and what an organization may use right now."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.catalog.service import Plans
from vexxy.billing.invoices.types import Closing
from vexxy.billing.ledger import service as ledger
from vexxy.billing.subscriptions import (
    allowance,
    changing,
    invoicing,
    leaving,
    quoting,
    renewal,
    repository,
    wire,
    worth,
)
from vexxy.billing.subscriptions import held as hands
from vexxy.billing.subscriptions.errors import NotPossible, PaymentsOff
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.rules import periods
from vexxy.billing.subscriptions.types import (
    Current,
    Given,
    Kind,
    Period,
    Quote,
    Status,
    Step,
    Swept,
    Wanted,
    When,
)
from vexxy.kit import clock, logging, metrics
from vexxy.kit.db import Database
from vexxy.kit.errors import InvalidInput, VexxyError

SWEEP_PAGE: Final = 200
SWEEP_MAX: Final = 20_000
TRIAL_DAYS_MAX: Final = 366
# What one subscription can be wrong with, and no other suffers from.
_ITS_OWN: Final = (VexxyError, SQLAlchemyError, ArithmeticError, LookupError, ValueError)

log = logging.logger(__name__)


def current(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    now: datetime | None = None,
    lock: bool = True,
    missed_max: int = renewal.MISSED_MAX,
) -> Current:
    """Return what the organization is subscribed to, with everything done that was due.

    An organization that has no subscription gets the default one. With `lock` the
    organization's money lock is held until the transaction ends; without, only when
    something has to be written.

    Raises:
        RolloverHalted: Too many periods were missed.
    """
    moment = now or clock.instant()
    if not lock:
        found = repository.find_current(session, organization_id)
        if (
            found is not None
            and renewal.due_at(found[0]) > moment
            and not allowance.is_over(found[1])
        ):
            return Held(session, *found, plans, moment).current()
    return renewal.hold(
        session, organization_id, plans=plans, now=moment, missed_max=missed_max
    ).current()


def note_use(
    session: Session, period_id: UUID, *, analyses: int = 0, credits_used: int = 0
) -> None:
    """Count use into the period that admitted it, also when that is over; less with -1."""
    session.flush()
    repository.add_use(session, period_id, analyses=analyses, credits_used=credits_used)


def credits_used(session: Session, organization_id: UUID, period: Period) -> int:
    """Return the credits charged since the period began, whatever they were for."""
    revenue = repository.revenue_credits(session, organization_id)
    return max(0, revenue - period.revenue_at_start)


def list_steps(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> Sequence[Step]:
    """Return what became of the organization's subscriptions, newest first."""
    rows = repository.list_steps(session, organization_id, limit=limit, offset=offset)
    return [wire.step_of(row) for row in rows]


def upcoming(
    session: Session, organization_id: UUID, *, plans: Plans, now: datetime | None = None
) -> Closing:
    """Return what would be invoiced if the running period ended as it is now."""
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    end_ = held.period.period_end
    return invoicing.closing(held, end=end_, fee_cents=invoicing.fee_at(held, end_))


def end(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans | None = None,
    now: datetime | None = None,
) -> None:
    """End what an organization that goes away has; nothing comes after it.

    Args:
        session: Bound to the organization.
        organization_id: Which one.
        plans: The catalog; what ran until today is invoiced with it. Without, nothing is.
        now: The present, for tests.
    """
    ledger.lock(session, organization_id)
    found = repository.lock_current(session, organization_id)
    if found is None:
        return
    moment = now or clock.instant()
    if plans is not None:
        found = leaving.settled(Held(session, *found, plans, moment))
    row, period = found
    row.status, row.canceled_at, row.ended_at = Status.CANCELED.value, moment, moment
    row.updated_at = period.closed_at = moment
    session.flush()


def roll_over_due(
    database: Database,
    *,
    plans: Plans,
    now: datetime | None = None,
    missed_max: int = renewal.MISSED_MAX,
    most: int = SWEEP_MAX,
    step: Callable[[], None] = lambda: None,
) -> Swept:
    """Do what is due of every organization's subscription, one transaction each.

    One that cannot be done is logged and left for the next time; the others go on.

    Args:
        database: Of the SYSTEM role.
        plans: The catalog.
        now: The present, for tests.
        missed_max: See `RolloverHalted`.
        most: Most subscriptions that one sweep looks at.
        step: Called between two of them.
    """
    moment = now or clock.instant()
    advanced = failed = 0
    after: tuple[datetime, UUID] | None = None
    while (left := most - advanced - failed) > 0:
        limit = min(left, SWEEP_PAGE)
        with database.transaction() as session:
            page = repository.list_due(session, now=moment, after=after, limit=limit)
        if not page:
            break
        for due_at, subscription_id, organization_id in page:
            after = (due_at, subscription_id)
            try:
                with database.transaction(organization_id) as session:
                    current(
                        session,
                        organization_id,
                        plans=plans,
                        now=moment,
                        missed_max=missed_max,
                    )
                advanced += 1
            except _ITS_OWN:
                failed += 1
                metrics.ROLLOVER_FAILURES.count()
                log.exception(
                    "subscription.not_rolled_over",
                    subscription_id=subscription_id,
                    organization_id=organization_id,
                )
            step()
    return Swept(advanced, failed)


# --- changes of plan -----------------------------------------------------------------


def preview(
    session: Session,
    organization_id: UUID,
    wanted: Wanted,
    *,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Quote:
    """Return what a change would do and cost; it can be accepted for 15 minutes.

    Raises:
        NoSuchPlan: The catalog has none of that name.
        NotForSale: It has no price for the interval.
        NotPossible: The subscription is in no state to change, or has the plan.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    quote = quoting.hold(held, changing.decide(held, wanted))
    audit.record(
        session,
        Act(
            action="subscription.quoted",
            actor=actor,
            organization_id=organization_id,
            resource_type="subscription",
            resource_id=held.row.id,
            after={"quote_id": str(quote.id), "tier": quote.preview.tier},
        ),
    )
    return quote


def change(
    session: Session,
    organization_id: UUID,
    wanted: Wanted | UUID,
    *,
    plans: Plans,
    actor: Actor,
    paid: bool = False,
    now: datetime | None = None,
) -> Current:
    """Put the organization on another plan, at once or when what is paid ends.

    Args:
        session: The transaction.
        organization_id: Whose plan.
        wanted: The plan, or the id of a quote, which is done exactly as it was quoted.
        plans: The catalog.
        actor: Whose will it is.
        paid: Somebody sees to the payment; without, nothing dearer can be had.
        now: The present, for tests.

    Raises:
        UsedUp: Money would come back for days whose worth is used up.
        PaymentsOff: It costs more than now, and nothing here takes payments.
        QuoteNotFound: There is no such quote.
        QuoteOver: The quote holds no longer.
        NoSuchPlan: The catalog has none of that name.
        NotForSale: It has no price for the interval.
        NotPossible: The subscription is in no state to change, or has the plan.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    held.actor = actor
    if isinstance(wanted, UUID):
        move, day = quoting.accept(held, wanted)
    else:
        if changing.keeps(held, wanted):
            return changing.unscheduled(held)
        move, day = changing.decide(held, wanted), periods.day(held.now)
    if move.dearer and not paid:
        raise PaymentsOff(move.plan.tier)
    if move.when is When.NOW and not paid:
        worth.check_back(held, move.plan, move.interval, day=day, status=move.status)
    return changing.apply(held, move, day=day)


# --- what operators do ---------------------------------------------------------------


def set_plan(
    session: Session,
    organization_id: UUID,
    given: Given,
    *,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Current:
    """Put an organization on any plan, whoever pays for it; whatever state it is in.

    Raises:
        NoSuchPlan: The catalog has none of that name.
        NotPossible: It has the plan in just this way already.
        InvalidInput: A trial shall begin later.
    """
    if given.when is When.PERIOD_END and given.trial_days:
        raise InvalidInput("a trial begins at once", hint="leave out `when`")
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    allowance.check_changes(held)
    held.actor, held.reason = actor, given.reason
    row, day = held.row, periods.day(held.now)
    plan = plans.current(given.tier)
    interval = given.interval or held.interval
    kept = (plan, interval) == (held.plan, held.interval)
    if given.when is When.PERIOD_END:
        held.begin()
        changing.schedule(held, plan, interval)
        row.cancel_at_period_end, row.canceled_at = False, None
        end_ = row.billing_period_end
        hands.record(held, Kind.CHANGE_SCHEDULED, effective_at=end_)
        return held.current()
    trial = given.trial_days > 0
    if kept and not trial and row.status == Status.ACTIVE:
        raise NotPossible(f"the plan is {plan.tier!r} already")
    held.begin()
    changing.schedule(held, None, None)
    row.cancel_at_period_end, row.canceled_at = False, None
    row.paused_at = row.payment_grace_until = None
    row.status = (Status.TRIALING if trial else Status.ACTIVE).value
    if trial:
        row.trial_end = day + timedelta(days=given.trial_days)
    row.trial_converts = trial and given.trial_converts
    changing.switch(held, plan, interval, day=day)
    kind = Kind.TRIAL_STARTED if trial else Kind.CHANGED
    hands.record(held, kind, effective_at=day)
    return held.current()


def move_to_current_version(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    reason: str,
    actor: Actor,
    now: datetime | None = None,
) -> bool:
    """Schedule the newest version of the plan; False where that is so, or it goes away."""
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    row, plan = held.row, plans.catalog.plans.get(held.row.tier)
    if plan is None or row.scheduled_tier is not None or row.cancel_at_period_end:
        return False
    if (row.catalog, row.plan_version) == (plans.catalog.name, plan.version):
        return False
    held.actor, held.reason = actor, reason
    held.begin()
    changing.schedule(held, plan, held.interval)
    at = row.billing_period_end
    hands.record(held, Kind.CHANGE_SCHEDULED, effective_at=at)
    return True


def extend_trial(
    session: Session,
    organization_id: UUID,
    days: int,
    *,
    reason: str,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Current:
    """Let a trial last some days longer.

    Raises:
        NotPossible: There is none, or it would last longer than 366 days from now.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    held.actor, held.reason = actor, reason
    row = held.row
    if row.status != Status.TRIALING or row.trial_end is None:
        raise NotPossible("there is no trial to extend")
    until = row.trial_end + timedelta(days=days)
    if until > held.now + timedelta(days=TRIAL_DAYS_MAX):
        raise NotPossible(f"a trial ends within {TRIAL_DAYS_MAX} days")
    held.begin()
    row.trial_end = until
    hands.record(held, Kind.TRIAL_EXTENDED, effective_at=held.now)
    return held.current()
