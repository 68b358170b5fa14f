"""From one plan to another: what it costs, and what it makes of the running period."""

from datetime import datetime

from vexxy.billing.subscriptions import allowance
from vexxy.billing.subscriptions import held as hands
from vexxy.billing.subscriptions.errors import NotPossible
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.rules import periods, proration
from vexxy.billing.subscriptions.rules import plans as plan_rules
from vexxy.billing.subscriptions.types import (
    Current,
    Kind,
    Line,
    Move,
    Status,
    Wanted,
    When,
)
from vexxy.billing.types import Interval, Plan

# In these the plan's price is due; a trial has none.
CHARGED = frozenset({Status.ACTIVE, Status.PAST_DUE})


def billing_of(held: Held, interval: Interval) -> tuple[datetime, datetime]:
    """Return the billing period that a plan paid by this interval falls into.

    Another interval begins with the running month, so that months and years end
    together.
    """
    row = held.row
    if interval is held.interval:
        return row.billing_period_start, row.billing_period_end
    start = row.current_period_start
    return start, periods.end_after(row.anchor_at, start, interval)


def lines(
    held: Held, plan: Plan, interval: Interval, *, day: datetime, status: Status
) -> tuple[Line, ...]:
    """Return what a change is worth: what is left of the one, what is left of the other."""
    row = held.row
    found: list[Line] = []
    if row.billing_charged:
        if (plan, interval) == (held.plan, held.interval) and status in CHARGED:
            return ()
        found.append(
            proration.line(
                f"Unused time on {held.plan.name or held.plan.tier}",
                plan_rules.price(held.plan, held.interval) or 0,
                at=day,
                billing=(row.billing_period_start, row.billing_period_end),
                sign=-1,
            )
        )
    if status in CHARGED:
        found.append(
            proration.line(
                f"Remaining time on {plan.name or plan.tier}",
                plan_rules.price(plan, interval) or 0,
                at=day,
                billing=billing_of(held, interval),
            )
        )
    return tuple(line for line in found if line.amount_cents)


def switch(held: Held, plan: Plan, interval: Interval, *, day: datetime) -> None:
    """Put the subscription on a plan from a day on; its status is the new one already."""
    row, status = held.row, Status(held.row.status)
    changed = lines(held, plan, interval, day=day, status=status)
    row.billing_period_start, row.billing_period_end = billing_of(held, interval)
    row.billing_fee_cents += sum(line.amount_cents for line in changed)
    row.billing_charged = status in CHARGED
    row.catalog = held.plans.catalog.name if plan != held.plan else row.catalog
    row.tier, row.plan_version = plan.tier, plan.version
    row.billing_interval = interval.value
    hands.itemize(held)
    allowance.divide(held, day=day)


def schedule(held: Held, plan: Plan | None, interval: Interval | None) -> None:
    """Have the subscription go over to a plan when what is paid ends; None for no plan."""
    row = held.row
    row.scheduled_tier = None if plan is None else plan.tier
    row.scheduled_plan_version = None if plan is None else plan.version
    row.scheduled_interval = None if interval is None else interval.value


def revive(held: Held, *, day: datetime) -> None:
    """Make a subscription active that was not; what it earns begins with the day."""
    held.row.status = Status.ACTIVE.value
    held.row.paused_at = held.row.payment_grace_until = None
    switch(held, held.plan, held.interval, day=day)


def keeps(held: Held, wanted: Wanted) -> bool:
    """Return whether to stay is asked for, while a change is scheduled."""
    same = wanted.tier == held.row.tier and wanted.interval in {None, held.interval}
    return same and held.row.scheduled_tier is not None


def unscheduled(held: Held) -> Current:
    """Take a scheduled change back."""
    held.begin()
    schedule(held, None, None)
    hands.record(held, Kind.SCHEDULE_CLEARED, effective_at=held.now)
    return held.current()


def decide(held: Held, wanted: Wanted) -> Move:
    """Return what a wanted change comes to.

    Raises:
        NoSuchPlan: The catalog has none of that name.
        NotForSale: It has no price for the interval.
        NotPossible: The subscription is in no state to change, or has the plan.
    """
    row, status = held.row, Status(held.row.status)
    if status not in {Status.ACTIVE, Status.TRIALING}:
        raise NotPossible(
            f"a subscription that is {status} cannot change its plan",
            hint="POST /billing/subscription/resume" if status is Status.PAUSED else None,
        )
    if row.cancel_at_period_end:
        raise NotPossible(
            "the subscription is to end", hint="POST /billing/subscription/reactivate"
        )
    allowance.check_changes(held)
    plan = held.plans.current(wanted.tier)
    interval = wanted.interval or held.interval
    if wanted.interval is None and plan_rules.price(plan, interval) is None:
        interval = Interval.MONTH
    price = plan_rules.get_price(plan, interval)
    before = (held.plan, held.interval)
    if (plan, interval) == before:
        raise NotPossible(f"the plan is {plan.tier!r} already")
    if price == 0 and plan.tier == row.tier:
        interval = Interval.MONTH
    dearer = plan_rules.is_dearer(before, (plan, interval))
    trial = status is Status.TRIALING
    return Move(
        plan,
        interval,
        plan_rules.when(wanted.when, dearer=dearer, trial=trial),
        Status.ACTIVE if trial and price == 0 else status,
        dearer,
    )


def apply(held: Held, move: Move, *, day: datetime) -> Current:
    """Do a change as of a day, or schedule it."""
    held.begin()
    if move.when is When.PERIOD_END:
        schedule(held, move.plan, move.interval)
        end = held.row.billing_period_end
        hands.record(held, Kind.CHANGE_SCHEDULED, effective_at=end)
        return held.current()
    schedule(held, None, None)
    held.row.status = move.status.value
    switch(held, move.plan, move.interval, day=day)
    hands.record(held, Kind.CHANGED, effective_at=day)
    return held.current()
