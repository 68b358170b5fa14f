"""Rows and JSON of the database, to values and back."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from vexxy.billing.subscriptions.models import PeriodRow, StepRow, SubscriptionRow
from vexxy.billing.subscriptions.types import (
    Kind,
    Part,
    Period,
    Status,
    Step,
    Subscription,
)
from vexxy.billing.types import Interval
from vexxy.kit import clock


def part_object(part: Part) -> dict[str, Any]:
    """Return a part as the database keeps it."""
    return {**asdict(part), "first_day": part.first_day.isoformat()}


def parts_of(row: PeriodRow) -> tuple[Part, ...]:
    """Return the parts of a period, first one first."""
    return tuple(
        Part(**{**kept, "first_day": date.fromisoformat(kept["first_day"])})
        for kept in row.parts
    )


def subscription_of(row: SubscriptionRow) -> Subscription:
    """Return the subscription of a row."""
    scheduled = row.scheduled_interval
    return Subscription(
        id=row.id,
        organization_id=row.organization_id,
        catalog=row.catalog,
        tier=row.tier,
        plan_version=row.plan_version,
        status=Status(row.status),
        billing_interval=Interval(row.billing_interval),
        anchor_at=row.anchor_at,
        current_period_start=row.current_period_start,
        current_period_end=row.current_period_end,
        billing_period_start=row.billing_period_start,
        billing_period_end=row.billing_period_end,
        billing_fee_cents=row.billing_fee_cents,
        trial_end=row.trial_end,
        trial_converts=row.trial_converts,
        cancel_at_period_end=row.cancel_at_period_end,
        canceled_at=row.canceled_at,
        ended_at=row.ended_at,
        paused_at=row.paused_at,
        payment_grace_until=row.payment_grace_until,
        scheduled_tier=row.scheduled_tier,
        scheduled_interval=None if scheduled is None else Interval(scheduled),
        revision=row.revision,
        created_at=row.created_at,
    )


def period_of(row: PeriodRow) -> Period:
    """Return the period of a row."""
    return Period(
        id=row.id,
        start=row.period_start,
        end=row.period_end,
        tier=row.tier,
        plan_version=row.plan_version,
        analysis_limit=row.analysis_limit,
        credit_limit=row.credit_limit,
        analyses=row.analyses,
        credits_used=row.credits_used,
        granted_credits=row.granted_credits,
        revenue_at_start=row.revenue_at_start,
        parts=parts_of(row),
    )


def step_of(row: StepRow) -> Step:
    """Return the step of a row."""
    return Step(
        id=row.id,
        subscription_id=row.subscription_id,
        revision=row.revision,
        kind=Kind(row.kind),
        effective_at=row.effective_at,
        before=row.before_state,
        after=row.after_state,
        reason=row.reason,
        created_at=row.created_at,
    )


def state_of(row: SubscriptionRow, period: PeriodRow) -> dict[str, Any]:
    """Return what history and the record of acts tell of a subscription."""
    return {
        "tier": row.tier,
        "plan_version": row.plan_version,
        "billing_interval": row.billing_interval,
        "status": row.status,
        "cancel_at_period_end": row.cancel_at_period_end,
        "scheduled_tier": row.scheduled_tier,
        "scheduled_interval": row.scheduled_interval,
        "trial_end": _text(row.trial_end),
        "payment_grace_until": _text(row.payment_grace_until),
        "current_period_start": _text(row.current_period_start),
        "current_period_end": _text(row.current_period_end),
        "billing_period_end": _text(row.billing_period_end),
        "billing_fee_cents": row.billing_fee_cents,
        "analysis_limit": period.analysis_limit,
        "credit_limit": period.credit_limit,
        "granted_credits": period.granted_credits,
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else clock.rfc3339(instant)
