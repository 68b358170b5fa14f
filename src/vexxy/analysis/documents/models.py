"""The tables of documents."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class SbomRow(Base):
    """An uploaded SBOM; `content` is what was sent, compressed."""

    __tablename__ = "sboms"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    name: Mapped[str]
    format: Mapped[str]
    digest: Mapped[str]
    size_bytes: Mapped[int]
    packages: Mapped[int]
    content: Mapped[bytes] = mapped_column(deferred=True)
    created_by: Mapped[UUID | None]
    created_at: Mapped[datetime]


class VexRow(Base):
    """A VEX document in its newest edition; text, so that it stays as it was written."""

    __tablename__ = "vex_documents"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    analysis_job_id: Mapped[UUID]
    version: Mapped[int]
    document: Mapped[str]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class EditionRow(Base):
    """One edition of a VEX document, for ever."""

    __tablename__ = "vex_document_history"

    vex_document_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    document: Mapped[str] = mapped_column(deferred=True)
    reason: Mapped[str]
    created_at: Mapped[datetime]
