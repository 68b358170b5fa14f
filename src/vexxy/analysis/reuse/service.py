"""Find what answers a request already, and answer with it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.analysis.documents import service as documents
from vexxy.analysis.reevaluation import service as reevaluation
from vexxy.analysis.reuse import repository
from vexxy.analysis.submission import repository as submissions
from vexxy.analysis.submission import service as submission
from vexxy.analysis.submission import wire
from vexxy.analysis.submission.models import AnalysisRow
from vexxy.analysis.submission.types import Status
from vexxy.billing import pricing
from vexxy.billing.enforcement.overview import service as overview
from vexxy.billing.quotas import ending as quotas
from vexxy.kit import clock

PHASE: Final = "Complete, reused"


@dataclass(frozen=True, slots=True)
class Reused:
    """An analysis that was answered with an earlier one's result."""

    analysis_id: UUID
    source_id: UUID
    cost_credits: int


def digest_of(session: Session, row: AnalysisRow) -> str | None:
    """Return what two requests with the same answer have in common.

    None while it is not known which image is meant, and for a request with variables:
    their values are secrets, and a digest that could be guessed at is a copy of them.
    """
    if row.image_digest is None or row.sealed_environment is not None:
        return None
    sbom = documents.get_sbom(session, row.sbom_id).digest if row.sbom_id else ""
    return wire.request_digest(
        wire.read_config(row.config), {}, image_digest=row.image_digest, sbom=sbom
    )


def answer(session: Session, analysis_id: UUID, *, within_seconds: int) -> Reused | None:
    """Complete a running analysis with the result of the same request, if there is one.

    The result is of the same organization, image digest, configuration and SBOM, was
    charged as a success, and ended within the time. It says from which analysis it is,
    and is decided again at once: advisories may have changed.

    Returns:
        None when nothing answers the request, or it wants to be run afresh.
    """
    row = submissions.lock(session, analysis_id)
    if within_seconds <= 0 or row is None or row.status != Status.RUNNING:
        return None
    digest = digest_of(session, row) if row.reuse_allowed else None
    if digest is None:
        return None
    not_before = clock.instant() - timedelta(seconds=within_seconds)
    found = repository.find(session, digest, not_before=not_before)
    if found is None:
        return None
    source_id, vex_id = found
    repository.copy(session, source_id, analysis_id, cause=f"reused from {source_id}")
    completed_at = clock.instant()
    cost = quotas.settle(
        session,
        row.organization_id,
        analysis_id,
        credits=min(pricing.REUSED_CREDITS, row.estimated_cost_credits),
    )
    overview.watch(session, row.organization_id)
    submissions.become(
        session,
        analysis_id,
        Status.COMPLETE,
        generated_vex_id=_document(session, row, vex_id) if vex_id else None,
        reused_from=source_id,
        cost_credits=cost,
        billed_at=completed_at,
        completed_at=completed_at,
        progress_percent=100,
        current_phase=PHASE,
    )
    if reevaluation.current(session, analysis_id) is not None:
        reevaluation.request(
            session, organization_id=row.organization_id, analysis_job_id=analysis_id
        )
    submission.tell_finished(session, analysis_id)
    return Reused(analysis_id, source_id, cost)


def _document(session: Session, row: AnalysisRow, source: UUID) -> UUID:
    """Issue the same statements under a name of the analysis's own."""
    issued = documents.get_vex(session, source)
    vex_id = documents.vex_id_of(row.id)
    stated = documents.document_of(issued)
    name = (stated.id or "").replace(str(source), str(vex_id))
    return documents.issue(
        session,
        replace(stated, id=name or f"urn:uuid:{vex_id}", version=1),
        organization_id=row.organization_id,
        analysis_id=row.id,
    )
