"""Note that a percentage was reached, and tell it, each exactly once.

The note is a row that the database holds to one a metric, period and percentage, written
with what reached it; telling is a job of the same commit. What was told already is in the
row, so a job that is done twice tells nothing twice.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.enforcement import repository
from vexxy.billing.enforcement.alerts import wire
from vexxy.billing.enforcement.types import Alert, Level, Window
from vexxy.identity.members import service as members
from vexxy.identity.members.types import Member
from vexxy.identity.ports import Mail
from vexxy.identity.types import Permission
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import clock, metrics
from vexxy.kit.db import Database
from vexxy.kit.errors import ExternalFailure
from vexxy.notifications import service as notifications
from vexxy.notifications.types import EventType

KIND: Final = "usage_alert"
# Letters to every one of them, through a mail server that is slow.
DEADLINE_SECONDS: Final = 600
ATTEMPTS_MAX: Final = 6


def note(
    session: Session,
    organization_id: UUID,
    level: Level,
    *,
    percents: Sequence[int],
    window: Window,
    now: datetime,
) -> int:
    """Have the organization told of percentages; return how many it had not heard of."""
    if not percents:
        return 0
    added = repository.add_alerts(
        session, organization_id, level, percents=percents, window=window, now=now
    )
    for alert_id in added:
        new = NewJob(
            kind=KIND,
            organization_id=organization_id,
            payload={"alert_id": str(alert_id)},
            key=f"{KIND}:{alert_id}",
            deadline_seconds=DEADLINE_SECONDS,
            max_attempts=ATTEMPTS_MAX,
        )
        jobs.enqueue(session, new)
    return len(added)


def tell(
    database: Database,
    organization_id: UUID,
    alert_id: UUID,
    *,
    mail: Mail | None,
    step: Callable[[], None],
) -> None:
    """Tell an alert to webhooks and by mail, as far as that was not done.

    Args:
        database: Of the WORKER role.
        organization_id: Whose alert it is.
        alert_id: The alert; one that was told does nothing.
        mail: None where no mail server is configured: then webhooks are all there is.
        step: Called before each letter; raises to end early.

    Raises:
        ExternalFailure: Somebody got no letter; try again, the others get no second one.
    """
    with database.transaction(organization_id) as session:
        alert = _staged(session, alert_id)
        if alert is None:
            return
        people = members.list_permitted(session, organization_id, Permission.BILLING_MANAGE)
    if mail is not None:
        _mail(database, alert, people, mail=mail, step=step)
    with database.transaction(organization_id) as session:
        repository.finish_alert(session, alert_id, "sent", now=clock.instant())
    metrics.USAGE_ALERTS.count(metric=alert.metric, percent=str(alert.percent))


def _mail(
    database: Database,
    alert: Alert,
    people: Sequence[Member],
    *,
    mail: Mail,
    step: Callable[[], None],
) -> None:
    """Send the letters that were not sent, each written down when it is out."""
    failed: ExternalFailure | None = None
    for person in people:
        if person.id in alert.mailed_to:
            continue
        step()
        try:
            mail.send(wire.letter(alert, person.email))
        except ExternalFailure as error:
            # Whose mail server is away must not keep the letter from the others.
            failed = error
            continue
        with database.transaction(alert.organization_id) as session:
            repository.note_mailed(session, alert.id, person.id)
    if failed is not None:
        raise failed


def _staged(session: Session, alert_id: UUID) -> Alert | None:
    alert = repository.lock_alert(session, alert_id)
    if alert is not None and not alert.staged:
        notifications.notify(
            session,
            organization_id=alert.organization_id,
            event_type=EventType.USAGE_THRESHOLD_REACHED,
            data=wire.data(alert),
            event_id=alert.id,
        )
        repository.note_staged(session, alert_id, clock.instant())
    return alert


def give_up(session: Session, alert_id: UUID) -> None:
    """Write down that somebody could not be told, after the last attempt."""
    repository.finish_alert(session, alert_id, "failed", now=clock.instant())
