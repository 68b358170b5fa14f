"""The table of acts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import FetchedValue, func
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class AuditEntry(Base):
    """An act; the database refuses to change or remove one.

    It names no row by foreign key: it outlives what it is about. `position` is the order
    of insertion, which tells what came first within one instant.
    """

    __tablename__ = "billing_audit_log"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(FetchedValue())
    organization_id: Mapped[UUID | None]
    action: Mapped[str]
    actor_type: Mapped[str]
    actor_id: Mapped[str]
    resource_type: Mapped[str]
    resource_id: Mapped[str | None]
    before_state: Mapped[dict[str, Any] | None]
    after_state: Mapped[dict[str, Any] | None]
    # `metadata` belongs to the mapped base.
    context: Mapped[dict[str, Any]] = mapped_column("metadata")
    ip_address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
