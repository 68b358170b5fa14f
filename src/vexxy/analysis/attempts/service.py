"""What a worker writes about the analysis that it runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.analysis import publication
from vexxy.analysis import wire as analysis_wire
from vexxy.analysis.attempts import rules
from vexxy.analysis.attempts.types import Failure
from vexxy.analysis.documents import service as documents
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reevaluation import service as reevaluation
from vexxy.analysis.reuse import service as reuse
from vexxy.analysis.submission import repository, wire
from vexxy.analysis.submission import rules as submission_rules
from vexxy.analysis.submission import service as submission
from vexxy.analysis.submission.errors import (
    AnalysisNotFound,
    AnalysisOver,
    EnvironmentUnreadable,
)
from vexxy.analysis.submission.models import AnalysisRow
from vexxy.analysis.submission.types import TERMINAL, Status, Work
from vexxy.analysis.types import Observation, Result
from vexxy.billing.enforcement.overview import service as overview
from vexxy.billing.quotas import ending as quotas
from vexxy.billing.quotas.types import Ending
from vexxy.images.types import Image
from vexxy.kit import clock
from vexxy.kit.errors import InvalidInput
from vexxy.kit.progress import Progress
from vexxy.kit.sealing import Sealer
from vexxy.vex.types import Document

STARTED_PHASE = "Starting"
DONE_PHASE = "Complete"
FAILED_PHASE = "Failed"
# A job that was given up is written a moment after its analysis.
LEFT_SECONDS = 120.0
LEFT_MAX = 500
LEFT_MESSAGE = "the analysis was given up"
LAPSED_MESSAGE = (
    "the analysis waited so long that the credits held for it were released, and what is "
    "available now does not cover it; submit it again"
)
_RUNS = (Status.RUNNING, Status.ANALYZING)


def begin(
    session: Session, analysis_id: UUID, *, attempt: int, sealer: Sealer
) -> Work | None:
    """Take an analysis up, for the first time or again; None when it is over.

    Where what was held for it lapsed while it waited, it is held again, or the analysis
    ends here: nothing is begun that could not be charged.

    Raises:
        AnalysisNotFound: None of that id in the organization.
        EnvironmentUnreadable: Its variables were sealed with a key that is not here.
    """
    row = repository.lock(session, analysis_id)
    if row is None:
        raise AnalysisNotFound(analysis_id)
    if Status(row.status) in TERMINAL:
        return None
    queued = row.status == Status.QUEUED
    if queued and not quotas.renew(session, row.organization_id, analysis_id):
        fail(session, analysis_id, LAPSED_MESSAGE)
        return None
    work = _work(session, row, sealer=sealer)
    if queued:
        repository.become(
            session,
            analysis_id,
            Status.RUNNING,
            started_at=clock.instant(),
            current_phase=STARTED_PHASE,
        )
    else:
        repository.change(session, analysis_id, from_=_RUNS, retry_count=attempt - 1)
    return work


def _work(session: Session, row: AnalysisRow, *, sealer: Sealer) -> Work:
    profile = repository.read_profile(session, row.id) if row.observation else None
    observation = None
    if row.observation and profile:
        observation = wire.read_observation(row.observation, profile)
    sbom = None
    if row.sbom_id is not None:
        _, sbom = documents.read_sbom(session, row.sbom_id)
    return Work(
        analysis_id=row.id,
        organization_id=row.organization_id,
        image_ref=row.image_ref,
        image_digest=row.image_digest,
        config=wire.read_config(row.config),
        environment=_environment(row, sealer),
        observation=observation,
        sbom=sbom,
    )


def _environment(row: AnalysisRow, sealer: Sealer) -> Mapping[str, str]:
    if row.sealed_environment is None:
        return {}
    try:
        opened = sealer.open(row.sealed_environment, context=wire.sealing_context(row.id))
    except InvalidInput as error:
        raise EnvironmentUnreadable(
            "the environment of the analysis cannot be opened by this worker",
            hint="SECRETS_KEY has to be the same for every process of the service",
        ) from error
    return wire.read_environment(opened)


def note_progress(session: Session, analysis_id: UUID, progress: Progress) -> None:
    """Tell where the analysis is.

    Raises:
        AnalysisOver: It was ended meanwhile, so whoever works on it may stop.
    """
    changed = repository.change(
        session,
        analysis_id,
        from_=_RUNS,
        progress_percent=min(99, progress.percent),
        current_phase=progress.phase,
    )
    _demand(changed, analysis_id)


def note_image(session: Session, analysis_id: UUID, image: Image) -> None:
    """Record which image is meant, unless that was named: later attempts run the same.

    Raises:
        AnalysisOver: It was ended meanwhile.
    """
    row = repository.lock(session, analysis_id)
    if row is None or Status(row.status) in TERMINAL:
        raise AnalysisOver(analysis_id)
    if row.image_digest is None:
        repository.change(session, analysis_id, from_=_RUNS, image_digest=image.digest)


def keep_observation(
    session: Session, analysis_id: UUID, observation: Observation, *, resumable: bool
) -> None:
    """Keep what was seen; if it is resumable, a later attempt only has to decide.

    Raises:
        AnalysisOver: It was ended meanwhile.
    """
    sandbox = observation.profile.sandbox_id
    values: dict[str, Any] = {
        "status": Status.ANALYZING.value,
        "execution_profile": wire.storable(observation.profile),
        "sandbox_id": sandbox or None,
        "sandbox_job_name": f"vexxy-{sandbox}" if sandbox else None,
    }
    if resumable:
        values["observation"] = wire.observation_object(observation)
    kept = repository.change(session, analysis_id, from_=_RUNS, **values)
    _demand(kept, analysis_id)


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete analysis, as its organization is to be told.

    Attributes:
        cost_credits: What it is charged, 0 where the observation has holes.
        vex_id: The document that was issued, None where there is nothing to state.
    """

    analysis_id: UUID
    cost_credits: int
    vex_id: UUID | None
    completed_at: datetime


