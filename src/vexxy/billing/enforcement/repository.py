"""SQL of enforcement."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.billing.enforcement.models import AlertRow, GraceRow
from vexxy.billing.enforcement.types import Alert, Grace, Level, Verdict, Window
from vexxy.identity.models import Organization
from vexxy.kit import ids


def find_grace(
    session: Session, organization_id: UUID, metric: str, *, window: Window
) -> Grace | None:
    """Return the time of grace of the period, whether or not it is over."""
    return list_graces(session, organization_id, [metric], window=window).get(metric)


def list_graces(
    session: Session, organization_id: UUID, metrics: Iterable[str], *, window: Window
) -> dict[str, Grace]:
    """Return the times of grace of the period by metric, those that are over, too."""
    query = select(GraceRow.metric, GraceRow.started_at, GraceRow.expires_at).where(
        GraceRow.organization_id == organization_id,
        GraceRow.period_start == window.start,
        GraceRow.metric.in_(list(metrics)),
    )
    return {row[0]: Grace(row[1], row[2]) for row in session.execute(query)}


def add_grace(
    session: Session, organization_id: UUID, verdict: Verdict, *, window: Window
) -> bool:
    """Insert a time of grace; False where the period had one."""
    assert verdict.grace is not None  # noqa: S101  the caller's verdict begins it
    statement = (
        insert(GraceRow)
        .values(
            organization_id=organization_id,
            metric=verdict.quota.metric,
            period_start=window.start,
            started_at=verdict.grace.started_at,
            expires_at=verdict.grace.expires_at,
            usage_at_start=verdict.after,
            quota_at_start=verdict.quota.limit,
        )
        .on_conflict_do_nothing()
        .returning(GraceRow.metric)
    )
    return session.scalars(statement).one_or_none() is not None


def add_alerts(
    session: Session,
    organization_id: UUID,
    level: Level,
    *,
    percents: Sequence[int],
    window: Window,
    now: datetime,
) -> Sequence[UUID]:
    """Insert the alerts that the period has not had yet; return their ids."""
    rows = [
        {
            "id": ids.new_id(),
            "organization_id": organization_id,
            "metric": level.metric,
            "period_start": window.start,
            "period_end": window.end,
            "percent": percent,
            "usage": level.used,
            "quota": level.limit,
            "created_at": now,
        }
        for percent in percents
    ]
    statement = (
        insert(AlertRow)
        .values(rows)
        .on_conflict_do_nothing(constraint="uq_usage_alerts_percent")
        .returning(AlertRow.id)
    )
    return session.scalars(statement).all()


def lock_alert(session: Session, alert_id: UUID) -> Alert | None:
    """Return an alert that is not finished, locked until the transaction ends."""
    query = (
        select(AlertRow)
        .where(AlertRow.id == alert_id, AlertRow.state == "waiting")
        .with_for_update()
    )
    row = session.scalars(query).one_or_none()
    return None if row is None else _alert(row)


def note_staged(session: Session, alert_id: UUID, now: datetime) -> None:
    """Write down that the webhooks of an alert are on their way."""
    session.execute(update(AlertRow).where(AlertRow.id == alert_id).values(staged_at=now))


_MAILED = text(
    "update usage_alerts set mailed_to = array_append(mailed_to, :user) where id = :id"
)


def note_mailed(session: Session, alert_id: UUID, user_id: UUID) -> None:
    """Write down that somebody got the letter of an alert."""
    session.execute(_MAILED, {"id": alert_id, "user": user_id})


def finish_alert(session: Session, alert_id: UUID, state: str, *, now: datetime) -> None:
    """Write down that nothing is left to do for an alert."""
    session.execute(
        update(AlertRow)
        .where(AlertRow.id == alert_id, AlertRow.state == "waiting")
        .values(state=state, finished_at=now)
    )


def _alert(row: AlertRow) -> Alert:
    return Alert(
        id=row.id,
        organization_id=row.organization_id,
        metric=row.metric,
        percent=row.percent,
        usage=row.usage,
        quota=row.quota,
        window=Window(row.period_start, row.period_end),
        staged=row.staged_at is not None,
        mailed_to=tuple(row.mailed_to),
    )


def list_organizations(session: Session, *, after: UUID, limit: int) -> Sequence[UUID]:
    """Return organizations that were not erased, in the order of their ids; as SYSTEM."""
    query = (
        select(Organization.id)
        .where(Organization.id > after, Organization.erased_at.is_(None))
        .order_by(Organization.id)
    )
    return session.scalars(query.limit(limit)).all()
