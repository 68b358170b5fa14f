"""What happens to a subscription by itself: periods, trials and times of grace that end.

Each is done as of the instant at which it was due, in the order of those instants,
however long nobody looked. All of it is one transaction under the organization's money
lock, so it is done once whoever comes first: a request, the sweep, or both.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.catalog.service import Plans
from vexxy.billing.ledger import service as ledger
from vexxy.billing.subscriptions import allowance, changing, invoicing, repository
from vexxy.billing.subscriptions import held as hands
from vexxy.billing.subscriptions.errors import OrganizationClosed, RolloverHalted
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.models import SubscriptionRow
from vexxy.billing.subscriptions.rules import periods
from vexxy.billing.subscriptions.rules import plans as plan_rules
from vexxy.billing.subscriptions.types import Kind, Status
from vexxy.billing.types import Interval, Plan
from vexxy.kit import clock, ids, logging, metrics

MISSED_MAX: Final = 24

log = logging.logger(__name__)


def hold(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    now: datetime | None,
    missed_max: int = MISSED_MAX,
) -> Held:
    """Take the organization's live subscription in hand, with all done that was due.

    Raises:
        RolloverHalted: Too many periods were missed.
    """
    moment = now or clock.instant()
    ledger.lock(session, organization_id)
    found = repository.lock_current(session, organization_id)
    if found is None:
        return create(session, organization_id, plans=plans, now=moment)
    held = advance(Held(session, *found, plans, moment), missed_max=missed_max)
    allowance.take_back(held)
    return held


def create(session: Session, organization_id: UUID, *, plans: Plans, now: datetime) -> Held:
    """Subscribe an organization to the default plan, from today on.

    Raises:
        OrganizationClosed: What was ended by an erasure gets no successor.
    """
    if repository.is_closed(session, organization_id):
        raise OrganizationClosed
    plan = plans.current(plans.default_tier)
    start = periods.day(now)
    row = _new_row(organization_id, plans, plan, anchor=start, now=now)
    row.billing_period_start = start
    row.billing_period_end = periods.end_after(start, start, Interval.MONTH)
    held = _opened(session, row, plans=plans, start=start, now=now)
    hands.record(held, Kind.CREATED, effective_at=start)
    return held


def _new_row(
    organization_id: UUID, plans: Plans, plan: Plan, *, anchor: datetime, now: datetime
) -> SubscriptionRow:
    return SubscriptionRow(
        id=ids.new_id(),
        organization_id=organization_id,
        catalog=plans.catalog.name,
        tier=plan.tier,
        plan_version=plan.version,
        status=Status.ACTIVE.value,
        billing_interval=Interval.MONTH.value,
        anchor_at=anchor,
        billing_fee_cents=plan_rules.price(plan, Interval.MONTH) or 0,
        billing_charged=True,
        revision=1,
        created_at=now,
        updated_at=now,
    )


def _opened(
    session: Session, row: SubscriptionRow, *, plans: Plans, start: datetime, now: datetime
) -> Held:
    end = periods.end_after(row.anchor_at, start, Interval.MONTH)
    row.current_period_start, row.current_period_end = start, end
    session.add(row)
    session.flush()
    plan = plans.get(session, row.tier, row.plan_version, catalog=row.catalog)
    period = allowance.add_period(session, row, plan, end=end, now=now)
    held = Held(session, row, period, plans, now)
    allowance.grant_first(held)
    hands.itemize(held)
    return held


def due_at(row: SubscriptionRow) -> datetime:
    """Return when something happens to it next, as the database computes it."""
    due = row.current_period_end
    if row.status == Status.TRIALING and row.trial_end is not None:
        due = min(due, row.trial_end)
    if row.status == Status.PAST_DUE and row.payment_grace_until is not None:
        due = min(due, row.payment_grace_until)
    return due


def advance(held: Held, *, missed_max: int = MISSED_MAX) -> Held:
    """Do everything that is due; return the live subscription, which may be another.

    Raises:
        RolloverHalted: More periods were missed than are booked without a person.
    """
    row, now = held.row, held.now
    missed = periods.missed(row.anchor_at, end=row.current_period_end, now=now)
    if missed > missed_max:
        log.error("subscription.rollover_halted", subscription_id=row.id, missed=missed)
        raise RolloverHalted(
            row.id, missed=missed, most=missed_max, since=row.current_period_end
        )
    while (due := due_at(held.row)) <= now:
        if held.row.status == Status.TRIALING and held.row.trial_end == due:
            _end_trial(held, due)
        elif held.row.status == Status.PAST_DUE and held.row.payment_grace_until == due:
            _end_grace(held, due)
        else:
            held = _roll_over(held)
    if missed:
        ledger.expire_lots(held.session, held.row.organization_id, now=now)
    return held


def _end_trial(held: Held, at: datetime) -> None:
    row, plans = held.row, held.plans
    held.begin()
    row.status = Status.ACTIVE.value
    if row.trial_converts and not row.cancel_at_period_end:
        changing.switch(held, held.plan, held.interval, day=at)
        hands.record(held, Kind.TRIAL_CONVERTED, effective_at=at)
        return
    row.cancel_at_period_end = False
    changing.schedule(held, None, None)
    plan = plans.current(plans.default_tier)
    changing.switch(held, plan, Interval.MONTH, day=at)
    hands.record(held, Kind.TRIAL_ENDED, effective_at=at)


def _end_grace(held: Held, at: datetime) -> None:
    held.begin()
    held.row.status = Status.UNPAID.value
    hands.record(held, Kind.PAYMENT_GRACE_ENDED, effective_at=at)


def _roll_over(held: Held) -> Held:
    """Close the period, invoice it, and open the next one with its allowance."""
    row, end = held.row, held.row.current_period_end
    paid_is_over = end >= row.billing_period_end
    held.begin()
    invoicing.close(held, end=end, fee_cents=invoicing.fee_at(held, end))
    held.period.closed_at = held.now
    held.session.flush()
    metrics.PERIOD_ROLLOVERS.count()
    if paid_is_over and row.cancel_at_period_end:
        return _succeeded(held, at=end)
    kind = Kind.RENEWED
    if paid_is_over:
        if row.scheduled_tier is not None:
            kind = Kind.CHANGED
            _take_scheduled(held)
        _begin_billing(held, start=end)
    row.current_period_start = end
    held.period = allowance.add_period(
        held.session,
        row,
        held.plan,
        end=periods.end_after(row.anchor_at, end, Interval.MONTH),
        now=held.now,
    )
    allowance.grant_first(held)
    hands.itemize(held)
    hands.record(held, kind, effective_at=end)
    return held


def _take_scheduled(held: Held) -> None:
    row = held.row
    row.catalog = held.plans.catalog.name
    row.tier = row.scheduled_tier or row.tier
    row.plan_version = row.scheduled_plan_version or row.plan_version
    row.billing_interval = row.scheduled_interval or row.billing_interval
    changing.schedule(held, None, None)


def _begin_billing(held: Held, *, start: datetime) -> None:
    row = held.row
    row.billing_period_start = start
    row.billing_period_end = periods.end_after(row.anchor_at, start, held.interval)
    row.billing_charged = Status(row.status) in changing.CHARGED
    price = plan_rules.price(held.plan, held.interval) or 0
    row.billing_fee_cents = price if row.billing_charged else 0


def _end_row(held: Held, *, at: datetime) -> SubscriptionRow:
    """End the subscription; return the default one that comes after it, not stored yet."""
    row, plans = held.row, held.plans
    row.status = Status.CANCELED.value
    row.canceled_at = row.canceled_at or held.now
    row.ended_at = at
    row.cancel_at_period_end = False
    changing.schedule(held, None, None)
    hands.record(held, Kind.CANCELED, effective_at=at)
    held.session.flush()
    plan = plans.current(plans.default_tier)
    return _new_row(row.organization_id, plans, plan, anchor=row.anchor_at, now=held.now)


def _succeeded(held: Held, *, at: datetime) -> Held:
    after = _end_row(held, at=at)
    after.billing_period_start = at
    after.billing_period_end = periods.end_after(after.anchor_at, at, Interval.MONTH)
    successor = _opened(held.session, after, plans=held.plans, start=at, now=held.now)
    hands.record(successor, Kind.CREATED, effective_at=at)
    return successor


def cancel_now(held: Held) -> Held:
    """End the subscription today; the default plan has the rest of its period.

    The period goes over to the successor: periods of an organization never overlap, and
    what is spent of the allowance stays spent.
    """
    row, period = held.row, held.period
    day = periods.day(held.now)
    held.begin()
    unused = changing.lines(held, held.plan, held.interval, day=day, status=Status.CANCELED)
    row.billing_fee_cents += sum(line.amount_cents for line in unused)
    invoicing.close(held, end=day, fee_cents=row.billing_fee_cents)
    after = _end_row(held, at=day)
    after.current_period_start = period.period_start
    after.current_period_end = period.period_end
    after.billing_period_start = period.period_start
    after.billing_period_end = period.period_end
    held.session.add(after)
    held.session.flush()
    period.subscription_id, period.usage_start = after.id, max(day, period.usage_start)
    successor = Held(
        held.session, after, period, held.plans, held.now, held.actor, held.reason
    )
    hands.itemize(successor)
    allowance.divide(successor, day=day)
    hands.record(successor, Kind.CREATED, effective_at=day)
    return successor