def complete(
    session: Session, analysis_id: UUID, result: Result, *, publisher: Publisher
) -> Completion:
    """Keep the result, issue its VEX document and settle its price, in one commit.

    Raises:
        AnalysisOver: It is over, or nothing was observed; nothing is kept or charged.
    """
    # What takes long comes first: from the lock on, whoever cancels has to wait.
    document = document_of(analysis_id, result, publisher=publisher)
    told = _told(result)
    row = repository.lock(session, analysis_id)
    if row is None or row.status != Status.ANALYZING or row.started_at is None:
        raise AnalysisOver(analysis_id)
    completed_at = clock.instant()
    config = wire.read_config(row.config)
    success = submission_rules.is_success(config, result.profile.completeness)
    cost = submission_rules.cost_credits(
        rules.ran(config, result),
        completed_at - row.started_at,
        most=row.estimated_cost_credits,
        success=success,
    )
    vex_id = None
    if document is not None:
        vex_id = documents.issue(
            session,
            document,
            organization_id=row.organization_id,
            analysis_id=analysis_id,
        )
    skipped = [*row.skipped_features, *result.skipped_features]
    charged = quotas.settle(session, row.organization_id, analysis_id, credits=cost)
    overview.watch(session, row.organization_id)
    changed = repository.become(
        session,
        analysis_id,
        Status.COMPLETE,
        **told,
        skipped_features=list(dict.fromkeys(skipped)),
        generated_vex_id=vex_id,
        cost_credits=charged,
        billed_at=completed_at,
        completed_at=completed_at,
        progress_percent=100,
        current_phase=DONE_PHASE,
        sealed_environment=None,
        request_digest=reuse.digest_of(session, row) if success else None,
    )
    _demand(changed, analysis_id)
    reevaluation.keep(
        session,
        organization_id=row.organization_id,
        analysis_job_id=analysis_id,
        result=result,
    )
    submission.tell_finished(session, analysis_id)
    return Completion(analysis_id, charged, vex_id, completed_at)


def document_of(
    analysis_id: UUID, result: Result, *, publisher: Publisher
) -> Document | None:
    """Return the VEX document under the name that the analysis gives it."""
    document = publication.document(result, Publisher(publisher.author, "urn:uuid"))
    if document is None:
        return None
    vex_id = documents.vex_id_of(analysis_id)
    namespace = publisher.namespace
    name = f"{namespace.rstrip('/')}/{vex_id}" if namespace else f"urn:uuid:{vex_id}"
    return replace(document, id=name)


