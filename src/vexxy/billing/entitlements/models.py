"""The table of overrides."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class OverrideRow(Base):
    """An override; the table has the contract's name."""

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
