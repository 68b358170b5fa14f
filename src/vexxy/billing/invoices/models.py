"""The tables of invoices."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Date, Numeric, Text
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class InvoiceRow(Base):
    """What is owed for a period."""

    __tablename__ = "billing_invoices"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    subscription_id: Mapped[UUID]
    number: Mapped[int | None]
    status: Mapped[str] = mapped_column(Text)
    currency: Mapped[str] = mapped_column(Text)
    tier: Mapped[str] = mapped_column(Text)
    plan_version: Mapped[int]
    plan_name: Mapped[str] = mapped_column(Text)
    billing_interval: Mapped[str] = mapped_column(Text)
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    total_cents: Mapped[int]
    billed_name: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text, default="")
    stripe_invoice_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    finalized_at: Mapped[datetime | None]
    paid_at: Mapped[datetime | None]
    voided_at: Mapped[datetime | None]


class ItemRow(Base):
    """A line of an invoice; append-only."""

    __tablename__ = "billing_invoice_items"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    invoice_id: Mapped[UUID]
    position: Mapped[int]
    kind: Mapped[str] = mapped_column(Text)
    description: Mapped[str] = mapped_column(Text)
    metric: Mapped[str | None] = mapped_column(Text)
    quantity: Mapped[Decimal | None] = mapped_column(Numeric)
    unit_price: Mapped[Decimal | None] = mapped_column(Numeric)
    amount_cents: Mapped[int]
    start_day: Mapped[date] = mapped_column(Date)
    end_day: Mapped[date] = mapped_column(Date)


class ClosingRow(Base):
    """That a period was closed, and by which invoice, None where nothing was owed."""

    __tablename__ = "billing_closings"

    subscription_id: Mapped[UUID] = mapped_column(primary_key=True)
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    invoice_id: Mapped[UUID | None]
    closed_at: Mapped[datetime]


class RatedRow(Base):
    """What invoices asked so far for the use of a metric over some days."""

    __tablename__ = "billing_rated_usage"

    subscription_id: Mapped[UUID] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(Text, primary_key=True)
    start_day: Mapped[date] = mapped_column(Date, primary_key=True)
    organization_id: Mapped[UUID]
    end_day: Mapped[date] = mapped_column(Date)
    aggregation: Mapped[str] = mapped_column(Text)
    included: Mapped[Decimal] = mapped_column(Numeric)
    unit_price: Mapped[Decimal] = mapped_column(Numeric)
    currency: Mapped[str] = mapped_column(Text)
    used: Mapped[Decimal] = mapped_column(Numeric)
    billed_cents: Mapped[int]
    void_cents: Mapped[int] = mapped_column(server_default="0")
    updated_at: Mapped[datetime]
