"""Handing a period that is over to the invoices.

Use is invoiced by the month, with the plan that holds at its end; a fee when what it is
for is over.
"""

from datetime import datetime, timedelta

from vexxy.billing.invoices import service as invoices
from vexxy.billing.invoices.types import Closing
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.rules import plans


def fee_at(held: Held, end: datetime) -> int:
    """Return the fee that is due with a period that ends then."""
    row = held.row
    return row.billing_fee_cents if end >= row.billing_period_end else 0


def closing(held: Held, *, end: datetime, fee_cents: int) -> Closing:
    """Return what is to be invoiced of the open period up to a day.

    Args:
        held: The subscription.
        end: Midnight after the last day that counts.
        fee_cents: Of the billing period, proration and all.
    """
    row, period = held.row, held.period
    plan = plans.sold(held.plan, status=row.status, vouched=row.trial_converts)
    # Somebody who leaves on the first day owes for no day of use, yet an invoice has one.
    first = period.period_start
    last_end = max(end, first + timedelta(days=1))
    from_ = row.billing_period_start.date()
    until = (last_end - timedelta(days=1)).date()
    return Closing(
        organization_id=row.organization_id,
        subscription_id=row.id,
        plan=plan,
        billing_interval=held.interval,
        period_start=first,
        period_end=last_end,
        usage_start=period.usage_start.date(),
        usage_end=max(end, period.usage_start).date(),
        fee_cents=fee_cents,
        fee_description=f"{plan.name or plan.tier}, {from_} to {until}"
        if fee_cents
        else "",
    )


def close(held: Held, *, end: datetime, fee_cents: int) -> None:
    """Invoice what was used until `end`, and a fee; once for each period."""
    invoices.close_period(
        held.session, closing(held, end=end, fee_cents=fee_cents), now=held.now
    )
