"""Deciding again, as jobs: find what changed, decide for each organization, publish."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.advisories import repository as advisories
from vexxy.advisories.repository import Index
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reevaluation import publication, service
from vexxy.analysis.reevaluation.service import Examiner
from vexxy.analysis.reevaluation.types import Published
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.kit.errors import VexxyError
from vexxy.notifications import service as notifications
from vexxy.notifications.types import EventType
from vexxy.settings import Settings

log = logging.logger(__name__)


def handle(context: JobContext) -> None:
    """Do one job of the kind `reevaluation`.

    Without an organization it looks for changed advisories and queues a job for each
    organization they concern. With one it decides about that change, or about one
    analysis that somebody asked for, and publishes.
    """
    settings = Settings()
    if not settings.database_path.exists():
        # Verdicts stand on what was asked when they were made; nothing is known since.
        return
    with advisories.open_index(settings.database_path) as index:
        organization_id = context.job.organization_id
        if organization_id is None:
            with context.database.transaction() as session:
                service.spread(session, index)
            return
        _decide(context, organization_id, index)
    _publish(context, organization_id, Publisher(settings.author, settings.vex_namespace))


def _decide(context: JobContext, organization_id: UUID, index: Index) -> None:
    """Decide batch by batch; each is a transaction of its own."""
    wanted = context.job.payload
    one = wanted.get("analysis_id")
    analysis_id = None if one is None else UUID(str(one))
    database, questions = context.database, None
    if analysis_id is None:
        with database.transaction(organization_id) as session:
            questions = service.get_change(session, UUID(str(wanted["change_id"])))
    examiner, after = Examiner(index), None
    while True:
        context.heartbeat()
        with database.transaction(organization_id) as session:
            done = service.decide_batch(
                session,
                examiner,
                organization_id=organization_id,
                questions=questions,
                analysis_job_id=analysis_id,
                after=after,
                cause="asked for" if analysis_id else "the advisories changed",
            )
        after = done.after
        if after is None:
            return


def _publish(context: JobContext, organization_id: UUID, publisher: Publisher) -> None:
    """Publish whatever is behind, also what an earlier attempt left.

    What is published and that somebody is told of it is one commit. One analysis that
    cannot be published does not keep the others from it.

    Raises:
        VexxyError: The first that failed, after all others were published.
    """
    after: UUID | None = None
    failed: list[VexxyError] = []
    while True:
        context.heartbeat()
        with context.database.transaction(organization_id) as session:
            behind = service.list_unpublished(session, after=after)
            if not behind:
                break
            done = []
            for analysis_id in behind:
                try:
                    with session.begin_nested():
                        done.append(
                            publication.publish(
                                session,
                                organization_id=organization_id,
                                analysis_job_id=analysis_id,
                                publisher=publisher,
                            )
                        )
                except VexxyError as error:
                    log.warning("reevaluation.unpublished", analysis_id=analysis_id)
                    failed.append(error)
            _tell(session, organization_id, done)
        after = behind[-1]
    if failed:
        raise failed[0]


def _tell(session: Session, organization_id: UUID, done: Sequence[Published]) -> None:
    if not done:
        return
    notifications.notify(
        session,
        organization_id=organization_id,
        event_type=EventType.ANALYSIS_REEVALUATED,
        data={
            "analyses": [
                {
                    "job_id": str(one.analysis_id),
                    "statements": one.statements,
                    "vex_version": one.version,
                }
                for one in done
            ]
        },
    )
