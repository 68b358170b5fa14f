"""Removing evidence whose time is over, as jobs; one an organization."""

from datetime import UTC, datetime

from vexxy import bootstrap
from vexxy.evidence import service
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.settings import read_service

log = logging.logger(__name__)


def handle(context: JobContext) -> None:
    """Do one job of the kind `retention`; done twice it finds nothing left to do."""
    organization_id = context.job.organization_id
    if organization_id is None:
        with context.database.transaction() as session:
            service.enqueue_retention(session)
        return
    settings = read_service()
    removed = service.retain(
        context.database,
        bootstrap.evidence_store(settings),
        organization_id,
        retention_days=settings.evidence_retention_days,
        now=datetime.now(UTC),
        step=context.heartbeat,
    )
    log.info(
        "evidence.retained",
        organization_id=organization_id,
        expired=removed.rows,
        blobs=removed.blobs,
        garbage=removed.garbage,
        unfinished=removed.unfinished,
    )
