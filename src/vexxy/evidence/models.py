"""The tables of evidence."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base

# Absent is SQL's null, never JSON's.
_DOCUMENT: Final = JSONB(none_as_null=True)


class EvidenceBlob(Base):
    """Stored bytes of one organization; `checksum` is of the content, not of them."""

    __tablename__ = "evidence_blobs"

    storage_path: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    checksum: Mapped[str]
    size_bytes: Mapped[int]
    stored_bytes: Mapped[int]
    stored_checksum: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AnalysisEvidence(Base):
    """A piece of evidence; names its blob by a foreign key that forbids removal."""

    __tablename__ = "analysis_evidence"
    __table_args__ = (
        ForeignKeyConstraint(
            ["organization_id", "storage_path"],
            ["evidence_blobs.organization_id", "evidence_blobs.storage_path"],
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    analysis_job_id: Mapped[UUID]
    evidence_type: Mapped[str]
    evidence_data: Mapped[dict[str, Any] | None] = mapped_column(_DOCUMENT)
    storage_path: Mapped[str]
    file_size: Mapped[int]
    checksum: Mapped[str]
    vex_document_data: Mapped[dict[str, Any] | None] = mapped_column(_DOCUMENT)
    content_type: Mapped[str]
    description: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
