"""The tables of what is kept of an analysis."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class PackageRow(Base):
    """One installed package of a finished analysis."""

    __tablename__ = "analysis_packages"

    analysis_job_id: Mapped[UUID] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    purl: Mapped[str]
    question: Mapped[str | None]
    other_question: Mapped[str | None]
    ground: Mapped[bytes]


class StatementRow(Base):
    """One decision; the highest revision of a finding holds."""

    __tablename__ = "analysis_statements"

    analysis_job_id: Mapped[UUID] = mapped_column(primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    vulnerability_id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    decided_at: Mapped[datetime] = mapped_column(server_default=func.now())
    cause: Mapped[str]
    match_digest: Mapped[bytes]
    finding: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
