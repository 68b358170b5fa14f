"""What subscriptions look like in JSON."""

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from vexxy.billing.subscriptions.rules import proration
from vexxy.billing.subscriptions.types import (
    Current,
    Kind,
    Quote,
    Status,
    Step,
    When,
)
from vexxy.billing.types import Interval
from vexxy.http.fields import Instant


class PartView(BaseModel):
    """Days of a period with one plan."""

    first_day: str
    tier: str
    days: int
    credits: int = Field(description="Its share of the period's allowance")


class SubscriptionView(BaseModel):
    """Who is on which plan, and what of it is used."""

    id: UUID
    organization_id: UUID
    tier: str
    plan_version: int
    status: Status
    billing_interval: Interval
    monthly_analysis_limit: int | None = Field(description="Of the plan; null: no limit")
    monthly_credit_limit: int | None = Field(description="Of the plan; null: no limit")
    current_period_analyses: int
    current_period_credits_used: int
    current_period_start: Instant
    current_period_end: Instant
    period_analysis_limit: int | None = Field(
        description="What holds in this period: of every plan its share of days"
    )
    period_credit_limit: int | None = Field(description="The same of credits")
    period_parts: list[PartView]
    billing_period_start: Instant
    billing_period_end: Instant
    billing_fee_cents: int = Field(description="Of the billing period, proration and all")
    currency: str
    trial_end: Instant | None
    cancel_at_period_end: bool
    canceled_at: Instant | None
    paused_at: Instant | None
    payment_grace_until: Instant | None
    scheduled_tier: str | None = Field(description="The plan after this billing period")
    scheduled_interval: Interval | None
    created_at: Instant


class LineView(BaseModel):
    """A line of proration: a price for some days of those it was made for."""

    description: str
    amount_cents: int
    days: int
    of_days: int


class InvoiceView(BaseModel):
    """The next invoice, without use beyond the plan."""

    invoiced_at: Instant
    amount_cents: int


class QuotaChangeView(BaseModel):
    """A quota before and after; null: no limit."""

    month_before: int | None
    month_after: int | None
    period_before: int | None
    period_after: int | None


class QuoteView(BaseModel):
    """What a change would do and cost."""

    quote_id: UUID
    expires_at: Instant
    tier: str
    plan_version: int
    billing_interval: Interval
    when: When
    effective_at: Instant
    currency: str
    amount_due_now_cents: int = Field(description="Sum of the lines, never below 0")
    credit_cents: int = Field(description="What comes back on the next invoice")
    lines: list[LineView]
    next_invoice: InvoiceView
    recurring_cents: int = Field(description="Every billing period after the next invoice")
    analyses: QuotaChangeView
    credits: QuotaChangeView
    credits_granted: int = Field(description="Added to the running allowance")
    credits_revoked: int = Field(description="Taken back at most: only what is not spent")


class StepView(BaseModel):
    """What became of a subscription."""

    id: UUID
    organization_id: UUID
    subscription_id: UUID
    revision: int
    kind: Kind
    effective_at: Instant
    before: dict[str, Any] | None
    after: dict[str, Any]
    created_at: Instant


def subscription_view(found: Current, *, credits_used: int) -> SubscriptionView:
    """Return a subscription as JSON shows it."""
    subscription, period, plan = found.subscription, found.period, found.plan
    days = proration.days_of(period.parts, end=period.end)
    shares = proration.allowance_shares(period.parts, end=period.end)
    parts = [
        PartView(
            first_day=part.first_day.isoformat(), tier=part.tier, days=number, credits=share
        )
        for part, number, share in zip(period.parts, days, shares, strict=True)
    ]
    return SubscriptionView(
        id=subscription.id,
        organization_id=subscription.organization_id,
        tier=subscription.tier,
        plan_version=subscription.plan_version,
        status=subscription.status,
        billing_interval=subscription.billing_interval,
        monthly_analysis_limit=plan.monthly_analyses,
        monthly_credit_limit=plan.monthly_credits,
        current_period_analyses=period.analyses,
        current_period_credits_used=credits_used,
        current_period_start=period.start,
        current_period_end=period.end,
        period_analysis_limit=period.analysis_limit,
        period_credit_limit=period.credit_limit,
        period_parts=parts,
        billing_period_start=subscription.billing_period_start,
        billing_period_end=subscription.billing_period_end,
        billing_fee_cents=subscription.billing_fee_cents,
        currency=plan.currency,
        trial_end=subscription.trial_end,
        cancel_at_period_end=subscription.cancel_at_period_end,
        canceled_at=subscription.canceled_at,
        paused_at=subscription.paused_at,
        payment_grace_until=subscription.payment_grace_until,
        scheduled_tier=subscription.scheduled_tier,
        scheduled_interval=subscription.scheduled_interval,
        created_at=subscription.created_at,
    )


def quote_view(quote: Quote) -> QuoteView:
    """Return a quote as JSON shows it."""
    found = quote.preview
    return QuoteView(
        quote_id=quote.id,
        expires_at=quote.expires_at,
        tier=found.tier,
        plan_version=found.plan_version,
        billing_interval=found.interval,
        when=found.when,
        effective_at=found.effective_at,
        currency=found.currency,
        amount_due_now_cents=max(0, found.amount_cents),
        credit_cents=max(0, -found.amount_cents),
        lines=[LineView.model_validate(line, from_attributes=True) for line in found.lines],
        next_invoice=InvoiceView(
            invoiced_at=found.next_invoice_at, amount_cents=found.next_invoice_cents
        ),
        recurring_cents=found.recurring_cents,
        analyses=QuotaChangeView.model_validate(found.analyses, from_attributes=True),
        credits=QuotaChangeView.model_validate(found.credits, from_attributes=True),
        credits_granted=found.credits_granted,
        credits_revoked=found.credits_revoked,
    )


def step_view(organization_id: UUID, step: Step) -> StepView:
    """Return a step as JSON shows it; why an operator took it is told to operators."""
    return StepView(
        id=step.id,
        organization_id=organization_id,
        subscription_id=step.subscription_id,
        revision=step.revision,
        kind=step.kind,
        effective_at=step.effective_at,
        before=None if step.before is None else dict(step.before),
        after=dict(step.after),
        created_at=step.created_at,
    )
