"""Removes sandboxes that no living job stands behind."""

from uuid import UUID

from vexxy import bootstrap
from vexxy.jobs.ports import JobContext
from vexxy.jobs.repository import leases
from vexxy.kit import logging
from vexxy.kit.db import Database
from vexxy.kit.errors import VexxyError
from vexxy.sandbox import service as sandboxes
from vexxy.sandbox.ports import ContainerEngine
from vexxy.settings import Settings
from vexxy.worker import strays

KIND = "analysis"

log = logging.logger(__name__)


def handle(context: JobContext) -> None:
    """Sweep the engine and the machine that this worker uses."""
    strays.sweep()
    with bootstrap.engine(Settings()) as engine:
        removed = sweep(engine, context.database)
    if removed:
        log.warning("sandboxes.swept", containers=removed)


def sweep(engine: ContainerEngine, system: Database) -> int:
    """Remove what dead processes and ended analyses left; return how many containers.

    An analysis that this database has never heard of is another installation's, and
    left alone: several may share an engine.
    """
    removed = sandboxes.sweep(engine).containers
    labelled = sandboxes.list_jobs(engine)
    keys = {f"{KIND}:{analysis_id}": analysis_id for analysis_id in labelled}
    if not keys:
        return removed
    with system.transaction() as session:
        live = leases.find_live(session.connection(), KIND, list(keys))
    for key, running in live.items():
        if not running:
            removed += sandboxes.remove_job(engine, keys[key]).containers
    return removed


def remove(analysis_id: UUID) -> None:
    """Remove the sandboxes of one analysis, when its process may have left some."""
    with bootstrap.engine(Settings()) as engine:
        sandboxes.remove_job(engine, str(analysis_id))


def can_sandbox() -> bool:
    """Return whether this worker reaches a container engine."""
    try:
        with bootstrap.engine(Settings()) as engine:
            engine.info()
    except VexxyError:
        return False
    return True
