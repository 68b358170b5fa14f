"""Which move between plans costs more, and when it takes effect; what a trial sells."""

from dataclasses import replace

from vexxy.billing.subscriptions.errors import NotForSale
from vexxy.billing.subscriptions.types import Status, When
from vexxy.billing.types import Interval, Plan


def price(plan: Plan, interval: Interval) -> int | None:
    """Return what a billing period costs in cents, None where it cannot be bought."""
    if interval is Interval.MONTH:
        return plan.monthly_price_cents
    # What costs nothing a month costs nothing a year.
    if plan.annual_price_cents is None and plan.monthly_price_cents == 0:
        return 0
    return plan.annual_price_cents


def get_price(plan: Plan, interval: Interval) -> int:
    """Return what a billing period costs in cents.

    Raises:
        NotForSale: It cannot be bought.
    """
    found = price(plan, interval)
    if found is None:
        raise NotForSale(plan.tier, interval.value)
    return found


def is_dearer(before: tuple[Plan, Interval], after: tuple[Plan, Interval]) -> bool:
    """Return whether a move asks for money that was not promised before.

    More at once is dearer (a month to a year), and so is any plan above, however it is
    paid. A plan without a price is above every other.

    Args:
        before: Plan and interval.
        after: Plan and interval.
    """
    new = price(*after)
    if new == 0:
        return False
    old = price(*before)
    if new is None or after[0].priority > before[0].priority:
        return True
    return old is not None and new > old


def when(wanted: When | None, *, dearer: bool, trial: bool) -> When:
    """Return when a move takes effect: what is paid for is used up first."""
    if wanted is not None:
        return wanted
    return When.NOW if dearer or trial else When.PERIOD_END


def sold(plan: Plan, *, status: str, vouched: bool) -> Plan:
    """Return the plan with what its subscriber may buy beyond what is included.

    In a trial that nobody vouches for, nothing: it ends in the default plan, and who would
    be asked for the price of use beyond the plan had never said that they would pay.

    Args:
        plan: As it is subscribed to.
        status: Of the subscription.
        vouched: Its trial goes over into the paid plan.
    """
    if vouched or status != Status.TRIALING:
        return plan
    metrics = {
        name: replace(terms, overage_unit_price=None)
        for name, terms in plan.metrics.items()
    }
    return replace(plan, metrics=metrics)
