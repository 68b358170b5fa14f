"""Deciding again, as jobs: find what changed, decide for each organization, publish."""

from collections.abc import Mapping
from contextlib import ExitStack
from uuid import UUID

from vexxy.advisories import repository as advisories
from vexxy.advisories.repository import Index
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reevaluation import publication, service
from vexxy.analysis.reevaluation.service import Examiner
from vexxy.jobs.ports import JobContext
from vexxy.notifications import service as notifications
from vexxy.settings import Settings

# A notification names this many analyses and counts the rest.
NAMED_MAX = 100


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
    with ExitStack() as stack:
        index = stack.enter_context(advisories.open_index(settings.database_path))
        organization_id = context.job.organization_id
        if organization_id is None:
            with context.database.transaction() as session:
                service.spread(session, index)
            return
        changed = _decide(context, organization_id, index)
        _publish(
            context, organization_id, Publisher(settings.author, settings.vex_namespace)
        )
        _tell(context, organization_id, changed)


def _decide(context: JobContext, organization_id: UUID, index: Index) -> dict[UUID, int]:
    """Decide batch by batch; each is a transaction of its own."""
    wanted = context.job.payload
    one = wanted.get("analysis_id")
    analysis_id = None if one is None else UUID(str(one))
    database, questions = context.database, None
    if analysis_id is None:
        with database.transaction(organization_id) as session:
            questions = service.get_change(session, UUID(str(wanted["change_id"])))
    examiner, after = Examiner(index), None
    changed: dict[UUID, int] = {}
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
        _add(changed, done.changed)
        after = done.after
        if after is None:
            return changed


def _add(total: dict[UUID, int], more: Mapping[UUID, int]) -> None:
    for analysis_id, statements in more.items():
        total[analysis_id] = total.get(analysis_id, 0) + statements


def _publish(context: JobContext, organization_id: UUID, publisher: Publisher) -> None:
    """Publish whatever is behind, also what an earlier attempt left."""
    while True:
        with context.database.transaction(organization_id) as session:
            behind = service.list_unpublished(session)
        if not behind:
            return
        for analysis_id in behind:
            context.heartbeat()
            with context.database.transaction(organization_id) as session:
                publication.publish(
                    session,
                    organization_id=organization_id,
                    analysis_job_id=analysis_id,
                    publisher=publisher,
                )


def _tell(context: JobContext, organization_id: UUID, changed: Mapping[UUID, int]) -> None:
    if not changed:
        return
    named = [
        {"job_id": str(analysis_id), "statements": statements}
        for analysis_id, statements in sorted(changed.items())[:NAMED_MAX]
    ]
    with context.database.transaction(organization_id) as session:
        notifications.notify(
            session,
            organization_id=organization_id,
            event_type="analysis.reevaluated",
            event_id=context.job.job_id,
            data={"analyses": named, "analyses_total": len(changed)},
        )
