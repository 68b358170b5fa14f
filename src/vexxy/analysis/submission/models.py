"""The table of analyses."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.orm import Mapped, mapped_column

from vexxy.kit.db import Base


class AnalysisRow(Base):
    """One analysis; documents are loaded only where they are asked for by name."""

    __tablename__ = "premium_analysis_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[UUID]
    submitted_by: Mapped[UUID | None]
    image_ref: Mapped[str]
    image_digest: Mapped[str | None]
    sbom_id: Mapped[UUID | None]
    profile: Mapped[str]
    config: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    sealed_environment: Mapped[bytes | None] = mapped_column(deferred=True)
    skipped_features: Mapped[list[Any]] = mapped_column(default=list)
    status: Mapped[str]
    priority: Mapped[int] = mapped_column(default=0)
    progress_percent: Mapped[int] = mapped_column(default=0)
    current_phase: Mapped[str | None]
    revision: Mapped[int] = mapped_column(default=1)
    queue_job_id: Mapped[UUID | None]
    deadline_seconds: Mapped[int]
    estimated_duration_minutes: Mapped[int]
    estimated_cost_credits: Mapped[int]
    observation: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    execution_profile: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    reachability_results: Mapped[list[Any] | None] = mapped_column(deferred=True)
    security_findings: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    summary: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    packages: Mapped[list[Any] | None] = mapped_column(deferred=True)
    generated_vex_id: Mapped[UUID | None]
    sandbox_id: Mapped[str | None]
    sandbox_job_name: Mapped[str | None]
    billed_at: Mapped[datetime | None]
    cost_credits: Mapped[int | None]
    request_digest: Mapped[str | None]
    reuse_allowed: Mapped[bool] = mapped_column(default=True)
    reused_from: Mapped[UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    error_message: Mapped[str | None]
    error_traceback: Mapped[str | None] = mapped_column(deferred=True)
    retry_count: Mapped[int] = mapped_column(default=0)
