"""The table of published plans."""

from datetime import datetime
from typing import Any

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class PublishedPlan(Base):
    """One version of a plan, as it was when it was first offered; never changed."""

    __tablename__ = "billing_plans"

    catalog: Mapped[str] = mapped_column(Text, primary_key=True)
    tier: Mapped[str] = mapped_column(Text, primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
