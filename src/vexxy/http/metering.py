"""The dependency by which an endpoint names the metric that it uses.

    @router.post("", dependencies=[Depends(metered("agent_executions"))])

Decision and count are part of the endpoint's own transaction: an act that fails afterwards
used nothing, and of acts that come at once before a hard cap as many pass as there is room
for. Nothing is remembered between requests.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from vexxy.analysis.levels import GAUGES
from vexxy.billing.enforcement import service as enforcement
from vexxy.billing.enforcement.errors import QuotaReached
from vexxy.billing.enforcement.ports import Gauge, Use
from vexxy.billing.enforcement.types import Standing
from vexxy.http import quotas
from vexxy.http.deps import Caller, Transaction
from vexxy.identity.members import service as members
from vexxy.kit import metrics
from vexxy.kit.errors import TimedOut, Unavailable

# On the dependency: the metric, for who documents routes.
METRIC: Final = "metric"

Amount = int | Decimal
# Called as a dependency of its own: it may ask for whatever an endpoint may ask for.
Quantity = Amount | Callable[..., Any]


def metered(metric: str, quantity: Quantity = 1) -> Callable[..., Standing]:
    """Return a dependency that holds the caller's organization to its quota of a metric.

    Within the quota the answer carries `X-Quota-*`. Beyond a soft cap it passes, with a
    warning, as overage or in grace; beyond a hard cap, or after the grace, the answer is
    402. Where what is used cannot be read, it is 503: nothing passes unseen.

    Args:
        metric: Of the catalog; a catalog that has none of that name counts nothing.
        quantity: How much an act uses, or a dependency that returns it. Of active users
            and of storage, how much more; of another level, the level itself.
    """
    amount = quantity if callable(quantity) else _always(Decimal(quantity))

    def hold(
        *,
        request: Request,
        who: Caller,
        session: Transaction,
        used: Annotated[Decimal, Depends(amount)],
    ) -> Standing:
        gauge = GAUGES.get(metric)
        use = Use(who.organization_id, metric, quantity=Decimal(used), gauge=gauge)
        return spend(request, session, use)

    setattr(hold, METRIC, metric)
    return hold


def _always(amount: Decimal) -> Callable[[], Awaitable[Decimal]]:
    async def constant() -> Decimal:
        return amount

    return constant


def spend(request: Request, session: Session, use: Use) -> Standing:
    """Decide and count for a route that knows only inside what is used.

    Raises:
        QuotaReached: The answer is 402.
        Unavailable: What is used cannot be read.
    """
    plans = request.app.state.service.plans
    try:
        standing = enforcement.spend(session, use, plans=plans)
    except QuotaReached as error:
        quotas.say(request.scope, error.standing.headers)
        raise
    except (Unavailable, TimedOut, OperationalError):
        metrics.QUOTA_UNREAD.count(metric=use.metric, outcome="refused")
        raise
    quotas.say(request.scope, standing.headers)
    return standing


def take_seat(
    request: Request,
    session: Session,
    organization_id: UUID,
    *,
    more: Decimal | Gauge = Decimal(1),
) -> None:
    """Hold an organization to its seats before a user becomes active.

    To be called before any row is locked: the money lock comes first.

    Args:
        request: Whose answer carries the headers.
        session: Of the act.
        organization_id: Who gets the user.
        more: 0 for a user who has a seat; as a function it is asked under the lock.
    """
    gauge = GAUGES[enforcement.USER_SEATS]
    use = Use(organization_id, enforcement.USER_SEATS, quantity=more, gauge=gauge)
    spend(request, session, use)


def offer_seat(
    request: Request, session: Session, organization_id: UUID, *, email: str
) -> None:
    """Hold an organization to its seats before it offers one; nothing is counted.

    Offers that hold are counted in: all of them could be accepted.

    Raises:
        QuotaReached: With those who are invited, the seats are taken.
    """

    def offered(session: Session, organization_id: UUID, /) -> Decimal:
        others = members.count_offered(session, organization_id, besides=email)
        return Decimal(others + 1)

    gauge = GAUGES[enforcement.USER_SEATS]
    use = Use(organization_id, enforcement.USER_SEATS, quantity=offered, gauge=gauge)
    plans = request.app.state.service.plans
    try:
        enforcement.foresee(session, use, plans=plans)
    except QuotaReached as error:
        quotas.say(request.scope, error.standing.headers)
        raise


def reactivated(user_id: UUID) -> Gauge:
    """Return how many seats a member's reactivation takes: none for who is active."""

    def more(session: Session, organization_id: UUID, /) -> Decimal:
        active = members.find_active(session, organization_id, user_id)
        return Decimal(active is False)

    return more


def synchronized(user_id: UUID, *, told_active: bool | None) -> Gauge:
    """Return how many seats a user of base VEXxy takes that was told to be (in)active."""

    def more(session: Session, organization_id: UUID, /) -> Decimal:
        active = members.find_active(session, organization_id, user_id)
        if active is None:
            return Decimal(told_active is not False)
        return Decimal(not active and told_active is True)

    return more
