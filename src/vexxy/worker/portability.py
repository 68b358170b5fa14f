"""Exports, erasures and the age of the record, as jobs."""

from uuid import UUID

from vexxy import bootstrap
from vexxy.audit import service as audit
from vexxy.jobs.ports import JobContext
from vexxy.kit import clock, logging
from vexxy.portability.erasures import service as erasures
from vexxy.portability.errors import ExportNotFound
from vexxy.portability.exports import service as exports
from vexxy.settings import read_service

log = logging.logger(__name__)


def export(context: JobContext) -> None:
    """Make the export that the job names; done twice it is done once."""
    settings = read_service()
    with context.database.transaction(context.job.organization_id) as session:
        try:
            found = exports.get(session, _export_id(context))
        except ExportNotFound:
            # Its organization was erased meanwhile.
            return
    work = exports.Work(
        database=context.database,
        store=bootstrap.evidence_store(settings),
        export=found,
        retention_days=settings.export_retention_days,
        step=context.heartbeat,
    )
    exports.make(work)
    log.info("export.made", export_id=found.id, rows=work.rows)


def export_abandoned(context: JobContext, reason: str) -> None:
    """Say that an export failed, and why."""
    organization_id = context.job.organization_id
    assert organization_id is not None  # noqa: S101  every export has one
    exports.give_up(
        context.database,
        bootstrap.evidence_store(read_service()),
        organization_id,
        export_id=_export_id(context),
        reason=reason,
    )


def expire(context: JobContext) -> None:
    """Remove archives and entries of the record whose time is over."""
    settings = read_service()
    now = clock.now()
    archives = exports.remove_expired(
        context.database,
        bootstrap.evidence_store(settings),
        now=now,
        step=context.heartbeat,
    )
    entries = audit.remove_expired(
        context.database,
        retention_days=settings.audit_retention_days,
        now=now,
        step=context.heartbeat,
    )
    log.info("portability.expired", archives=archives, entries=entries)


def erase(context: JobContext) -> None:
    """Erase the organization that the job names, from wherever it was left."""
    organization_id = UUID(str(context.job.payload["organization_id"]))
    work = erasures.Work(
        database=context.database,
        store=bootstrap.evidence_store(read_service()),
        organization_id=organization_id,
        step=context.heartbeat,
    )
    erasures.run(work)
    log.info("organization.erased", erased_id=organization_id)


def _export_id(context: JobContext) -> UUID:
    return UUID(str(context.job.payload["export_id"]))
