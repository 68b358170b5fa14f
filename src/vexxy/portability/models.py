"""The tables of exports and erasures."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class ExportRow(Base):
    """An export; at most one of an organization is unfinished."""

    __tablename__ = "organization_exports"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    requested_by: Mapped[UUID | None]
    files_included: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="queued")
    queue_job_id: Mapped[UUID | None]
    progress_percent: Mapped[int] = mapped_column(default=0)
    current_part: Mapped[str | None]
    rows_written: Mapped[int] = mapped_column(default=0)
    storage_path: Mapped[str | None]
    size_bytes: Mapped[int | None]
    checksum: Mapped[str | None]
    stored_bytes: Mapped[int | None]
    stored_checksum: Mapped[str | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class ErasureRow(Base):
    """An erasure; the row stays beside the tombstone of its organization."""

    __tablename__ = "organization_erasures"

    organization_id: Mapped[UUID] = mapped_column(primary_key=True)
    requested_by: Mapped[str]
    stage: Mapped[str] = mapped_column(default="requested")
    current_part: Mapped[str | None]
    rows_erased: Mapped[int] = mapped_column(default=0)
    entries_blanked: Mapped[int] = mapped_column(default=0)
    blobs_erased: Mapped[int] = mapped_column(default=0)
    proof: Mapped[dict[str, Any] | None]
    requested_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
