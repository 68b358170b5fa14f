"""The tables of enforcement."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Numeric, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class GraceRow(Base):
    """The one time of grace of a metric in a period; nobody changes it."""

    __tablename__ = "grace_periods"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    metric: Mapped[str] = mapped_column(primary_key=True)
    period_start: Mapped[datetime] = mapped_column(primary_key=True)
    started_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    usage_at_start: Mapped[Decimal] = mapped_column(Numeric)
    quota_at_start: Mapped[Decimal] = mapped_column(Numeric)


class AlertRow(Base):
    """A percentage of a quota that was reached; told once."""

    __tablename__ = "usage_alerts"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    metric: Mapped[str]
    period_start: Mapped[datetime]
    period_end: Mapped[datetime]
    percent: Mapped[int]
    usage: Mapped[Decimal] = mapped_column(Numeric)
    quota: Mapped[Decimal] = mapped_column(Numeric)
    state: Mapped[str] = mapped_column(default="waiting")
    staged_at: Mapped[datetime | None]
    mailed_to: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
