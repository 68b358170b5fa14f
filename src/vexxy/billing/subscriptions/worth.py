"""Whether money can come back for days that are left of a plan.

Somebody could use up a month on its first day and hand the rest of it back. What was used
may be no more than what the period allows after the change; else the change waits until
what is paid is over. Operators decide for themselves.
"""

from collections.abc import Sequence
from datetime import datetime

from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Source
from vexxy.billing.subscriptions import allowance, changing, repository
from vexxy.billing.subscriptions.errors import UsedUp
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.rules import proration
from vexxy.billing.subscriptions.types import Part, Status
from vexxy.billing.types import Interval, Plan
from vexxy.billing.usage import service as usage


def check_back(
    held: Held, plan: Plan, interval: Interval, *, day: datetime, status: Status
) -> None:
    """Refuse a change at once that gives money back for what is used up.

    Raises:
        UsedUp: More was used than the period allows after the change.
    """
    lines = changing.lines(held, plan, interval, day=day, status=status)
    if sum(line.amount_cents for line in lines) >= 0:
        return
    # After a cancellation the default plan is active.
    after = status if status is Status.TRIALING else Status.ACTIVE
    parts = allowance.with_part(held, plan, status=after.value, day=day)
    if _credits_over(held, parts):
        raise UsedUp("credits")
    given = proration.analyses_given(parts, end=held.period.period_end)
    if plan.monthly_analyses is not None and held.period.analyses > given:
        raise UsedUp("analyses")
    for metric in plan.metrics:
        if _metric_over(held, plan, metric):
            raise UsedUp(metric)


def _credits_over(held: Held, parts: Sequence[Part]) -> bool:
    period, organization_id = held.period, held.row.organization_id
    if parts[-1].credit_limit is None:
        return False
    given = proration.allowance(parts, end=period.period_end)
    balance = ledger.balance(held.session, organization_id, now=held.now)
    if any(part.credit_limit is None for part in parts):
        charged = repository.revenue_credits(held.session, organization_id)
        used = charged - period.revenue_at_start + balance.held_credits
        return used > given
    left = sum(
        lot.available_credits
        for lot in balance.lots
        if lot.source is Source.PLAN_ALLOWANCE and lot.expires_at == period.period_end
    )
    return period.granted_credits - given > left


def _metric_over(held: Held, plan: Plan, metric: str) -> bool:
    terms, before = plan.metrics[metric], held.plan.metrics.get(metric)
    included = None if before is None else before.included
    if terms.included is None or (included is not None and included <= terms.included):
        return False
    used = usage.total(
        held.session,
        held.row.organization_id,
        metric,
        aggregation=terms.aggregation,
        start_day=held.period.period_start.date(),
        end_day=held.period.period_end.date(),
    )
    return used > terms.included
