"""The tables of admissions and overrides."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class AdmissionRow(Base):
    """One analysis that was let in."""

    __tablename__ = "quota_admissions"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    reference: Mapped[UUID] = mapped_column(primary_key=True)
    period_id: Mapped[UUID]
    state: Mapped[str]
    credits: Mapped[int]
    unlimited: Mapped[bool]
    hold_number: Mapped[int]
    hold_expires_at: Mapped[datetime]
    counted: Mapped[bool]
    own_fault: Mapped[bool]
    charged_credits: Mapped[int]
    shortfall_credits: Mapped[int]
    reason: Mapped[str | None]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class OverrideRow(Base):
    """What an operator allows one organization; `features` of the contract's name."""

    __tablename__ = "billing_entitlements"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    feature: Mapped[str]
    limit_value: Mapped[Decimal | None]
    unlimited: Mapped[bool]
    reason: Mapped[str]
    expires_at: Mapped[datetime]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