def _told(result: Result) -> dict[str, Any]:
    """Return the columns that hold what came out."""
    told = analysis_wire.results_object(result, vex=None, scan=result.scan)
    completeness = result.profile.completeness
    found: dict[str, Any] = wire.storable(
        {
            "reachability_results": told["reachability_results"],
            "summary": {
                **told["summary"],
                "incomplete": completeness.partial,
                "incomplete_reasons": completeness.reasons if completeness.partial else (),
                "warnings": result.warnings,
            },
            "packages": sorted({package.purl for package in result.inventory.packages}),
            **({"security_findings": told["security_findings"]} if result.scan else {}),
        }
    )
    return found


def note_failure(session: Session, analysis_id: UUID, failure: Failure) -> None:
    """Keep for operators how an attempt failed; the analysis goes on being what it is."""
    repository.change(
        session, analysis_id, from_=_RUNS, error_traceback=_text(failure.traceback)
    )
    row = repository.find(session, analysis_id)
    if failure.lasting and row is not None:
        quotas.note_fault(session, row.organization_id, analysis_id)


def fail(session: Session, analysis_id: UUID, message: str) -> bool:
    """End the analysis as failed, uncharged; return whether it was not over before."""
    return _end(session, [_failure(analysis_id, message)]) == 1


def end_left(session: Session, *, after_seconds: float = LEFT_SECONDS) -> int:
    """End the analyses whose job ended without them; return how many, as SYSTEM.

    Such as when the database was away in the moment in which a job was given up.
    """
    before = clock.instant() - timedelta(seconds=after_seconds)
    left = repository.list_left(session, before=before, limit=LEFT_MAX)
    _end(
        session,
        [
            _Ended(analysis_id, Status.CANCELLED)
            if state == "cancelled"
            else _failure(analysis_id, error or LEFT_MESSAGE)
            for analysis_id, state, error in left
        ],
    )
    return len(left)


def cancelled(session: Session, analysis_id: UUID) -> bool:
    """End as cancelled an analysis whose job was; return whether it was not over."""
    return _end(session, [_Ended(analysis_id, Status.CANCELLED)]) == 1


@dataclass(frozen=True, slots=True)
class _Ended:
    analysis_id: UUID
    status: Status
    message: str | None = None


def _failure(analysis_id: UUID, message: str) -> _Ended:
    told = _text(message)[: rules.MESSAGE_LENGTH_MAX]
    return _Ended(analysis_id, Status.FAILED, told)


def _end(session: Session, ends: Iterable[_Ended]) -> int:
    """End analyses without a result; return how many were not over before.

    First the rows of all of them, then the accounts, in the order of organizations:
    whoever ends one analysis locks its row and then the account, so nobody waits for
    somebody who waits for them.
    """
    found = [(row, end) for end in ends if (row := _ended(session, end)) is not None]
    for row, end in sorted(found, key=lambda one: one[0].organization_id):
        before = Status(row.status)
        cancelled_ = end.status is Status.CANCELLED
        ending = submission.ending_of(before) if cancelled_ else Ending.FAILED
        submission.release(session, row, ending=ending)
        submission.tell_finished(session, end.analysis_id)
    return len(found)


def _ended(session: Session, end: _Ended) -> AnalysisRow | None:
    """Return the analysis as it was before it was ended, None where it was over."""
    row = repository.lock(session, end.analysis_id)
    if row is None or Status(row.status) in TERMINAL:
        return None
    failed = end.status is Status.FAILED
    repository.become(
        session,
        end.analysis_id,
        end.status,
        completed_at=clock.instant(),
        current_phase=FAILED_PHASE if failed else submission.CANCELLED_PHASE,
        error_message=end.message,
        cost_credits=0,
        sealed_environment=None,
    )
    return row


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _demand(held: bool, analysis_id: UUID) -> None:  # noqa: FBT001  reads as a sentence
    if not held:
        raise AnalysisOver(analysis_id)
