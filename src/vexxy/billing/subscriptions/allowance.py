"""The limits and credits of a period: what its parts say, and no more.

The ledger is asked for the difference between what the parts give and what was granted
already. So nobody gets more than one allowance by changing plans to and fro, and a step
that is done again finds nothing left to do.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Grant, Revoke, Source
from vexxy.billing.subscriptions import repository, wire
from vexxy.billing.subscriptions.errors import NotPossible
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.models import PeriodRow, SubscriptionRow
from vexxy.billing.subscriptions.rules import proration
from vexxy.billing.subscriptions.rules.states import EARNING
from vexxy.billing.subscriptions.types import Part, Status
from vexxy.billing.types import Plan
from vexxy.kit import ids

# More changes than this within a month are no use of ours.
PARTS_MAX: Final = 60


def part_of(plan: Plan, *, status: str, first_day: datetime) -> Part:
    """Return the part that begins on a day; it is empty while the state earns nothing."""
    earns = Status(status) in EARNING
    return Part(
        first_day=first_day.date(),
        tier=plan.tier,
        plan_version=plan.version,
        analysis_limit=plan.monthly_analyses if earns else 0,
        credit_limit=plan.monthly_credits if earns else 0,
    )


def add_period(
    session: Session, row: SubscriptionRow, plan: Plan, *, end: datetime, now: datetime
) -> PeriodRow:
    """Open the next period of a subscription; the one before is closed already."""
    start = row.current_period_start
    part = part_of(plan, status=row.status, first_day=start)
    row.current_period_end = end
    period = PeriodRow(
        id=ids.new_id(),
        organization_id=row.organization_id,
        subscription_id=row.id,
        period_start=start,
        period_end=end,
        tier=plan.tier,
        plan_version=plan.version,
        parts=[wire.part_object(part)],
        analysis_limit=part.analysis_limit,
        credit_limit=part.credit_limit,
        granted_credits=0,
        grant_keys=[],
        analyses=0,
        credits_used=0,
        revenue_at_start=repository.revenue_credits(session, row.organization_id),
        usage_start=start,
        created_at=now,
    )
    session.flush()
    session.add(period)
    session.flush()
    return period


def grant_first(held: Held) -> None:
    """Grant the allowance of a period that was just opened."""
    _bring(held, wire.parts_of(held.period))


def check_changes(held: Held) -> None:
    """Refuse one change more where a period has had too many.

    Raises:
        NotPossible: It has.
    """
    if len(held.period.parts) >= PARTS_MAX:
        raise NotPossible(
            f"the plan was changed {PARTS_MAX - 1} times in this period",
            hint="it can be changed again in the next one",
        )


def with_part(held: Held, plan: Plan, *, status: str, day: datetime) -> list[Part]:
    """Return the parts as they are with another plan, or state, from a day on."""
    period = held.period
    *over, last = wire.parts_of(period)
    parts = [
        *over,
        replace(
            last,
            analyses=max(0, period.analyses - sum(part.analyses for part in over)),
            credits_used=max(
                0, period.credits_used - sum(part.credits_used for part in over)
            ),
        ),
    ]
    # A day that another part has already is not taken from it.
    first = max(day.date(), last.first_day)
    return [*parts, replace(part_of(plan, status=status, first_day=day), first_day=first)]


def divide(held: Held, *, day: datetime) -> None:
    """Let the plan and state of the subscription hold in its period from a day on."""
    period, plan = held.period, held.plan
    if day >= period.period_end:
        return
    last = wire.parts_of(period)[-1]
    new = part_of(plan, status=held.row.status, first_day=day)
    if replace(last, first_day=new.first_day, analyses=0, credits_used=0) == new:
        return
    parts = with_part(held, plan, status=held.row.status, day=day)
    period.parts = [wire.part_object(part) for part in parts]
    period.tier, period.plan_version = plan.tier, plan.version
    period.analysis_limit = proration.analysis_limit(parts, end=period.period_end)
    period.credit_limit = proration.credit_limit(parts, end=period.period_end)
    _bring(held, parts)


def _bring(held: Held, parts: Sequence[Part]) -> None:
    """Have the ledger hold what the parts give: grant what lacks, take back what is over.

    What is spent is not taken back; it stays counted as granted. What is held is taken
    back when it returns unspent (`take_back`).
    """
    period = held.period
    wanted = proration.allowance(parts, end=period.period_end)
    if wanted > period.granted_credits:
        _grant(held, wanted - period.granted_credits)
    else:
        _take(held, wanted, period.grant_keys, step=f"{held.row.revision}")


def is_over(period: PeriodRow) -> bool:
    """Return whether more is granted than the parts give: it was spent, or was held."""
    if len(period.parts) == 1:
        return False
    parts = wire.parts_of(period)
    return period.granted_credits > proration.allowance(parts, end=period.period_end)


def take_back(held: Held) -> None:
    """Take back what was held when the plan became less and is there again, unspent.

    Otherwise credits that are set aside for a moment would outlive the plan they are of.
    """
    period, session = held.period, held.session
    if not is_over(period):
        return
    home = held.row.organization_id
    lots = ledger.balance(session, home, now=held.now).lots
    back = {lot.id for lot in lots if lot.available_credits}
    grants = [(key, ledger.find(session, home, key)) for key in period.grant_keys]
    keys = [key for key, grant in grants if grant is not None and grant.id in back]
    wanted = proration.allowance(wire.parts_of(period), end=period.period_end)
    # Something is taken each time, so what is over names each time differently.
    step = f"{held.row.revision}:back:{period.granted_credits - wanted}"
    _take(held, wanted, keys, step=step)


def _take(held: Held, wanted: int, grant_keys: Sequence[str], *, step: str) -> None:
    period, row = held.period, held.row
    for grant_key in reversed(grant_keys):
        over = period.granted_credits - wanted
        if over <= 0:
            break
        taken = ledger.post_one(
            held.session,
            row.organization_id,
            Revoke(
                key=f"{grant_key}:revoke:{row.id}:{step}",
                grant_key=grant_key,
                credits=over,
                description=f"Allowance less for the plan {period.tier}",
            ),
            now=held.now,
        )
        period.granted_credits += taken.credits_amount


def _grant(held: Held, credits: int) -> None:  # noqa: A002  the unit, not the builtin
    period, row = held.period, held.row
    first = f"allowance:{row.id}:{period.period_start:%Y-%m-%d}"
    key = f"{first}:change:{row.revision}" if period.grant_keys else first
    ledger.post_one(
        held.session,
        row.organization_id,
        Grant(
            key=key,
            credits=credits,
            source=Source.PLAN_ALLOWANCE,
            expires_at=period.period_end,
            description=f"Allowance of the plan {period.tier}",
        ),
        now=held.now,
    )
    period.grant_keys = [*period.grant_keys, key]
    period.granted_credits += credits
