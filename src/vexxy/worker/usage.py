"""What organizations use, looked at by jobs: alerts, levels, and what follows of events."""

from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from vexxy import bootstrap
from vexxy.analysis.levels import GAUGES
from vexxy.billing.catalog.service import Plans
from vexxy.billing.enforcement.alerts import service as alerts
from vexxy.billing.enforcement.overview import service as overview
from vexxy.identity.ports import Mail
from vexxy.integrations.mail.smtp import SmtpMail
from vexxy.jobs.errors import RetryLater
from vexxy.jobs.ports import JobContext
from vexxy.kit import clock, logging
from vexxy.kit.db import Database
from vexxy.kit.errors import ExternalFailure, VexxyError
from vexxy.settings import read_service

log: Final = logging.logger(__name__)
RETRY_SECONDS: Final = 30


@lru_cache(maxsize=1)
def _plans() -> Plans:
    return bootstrap.plans(read_service())


@lru_cache(maxsize=1)
def _mail() -> Mail | None:
    settings = read_service()
    if settings.mail_url is None:
        return None
    return SmtpMail(settings.mail_url.get_secret_value(), sender=settings.mail_from)


def alert(context: JobContext) -> None:
    """Tell one alert, with what the environment describes."""
    tell(context, _mail())


def tell(context: JobContext, mail: Mail | None) -> None:
    """Tell one alert to webhooks and by mail.

    Raises:
        RetryLater: Somebody got no letter; `alert_abandoned` gives up after the last try.
    """
    organization_id = _home(context)
    try:
        alerts.tell(
            context.database,
            organization_id,
            _alert_id(context),
            mail=mail,
            step=context.heartbeat,
        )
    except ExternalFailure as error:
        delay = RETRY_SECONDS * 2**context.job.attempt
        raise RetryLater(error.message, delay_seconds=delay) from error


def alert_abandoned(context: JobContext, reason: str) -> None:
    """Write down that somebody could not be told."""
    del reason
    with context.database.transaction(_home(context)) as session:
        alerts.give_up(session, _alert_id(context))


def watch(context: JobContext) -> None:
    """Look at the metrics of one organization, after something was counted."""
    organization_id = _home(context)
    with context.database.transaction(organization_id) as session:
        overview.look_over(session, organization_id, plans=_plans(), gauges=GAUGES)


def levels(context: JobContext) -> None:
    """Count how many users and how much storage every organization has today."""
    record_levels(context, _plans(), now=clock.instant())


def record_levels(context: JobContext, plans: Plans, *, now: datetime) -> None:
    """Count today's levels of every organization; a second time changes nothing."""
    done = failed = 0
    for organization_id in overview.each_organization(context.database):
        context.heartbeat()
        try:
            _record(context.database, organization_id, plans, now=now)
            done += 1
        except VexxyError as error:
            # What one organization is wrong with must not keep the others uncounted.
            failed += 1
            log.warning(
                "usage.level_failed", organization_id=organization_id, reason=error.message
            )
    log.info("usage.levels", organizations=done, failed=failed)


def _record(
    database: Database, organization_id: UUID, plans: Plans, *, now: datetime
) -> None:
    with database.transaction(organization_id) as session:
        overview.record_levels(
            session, organization_id, plans=plans, gauges=GAUGES, now=now
        )


def _home(context: JobContext) -> UUID:
    found = context.job.organization_id
    assert found is not None  # noqa: S101  these jobs are of organizations
    return found


def _alert_id(context: JobContext) -> UUID:
    return UUID(str(context.job.payload["alert_id"]))
