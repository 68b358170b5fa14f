"""The tables of subscriptions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import FetchedValue, func
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class SubscriptionRow(Base):
    """Who is on which plan; `due_at` is when something happens to it by itself."""

    __tablename__ = "subscriptions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    catalog: Mapped[str]
    tier: Mapped[str]
    plan_version: Mapped[int]
    status: Mapped[str]
    billing_interval: Mapped[str]
    anchor_at: Mapped[datetime]
    current_period_start: Mapped[datetime]
    current_period_end: Mapped[datetime]
    billing_period_start: Mapped[datetime]
    billing_period_end: Mapped[datetime]
    billing_fee_cents: Mapped[int] = mapped_column(default=0)
    # Whether the fee has the plan's price until the end of the billing period.
    billing_charged: Mapped[bool] = mapped_column(default=False)
    trial_end: Mapped[datetime | None]
    trial_converts: Mapped[bool] = mapped_column(default=False)
    cancel_at_period_end: Mapped[bool] = mapped_column(default=False)
    canceled_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    payment_grace_until: Mapped[datetime | None]
    scheduled_tier: Mapped[str | None]
    scheduled_plan_version: Mapped[int | None]
    scheduled_interval: Mapped[str | None]
    revision: Mapped[int] = mapped_column(default=1)
    stripe_subscription_id: Mapped[str | None]
    due_at: Mapped[datetime] = mapped_column(FetchedValue())
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012  SQLAlchemy's own form


class PeriodRow(Base):
    """A month of quotas and allowance."""

    __tablename__ = "billing_periods"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    subscription_id: Mapped[UUID]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    tier: Mapped[str]
    plan_version: Mapped[int]
    parts: Mapped[list[Any]]
    analysis_limit: Mapped[int | None]
    credit_limit: Mapped[int | None]
    granted_credits: Mapped[int] = mapped_column(default=0)
    # The ledger's keys of what was granted, oldest first.
    grant_keys: Mapped[list[Any]]
    analyses: Mapped[int] = mapped_column(default=0)
    credits_used: Mapped[int] = mapped_column(default=0)
    # What was ever charged when the period began; what it used is the difference.
    revenue_at_start: Mapped[int] = mapped_column(default=0)
    # From which day on its use is invoiced; before it, another subscription's was.
    usage_start: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class StepRow(Base):
    """What became of a subscription; never changed."""

    __tablename__ = "subscription_history"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    subscription_id: Mapped[UUID]
    revision: Mapped[int]
    kind: Mapped[str]
    effective_at: Mapped[datetime]
    before_state: Mapped[dict[str, Any] | None]
    after_state: Mapped[dict[str, Any]]
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ItemRow(Base):
    """What a subscription consists of: its plan, and each metric that is for sale."""

    __tablename__ = "subscription_items"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    subscription_id: Mapped[UUID]
    metric: Mapped[str]
    tier: Mapped[str]
    plan_version: Mapped[int]
    stripe_subscription_item_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]


class QuoteRow(Base):
    """A preview that is held for some minutes, as of a revision of the subscription."""

    __tablename__ = "subscription_quotes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    subscription_id: Mapped[UUID]
    revision: Mapped[int]
    change: Mapped[dict[str, Any]]
    preview: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
