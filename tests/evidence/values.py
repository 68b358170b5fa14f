"""Analyses and evidence that tests start from."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from tests import service_values
from vexxy.evidence.types import Content, EvidenceType, NewEvidence
from vexxy.kit import ids
from vexxy.kit.db import Database

ANALYSIS = text(
    "insert into premium_analysis_jobs (id, organization_id, image_ref, profile, config,"
    " status, deadline_seconds, estimated_duration_minutes, estimated_cost_credits,"
    " created_at) values (:id, :organization, 'nginx:1', 'minimal', '{}', 'queued', 60, 1,"
    " 10, now())"
)
OLDER = text("update analysis_evidence set created_at = :at where id = :id")


def an_analysis(system: Database, organization_id: UUID | None = None) -> tuple[UUID, UUID]:
    """Store an analysis; return its organization and its id."""
    organization_id = organization_id or service_values.an_organization(system)
    analysis_id = ids.new_id()
    with system.transaction() as session:
        values = {"id": analysis_id, "organization": organization_id}
        session.execute(ANALYSIS, values)
    return organization_id, analysis_id


def some_evidence(
    analysis: tuple[UUID, UUID],
    content: Content = b'{"files": []}',
    *,
    evidence_type: EvidenceType = EvidenceType.EXECUTION_TRACE,
    description: str | None = None,
) -> NewEvidence:
    organization_id, analysis_id = analysis
    return NewEvidence(
        organization_id=organization_id,
        analysis_job_id=analysis_id,
        evidence_type=evidence_type,
        content=content,
        description=description,
    )


def make_older(system: Database, evidence_id: UUID, at: datetime) -> None:
    """Let evidence have been kept at an earlier instant."""
    with system.transaction() as session:
        session.execute(OLDER, {"id": evidence_id, "at": at})
