"""SQL about subscriptions and their periods."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select, text, tuple_, update
from sqlalchemy.orm import Session

from vexxy.billing.subscriptions.models import (
    ItemRow,
    PeriodRow,
    QuoteRow,
    StepRow,
    SubscriptionRow,
)
from vexxy.billing.subscriptions.rules.states import ENDED

_ENDED = tuple(status.value for status in ENDED)
# As the partial indexes say it, so that they are used.
_LIVE = SubscriptionRow.status.not_in(_ENDED)


def _current(organization_id: UUID) -> Select[SubscriptionRow, PeriodRow]:
    return (
        select(SubscriptionRow, PeriodRow)
        .join(PeriodRow, PeriodRow.subscription_id == SubscriptionRow.id)
        .where(
            SubscriptionRow.organization_id == organization_id,
            _LIVE,
            PeriodRow.closed_at.is_(None),
        )
    )


def is_closed(session: Session, organization_id: UUID) -> bool:
    """Return whether the organization's erasure was asked for."""
    query = text("select closed_at is not null from organizations where id = :id")
    return session.scalars(query, {"id": organization_id}).one_or_none() is True


def find_current(
    session: Session, organization_id: UUID
) -> tuple[SubscriptionRow, PeriodRow] | None:
    """Return the live subscription with its open period, both as of one moment."""
    query = _current(organization_id).execution_options(populate_existing=True)
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def lock_current(
    session: Session, organization_id: UUID
) -> tuple[SubscriptionRow, PeriodRow] | None:
    """Return the same, locked until the transaction ends.

    The organization's money lock is held already: nobody else can be between the two.
    """
    query = _current(organization_id).with_for_update()
    found = session.execute(query.execution_options(populate_existing=True)).one_or_none()
    return None if found is None else (found[0], found[1])


def list_due(
    session: Session,
    *,
    now: datetime,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> Sequence[tuple[datetime, UUID, UUID]]:
    """Return when something was due, subscription and organization, longest due first.

    Args:
        session: Of the SYSTEM role.
        now: What is due then.
        after: The due instant and id of the last one seen.
        limit: Most of them.
    """
    query = select(
        SubscriptionRow.due_at, SubscriptionRow.id, SubscriptionRow.organization_id
    ).where(_LIVE, SubscriptionRow.due_at <= now)
    if after is not None:
        query = query.where(tuple_(SubscriptionRow.due_at, SubscriptionRow.id) > after)
    ordered = query.order_by(SubscriptionRow.due_at, SubscriptionRow.id).limit(limit)
    return [(row[0], row[1], row[2]) for row in session.execute(ordered)]


def list_steps(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> Sequence[StepRow]:
    """Return what became of the organization's subscriptions, newest first."""
    query = (
        select(StepRow)
        .join(SubscriptionRow, SubscriptionRow.id == StepRow.subscription_id)
        .where(StepRow.organization_id == organization_id)
        .order_by(
            SubscriptionRow.created_at.desc(), StepRow.revision.desc(), StepRow.id.desc()
        )
    )
    return session.scalars(query.limit(limit).offset(offset)).all()


def add_use(session: Session, period_id: UUID, *, analyses: int, credits_used: int) -> None:
    """Count use into a period, open or closed."""
    session.execute(
        update(PeriodRow)
        .where(PeriodRow.id == period_id)
        .values(
            analyses=PeriodRow.analyses + analyses,
            credits_used=PeriodRow.credits_used + credits_used,
        )
        .execution_options(synchronize_session=False)
    )


def list_open_items(session: Session, subscription_id: UUID) -> Sequence[ItemRow]:
    """Return what a subscription consists of."""
    query = (
        select(ItemRow)
        .where(ItemRow.subscription_id == subscription_id, ItemRow.ended_at.is_(None))
        .order_by(ItemRow.metric)
    )
    return session.scalars(query).all()


def lock_quote(session: Session, organization_id: UUID, quote_id: UUID) -> QuoteRow | None:
    """Return a quote, locked until the transaction ends."""
    query = select(QuoteRow).where(
        QuoteRow.id == quote_id, QuoteRow.organization_id == organization_id
    )
    return session.scalars(query.with_for_update()).one_or_none()


def revenue_credits(session: Session, organization_id: UUID) -> int:
    """Return what was ever charged to the organization, less what was given back."""
    query = text("select revenue_credits from credit_accounts where organization_id = :id")
    return int(session.scalar(query, {"id": organization_id}) or 0)
