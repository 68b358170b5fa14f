"""Removing usage events whose time is over, as a job; their totals stay."""

from datetime import UTC, datetime

from vexxy.billing.usage import retention
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.settings import read_service

log = logging.logger(__name__)


def handle(context: JobContext) -> None:
    """Do one job of the kind `usage_retention`; done twice it finds nothing to do."""
    removed = retention.retain(
        context.database,
        retention_days=read_service().usage_events_retention_days,
        now=datetime.now(UTC),
        step=context.heartbeat,
    )
    log.info("usage.retained", removed=removed)
