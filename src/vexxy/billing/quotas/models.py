"""The table of admissions."""

from datetime import datetime
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
