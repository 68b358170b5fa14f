"""Which state may follow which, and what may be done in each."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from vexxy.billing.subscriptions.errors import NotPossible, SubscriptionUnusable
from vexxy.billing.subscriptions.types import Status, Subscription

ALLOWED: Final[Mapping[Status, frozenset[Status]]] = {
    Status.INCOMPLETE: frozenset(
        {Status.ACTIVE, Status.TRIALING, Status.INCOMPLETE_EXPIRED, Status.CANCELED}
    ),
    Status.TRIALING: frozenset(
        {Status.ACTIVE, Status.PAST_DUE, Status.PAUSED, Status.CANCELED}
    ),
    Status.ACTIVE: frozenset(
        {Status.TRIALING, Status.PAST_DUE, Status.UNPAID, Status.PAUSED, Status.CANCELED}
    ),
    Status.PAST_DUE: frozenset({Status.ACTIVE, Status.UNPAID, Status.CANCELED}),
    Status.UNPAID: frozenset({Status.ACTIVE, Status.CANCELED}),
    Status.PAUSED: frozenset({Status.ACTIVE, Status.CANCELED}),
    Status.CANCELED: frozenset(),
    Status.INCOMPLETE_EXPIRED: frozenset(),
}
ENDED: Final = frozenset({Status.CANCELED, Status.INCOMPLETE_EXPIRED})
# In these a period brings its allowance and costs its price.
EARNING: Final = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})
_HINTS: Final[Mapping[Status, str]] = {
    Status.INCOMPLETE: "its first payment is still open",
    Status.PAST_DUE: "pay the open invoice; the time of grace is over",
    Status.UNPAID: "pay the open invoice",
    Status.PAUSED: "POST /billing/subscription/resume",
    Status.CANCELED: "choose a plan",
    Status.INCOMPLETE_EXPIRED: "choose a plan",
}


def check_transition(before: Status, after: Status) -> None:
    """Refuse a state that does not follow the other.

    Raises:
        NotPossible: It does not.
    """
    if after not in ALLOWED[before]:
        raise NotPossible(
            f"a subscription that is {before} does not become {after}",
            details={"status": before.value},
        )


def is_usable(subscription: Subscription, now: datetime) -> bool:
    """Return whether analyses may be submitted."""
    if subscription.status is Status.PAST_DUE:
        until = subscription.payment_grace_until
        return until is not None and now < until
    return subscription.status in {Status.TRIALING, Status.ACTIVE}


def check_usable(subscription: Subscription, now: datetime) -> None:
    """Refuse what a subscription in this state does not pay for.

    Raises:
        SubscriptionUnusable: It does not.
    """
    if not is_usable(subscription, now):
        status = subscription.status
        raise SubscriptionUnusable(status.value, hint=_HINTS[status])
