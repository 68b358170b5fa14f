"""Submit an analysis, follow it, read what came out, cancel it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid5

import msgspec
from sqlalchemy.orm import Session

from vexxy.analysis.documents import service as documents
from vexxy.analysis.reevaluation import service as reevaluation
from vexxy.analysis.submission import repository, rules, wire
from vexxy.analysis.submission.errors import AnalysisEnded, AnalysisNotFound
from vexxy.analysis.submission.models import AnalysisRow
from vexxy.analysis.submission.types import (
    TERMINAL,
    Accepted,
    Config,
    Filter,
    Listed,
    Progress,
    Results,
    Status,
    Submission,
)
from vexxy.analysis.types import Profile
from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.catalog.service import Plans
from vexxy.billing.enforcement.overview import service as overview
from vexxy.billing.quotas import ending as ended
from vexxy.billing.quotas import service as quotas
from vexxy.billing.quotas.types import Ask, Ending, Remaining
from vexxy.billing.types import Plan
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import clock, ids
from vexxy.kit.sealing import Sealer
from vexxy.notifications import service as notifications
from vexxy.notifications.types import EventType

KIND: Final = "analysis"
ATTEMPTS_MAX: Final = 3
CANCELLED_PHASE: Final = "Cancelled"


@dataclass(frozen=True, slots=True)
class Terms:
    """On whose behalf, and on which terms, something is submitted.

    Attributes:
        plans: Those that are offered; which of them holds is looked up.
        files_allowed: Whether `image_ref` may be the path of an archive on this machine.
        registries: Hosts that images may be of; empty means any.
    """

    organization_id: UUID
    actor: Actor
    plans: Plans
    submitted_by: UUID | None = None
    files_allowed: bool = False
    registries: frozenset[str] = frozenset()


def submit(
    session: Session, submission: Submission, *, terms: Terms, sealer: Sealer
) -> Accepted:
    """Take in an analysis, queue it, count it and hold its credits: all or nothing.

    What the plan lacks is left out and named, not refused.

    Raises:
        SubmissionRefused: A field is malformed or outside its bounds.
        SbomNotFound: `sbom_id` names none of the organization's.
        QuotaExceeded: The period's analyses or the credits are used up.
        PaymentRequired: The subscription cannot be used as it is.
    """
    rules.check(submission, files_allowed=terms.files_allowed, registries=terms.registries)
    if submission.sbom_id is not None:
        documents.get_sbom(session, submission.sbom_id)
    wanted = rules.config_of(submission.profile, submission.config)
    plan = quotas.plan(session, terms.organization_id, plans=terms.plans)
    config, skipped = rules.allowed(wanted, plan.features)
    row = _row(submission, config, terms=terms, plan=plan)
    row.skipped_features = [feature.value for feature in skipped]
    if submission.config.environment:
        row.sealed_environment = sealer.seal(
            wire.environment_bytes(submission.config.environment),
            context=wire.sealing_context(row.id),
        )
    row.queue_job_id = jobs.enqueue(
        session,
        NewJob(
            kind=KIND,
            organization_id=terms.organization_id,
            payload={"analysis_id": str(row.id)},
            priority=plan.priority,
            key=f"{KIND}:{row.id}",
            deadline_seconds=row.deadline_seconds,
            max_attempts=ATTEMPTS_MAX,
        ),
    )
    repository.insert(session, row)
    _record(session, row, terms.actor, action="analysis.submitted")
    # Last: whoever submits beside it waits from here to the end of the transaction.
    ask = Ask(row.organization_id, row.id, row.estimated_cost_credits)
    admitted = quotas.admit(session, ask, plans=terms.plans)
    if admitted.alerting:
        overview.watch(session, row.organization_id)
    return _accepted(row, admitted.remaining)


def _row(
    submission: Submission, config: Config, *, terms: Terms, plan: Plan
) -> AnalysisRow:
    return AnalysisRow(
        id=ids.new_id(),
        organization_id=terms.organization_id,
        submitted_by=terms.submitted_by,
        image_ref=submission.image_ref,
        image_digest=rules.digest_of(submission),
        sbom_id=submission.sbom_id,
        profile=submission.profile.value,
        config=wire.config_object(config),
        status=Status.QUEUED.value,
        reuse_allowed=submission.reuse_result,
        priority=plan.priority,
        deadline_seconds=rules.deadline_seconds(config),
        estimated_duration_minutes=rules.estimated_minutes(config),
        estimated_cost_credits=rules.worst_case_credits(config),
        created_at=clock.instant(),
    )


def _accepted(row: AnalysisRow, remaining: Remaining) -> Accepted:
    return Accepted(
        job_id=row.id,
        status=Status(row.status),
        image_ref=row.image_ref,
        image_digest=row.image_digest,
        estimated_duration_minutes=row.estimated_duration_minutes,
        estimated_cost_credits=row.estimated_cost_credits,
        skipped_features=tuple(row.skipped_features),
        created_at=row.created_at,
        analyses_remaining=remaining.analyses,
        quota_resets_at=remaining.resets_at,
    )


def get_progress(session: Session, analysis_id: UUID) -> Progress:
    """Return how far an analysis is.

    Raises:
        AnalysisNotFound: None of that id in the organization.
    """
    return progress_of(_get(session, analysis_id))


def list_progress(session: Session, analysis_ids: Collection[UUID]) -> dict[UUID, Progress]:
    """Return how far those analyses are that the organization has."""
    rows = repository.list_progress(session, analysis_ids)
    return {row.id: progress_of(row) for row in rows}


def progress_of(row: AnalysisRow) -> Progress:
    """Return how far the analysis of a row is."""
    status = Status(row.status)
    return Progress(
        job_id=row.id,
        status=status,
        progress_percent=row.progress_percent,
        current_phase=row.current_phase,
        created_at=row.created_at,
        started_at=row.started_at,
        estimated_completion=rules.estimated_completion(
            status, row.started_at, row.estimated_duration_minutes
        ),
        completed_at=row.completed_at,
        error_message=row.error_message,
        revision=row.revision,
    )


def get_results(session: Session, analysis_id: UUID) -> Results:
    """Return an analysis with everything that came out so far.

    Raises:
        AnalysisNotFound: None of that id in the organization.
    """
    found = repository.find_results(session, analysis_id)
    if found is None:
        raise AnalysisNotFound(analysis_id)
    results = Results(**{**found, "status": Status(found["status"])})
    if results.status is Status.COMPLETE:
        current = reevaluation.current(session, analysis_id)
        if current is None or current.revision == 1:
            return results
        decided = msgspec.json.encode(list(current.findings)).decode()
        return replace(results, reachability_results=decided)
    # What an attempt has kept for the next one is no result yet.
    return replace(
        results,
        vex_document=None,
        generated_vex_id=None,
        execution_profile=None,
        reachability_results=None,
        security_findings=None,
        summary=None,
    )


def find_sbom_of(session: Session, analysis_id: UUID) -> bytes | None:
    """Return the SBOM that an analysis stands on, None where the image was read.

    Raises:
        AnalysisNotFound: None of that id in the organization.
    """
    sbom_id = _get(session, analysis_id).sbom_id
    return None if sbom_id is None else documents.read_sbom(session, sbom_id)[1]


def read_findings(
    session: Session, analysis_id: UUID
) -> tuple[Sequence[Mapping[str, Any]], Sequence[str]]:
    """Return the findings of an analysis, as they hold now, and its packages' purls.

    Raises:
        AnalysisNotFound: None of that id in the organization.
    """
    found = repository.find_findings(session, analysis_id)
    if found is None:
        raise AnalysisNotFound(analysis_id)
    findings, packages = found
    current = reevaluation.current(session, analysis_id)
    return (findings if current is None else current.findings), packages


def list_(
    session: Session, wanted: Filter, *, skip: int, limit: int
) -> tuple[int, Sequence[Listed]]:
    """Return how many analyses there are, and some of them, newest first."""
    rows = repository.list_(session, wanted, skip=skip, limit=limit)
    return repository.count(session, wanted), [_listed(row) for row in rows]


def _listed(row: AnalysisRow) -> Listed:
    return Listed(
        job_id=row.id,
        status=Status(row.status),
        image_ref=row.image_ref,
        image_digest=row.image_digest,
        profile=Profile(row.profile),
        progress_percent=row.progress_percent,
        current_phase=row.current_phase,
        created_at=row.created_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        cost_credits=row.cost_credits,
        generated_vex_id=row.generated_vex_id,
        error_message=row.error_message,
    )


def cancel(session: Session, analysis_id: UUID, *, actor: Actor) -> Progress:
    """End an analysis that is not over; nothing of it is charged.

    What was held for it is available again. One that had begun goes on counting among
    the period's analyses: it used a worker.

    It is cancelled with the commit: whatever its worker still brings is refused. The
    worker hears of it through the queue, kills what runs and removes the sandbox.

    Raises:
        AnalysisNotFound: None of that id in the organization.
        AnalysisEnded: It is complete, failed or cancelled already.
    """
    row = repository.lock(session, analysis_id)
    if row is None:
        raise AnalysisNotFound(analysis_id)
    before = Status(row.status)
    if before in TERMINAL:
        raise AnalysisEnded(analysis_id, before)
    repository.become(
        session,
        analysis_id,
        Status.CANCELLED,
        completed_at=clock.instant(),
        current_phase=CANCELLED_PHASE,
        cost_credits=0,
        sealed_environment=None,
    )
    if row.queue_job_id is not None:
        jobs.cancel(session, row.queue_job_id)
    _record(session, row, actor, action="analysis.cancelled", before=before)
    tell_finished(session, analysis_id)
    release(session, row, ending=ending_of(before))
    return get_progress(session, analysis_id)


def ending_of(before: Status) -> Ending:
    """Return how an admission ends whose analysis is cancelled in that state."""
    return Ending.UNSTARTED if before is Status.QUEUED else Ending.CANCELLED


def release(session: Session, row: AnalysisRow, *, ending: Ending) -> None:
    """Give back what was held for an analysis that is over; its row is locked."""
    ended.release(session, row.organization_id, row.id, ending=ending)


def reevaluate(session: Session, analysis_id: UUID, *, actor: Actor) -> None:
    """Have an analysis decided again with today's advisories; nothing is run.

    Raises:
        AnalysisNotFound: None of that id in the organization.
        NothingKept: It is not complete, or nothing was kept to decide from.
    """
    row = _get(session, analysis_id)
    reevaluation.request(
        session, organization_id=row.organization_id, analysis_job_id=analysis_id
    )
    audit.record(
        session,
        Act(
            action="analysis.reevaluation_requested",
            actor=actor,
            organization_id=row.organization_id,
            resource_type="analysis",
            resource_id=row.id,
        ),
    )


def tell_finished(session: Session, analysis_id: UUID) -> None:
    """Have everybody told who wants to hear of an analysis that just ended; once."""
    row = _get(session, analysis_id)
    notifications.notify(
        session,
        organization_id=row.organization_id,
        event_type=EventType.ANALYSIS_FINISHED.value,
        data={
            "job_id": str(row.id),
            "status": row.status,
            "image_ref": row.image_ref,
            "image_digest": row.image_digest,
            "generated_vex_id": row.generated_vex_id and str(row.generated_vex_id),
            "cost_credits": row.cost_credits,
        },
        event_id=uuid5(row.id, EventType.ANALYSIS_FINISHED.value),
        core=True,
    )


def _record(
    session: Session,
    row: AnalysisRow,
    actor: Actor,
    *,
    action: str,
    before: Status | None = None,
) -> None:
    now = {"image_ref": row.image_ref, "image_digest": row.image_digest}
    audit.record(
        session,
        Act(
            action=action,
            actor=actor,
            organization_id=row.organization_id,
            resource_type="analysis",
            resource_id=row.id,
            before=None if before is None else {"status": before.value},
            after=now if before is None else {"status": Status.CANCELLED.value},
        ),
    )


def _get(session: Session, analysis_id: UUID) -> AnalysisRow:
    row = repository.find(session, analysis_id)
    if row is None:
        raise AnalysisNotFound(analysis_id)
    return row
