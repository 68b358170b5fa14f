"""What an organization owes that goes away in the middle of what it pays for.

Fees are invoiced in arrears: whoever could leave without one would have the month for
nothing, and might come back under another name.
"""

from vexxy.billing.subscriptions import changing, invoicing, renewal, worth
from vexxy.billing.subscriptions.errors import RolloverHalted, UsedUp
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.models import PeriodRow, SubscriptionRow
from vexxy.billing.subscriptions.rules import periods
from vexxy.billing.subscriptions.types import Line, Status
from vexxy.kit import logging

log = logging.logger(__name__)


def settled(held: Held) -> tuple[SubscriptionRow, PeriodRow]:
    """Invoice what ran until now; return the subscription that is live then.

    The days that are left come back as with a cancellation at once, but not where their
    worth is used up: there nobody is refused, so there all of the fee is due.
    """
    try:
        held = renewal.advance(held)
    except RolloverHalted:
        # Whoever leaves is not kept; the log says what was not booked.
        log.exception("subscription.left_unsettled", subscription_id=held.row.id)
        return held.row, held.period
    row, day = held.row, periods.day(held.now)
    fee = row.billing_fee_cents + sum(line.amount_cents for line in _back(held))
    # What was used today counts as well: nothing comes after it that could say so.
    invoicing.close(held, end=periods.next_day(day), fee_cents=fee)
    return row, held.period


def _back(held: Held) -> tuple[Line, ...]:
    plan = held.plans.current(held.plans.default_tier)
    interval, day = held.interval, periods.day(held.now)
    try:
        worth.check_back(held, plan, interval, day=day, status=Status.CANCELED)
    except UsedUp:
        return ()
    return changing.lines(held, held.plan, interval, day=day, status=Status.CANCELED)
