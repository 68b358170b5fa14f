"""Previews of a change, and holding one for some minutes."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from vexxy.billing.subscriptions import allowance, changing, repository
from vexxy.billing.subscriptions.errors import QuoteNotFound, QuoteOver
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.models import QuoteRow
from vexxy.billing.subscriptions.rules import periods, proration
from vexxy.billing.subscriptions.rules import plans as plan_rules
from vexxy.billing.subscriptions.types import (
    Move,
    Preview,
    QuotaChange,
    Quote,
    Status,
    When,
)
from vexxy.billing.types import Interval
from vexxy.kit import ids

HOLDS: Final = timedelta(minutes=15)


def preview(held: Held, move: Move, *, day: datetime) -> Preview:
    """Return what a change would do from a day on; nothing is done."""
    row, period, at_once = held.row, held.period, move.when is When.NOW
    parts = [*allowance.with_part(held, move.plan, status=move.status.value, day=day)]
    lines = (
        changing.lines(held, move.plan, move.interval, day=day, status=move.status)
        if at_once
        else ()
    )
    billing = (
        changing.billing_of(held, move.interval)
        if at_once
        else (row.billing_period_start, row.billing_period_end)
    )
    amount = sum(line.amount_cents for line in lines)
    end = period.period_end
    granted = proration.allowance(parts, end=end) - period.granted_credits if at_once else 0
    analyses, allowed = (
        (proration.analysis_limit(parts, end=end), proration.credit_limit(parts, end=end))
        if at_once
        else (period.analysis_limit, period.credit_limit)
    )
    before = held.plan
    return Preview(
        tier=move.plan.tier,
        plan_version=move.plan.version,
        interval=move.interval,
        when=move.when,
        effective_at=day if at_once else row.billing_period_end,
        currency=move.plan.currency,
        lines=lines,
        amount_cents=amount,
        next_invoice_at=billing[1],
        next_invoice_cents=row.billing_fee_cents + amount,
        recurring_cents=plan_rules.price(move.plan, move.interval) or 0,
        analyses=QuotaChange(
            before.monthly_analyses,
            move.plan.monthly_analyses,
            period.analysis_limit,
            analyses,
        ),
        credits=QuotaChange(
            before.monthly_credits, move.plan.monthly_credits, period.credit_limit, allowed
        ),
        credits_granted=max(0, granted),
        credits_revoked=max(0, -granted),
    )


def hold(held: Held, move: Move) -> Quote:
    """Preview a change as of today and hold it for 15 minutes."""
    found = preview(held, move, day=periods.day(held.now))
    row = QuoteRow(
        id=ids.new_id(),
        organization_id=held.row.organization_id,
        subscription_id=held.row.id,
        revision=held.row.revision,
        change={
            "tier": move.plan.tier,
            "plan_version": move.plan.version,
            "catalog": held.plans.catalog.name,
            "interval": move.interval.value,
            "when": move.when.value,
            "status": move.status.value,
            "dearer": move.dearer,
        },
        preview=_object(found),
        created_at=held.now,
        expires_at=held.now + HOLDS,
    )
    held.session.add(row)
    held.session.flush()
    return Quote(row.id, row.expires_at, found)


def accept(held: Held, quote_id: UUID) -> tuple[Move, datetime]:
    """Return the change of a quote and the day it was made for; it is used up.

    Raises:
        QuoteNotFound: The organization has none of that id.
        QuoteOver: Its time ran out, it was accepted, or its ground changed.
    """
    row = repository.lock_quote(held.session, held.row.organization_id, quote_id)
    if row is None:
        raise QuoteNotFound(quote_id)
    if row.accepted_at is not None:
        raise QuoteOver("was accepted already")
    if row.expires_at <= held.now:
        raise QuoteOver("has run out")
    if (row.subscription_id, row.revision) != (held.row.id, held.row.revision):
        raise QuoteOver("no longer holds: the subscription changed since")
    move, day = _move(held, row.change), periods.day(row.created_at)
    said, now = row.preview, _object(preview(held, move, day=day))
    # What is used or spent meanwhile is none of what was quoted.
    for name in ("lines", "amount_cents", "next_invoice_cents", "effective_at"):
        if said[name] != now[name]:
            raise QuoteOver("no longer holds: its price changed since")
    row.accepted_at = held.now
    return move, day


def _move(held: Held, change: dict[str, Any]) -> Move:
    plan = held.plans.get(
        held.session, change["tier"], change["plan_version"], catalog=change["catalog"]
    )
    return Move(
        plan,
        Interval(change["interval"]),
        When(change["when"]),
        Status(change["status"]),
        bool(change["dearer"]),
    )


def _object(preview: Preview) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(preview))
    return made
