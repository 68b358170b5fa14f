"""Doing what is due of subscriptions: periods, trials and times of grace that end."""

from vexxy import bootstrap
from vexxy.billing.subscriptions import service
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.settings import read_service

log = logging.logger(__name__)


def handle(context: JobContext) -> None:
    """Do one job of the kind `roll_over`; done twice it finds nothing left to do."""
    settings = read_service()
    swept = service.roll_over_due(
        context.database,
        plans=bootstrap.plans(settings),
        missed_max=settings.billing_missed_periods_max,
        step=context.heartbeat,
    )
    if swept.advanced or swept.failed:
        log.info("subscriptions.rolled_over", advanced=swept.advanced, failed=swept.failed)
