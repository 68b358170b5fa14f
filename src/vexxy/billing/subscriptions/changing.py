"""From one plan to another: what it costs, and what it makes of the running period."""

from datetime import datetime

from vexxy.billing.subscriptions import allowance
from vexxy.billing.subscriptions import held as hands
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.rules import periods, proration
from vexxy.billing.subscriptions.rules import plans as plan_rules
from vexxy.billing.subscriptions.types import Line, Status
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
