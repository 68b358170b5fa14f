"""SQL that finds an earlier result and copies it."""

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from vexxy.analysis.submission.models import AnalysisRow
from vexxy.analysis.submission.types import Status

_RESULTS: Final = """
update premium_analysis_jobs as copy set
  execution_profile = source.execution_profile,
  reachability_results = source.reachability_results,
  security_findings = source.security_findings,
  summary = source.summary || jsonb_build_object(
    'reused_from', source.id, 'reused_completed_at', source.completed_at),
  packages = source.packages,
  skipped_features = source.skipped_features,
  request_digest = source.request_digest,
  status = 'analyzing'
from premium_analysis_jobs as source
where copy.id = :copy and source.id = :source
"""
_PACKAGES: Final = """
insert into analysis_packages (organization_id, analysis_job_id, ordinal, purl, question,
  other_question, ground)
select organization_id, :copy, ordinal, purl, question, other_question, ground
from analysis_packages where analysis_job_id = :source
"""
# The findings that hold become the copy's first revision.
_STATEMENTS: Final = """
insert into analysis_statements (organization_id, analysis_job_id, ordinal,
  vulnerability_id, revision, cause, match_digest, finding)
select organization_id, :copy, ordinal, vulnerability_id, 1, :cause, match_digest, finding
from (
  select distinct on (ordinal, vulnerability_id) * from analysis_statements
  where analysis_job_id = :source order by ordinal, vulnerability_id, revision desc
) as latest where finding is not null
"""
_REVISION: Final = """
insert into analysis_revisions (analysis_job_id, organization_id)
select :copy, organization_id from analysis_revisions where analysis_job_id = :source
"""
_EVIDENCE: Final = """
insert into analysis_evidence (id, organization_id, analysis_job_id, evidence_type,
  evidence_data, storage_path, file_size, checksum, vex_document_data, content_type,
  description)
select gen_random_uuid(), organization_id, :copy, evidence_type, evidence_data,
  storage_path, file_size, checksum, vex_document_data, content_type, description
from analysis_evidence where analysis_job_id = :source
  and evidence_type <> 'vex_document'
"""


def find(
    session: Session, request_digest: str, *, not_before: datetime
) -> tuple[UUID, UUID | None] | None:
    """Return the youngest complete analysis of the same request, and its VEX document."""
    row = AnalysisRow
    query = (
        select(row.id, row.generated_vex_id)
        .where(
            row.request_digest == request_digest,
            row.status == Status.COMPLETE.value,
            row.completed_at >= not_before,
            # A copy of a copy would be younger than what it says.
            row.reused_from.is_(None),
        )
        .order_by(row.completed_at.desc(), row.id)
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else (found.id, found.generated_vex_id)


def copy(session: Session, source: UUID, target: UUID, *, cause: str) -> None:
    """Copy everything that came out of an analysis to one that runs."""
    for statement in (_RESULTS, _PACKAGES, _STATEMENTS, _REVISION, _EVIDENCE):
        session.execute(text(statement), {"source": source, "copy": target, "cause": cause})
