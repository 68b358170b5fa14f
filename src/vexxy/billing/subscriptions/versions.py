"""Who is on an older version of a plan than the one that is offered."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vexxy.billing.catalog.service import Plans
from vexxy.billing.subscriptions.models import SubscriptionRow
from vexxy.billing.subscriptions.types import Status

_OVER: Final = (Status.CANCELED.value, Status.INCOMPLETE_EXPIRED.value)


def list_outdated(
    session: Session, tier: str, *, plans: Plans, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """Return organizations that keep an older version and have no change ahead.

    Args:
        session: Of the SYSTEM role.
        tier: The plan.
        plans: What is offered.
        after: Only organizations with a greater id; None for all.
        limit: How many at most, by id.

    Raises:
        NoSuchPlan: The catalog has none of that name.
    """
    plan = plans.current(tier)
    query = select(SubscriptionRow.organization_id).where(
        SubscriptionRow.tier == tier,
        or_(
            SubscriptionRow.plan_version != plan.version,
            SubscriptionRow.catalog != plans.catalog.name,
        ),
        SubscriptionRow.status.not_in(_OVER),
        SubscriptionRow.scheduled_tier.is_(None),
        SubscriptionRow.cancel_at_period_end.is_(False),
    )
    if after is not None:
        query = query.where(SubscriptionRow.organization_id > after)
    ordered = query.order_by(SubscriptionRow.organization_id).limit(limit)
    return session.scalars(ordered).all()
