"""Ending, pausing and resuming a subscription, and what becomes of its payments."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit.types import Actor
from vexxy.billing.catalog.service import Plans
from vexxy.billing.subscriptions import changing, renewal, worth
from vexxy.billing.subscriptions import held as hands
from vexxy.billing.subscriptions.errors import NotPossible
from vexxy.billing.subscriptions.held import Held
from vexxy.billing.subscriptions.rules import periods, states
from vexxy.billing.subscriptions.types import Current, Kind, Status


def cancel(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    actor: Actor,
    at_period_end: bool = True,
    now: datetime | None = None,
) -> Current:
    """End the subscription; the default plan comes after it, bought credits stay.

    Raises:
        NotPossible: It is the default one, or is to end already.
        UsedUp: Money would come back for days whose worth is used up.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    held.actor = actor
    if held.row.tier == plans.default_tier and held.row.status == Status.ACTIVE:
        raise NotPossible(
            f"the plan {held.row.tier!r} is what remains after a cancellation"
        )
    if not at_period_end:
        default = plans.current(plans.default_tier)
        day = periods.day(held.now)
        worth.check_back(held, default, held.interval, day=day, status=Status.CANCELED)
        return renewal.cancel_now(held).current()
    if held.row.cancel_at_period_end:
        raise NotPossible("the subscription is to end already")
    held.begin()
    held.row.cancel_at_period_end, held.row.canceled_at = True, held.now
    changing.schedule(held, None, None)
    ends = held.row.billing_period_end
    if held.row.status == Status.TRIALING and held.row.trial_end is not None:
        ends = held.row.trial_end
    hands.record(held, Kind.CANCELLATION_SCHEDULED, effective_at=ends)
    return held.current()


def reactivate(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Current:
    """Take a cancellation back before it takes effect.

    Raises:
        NotPossible: The subscription is not to end.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    if not held.row.cancel_at_period_end:
        raise NotPossible("the subscription is not to end")
    held.actor = actor
    held.begin()
    held.row.cancel_at_period_end, held.row.canceled_at = False, None
    hands.record(held, Kind.REACTIVATED, effective_at=held.now)
    return held.current()


def pause(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Current:
    """Let nothing be submitted, and nothing be due from the next period on.

    Raises:
        NotPossible: Only an active subscription can be paused.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    if held.row.status == Status.TRIALING:
        # Resumed it would be active: a plan for good that nobody pays for.
        raise NotPossible(
            "a trial cannot be paused", details={"status": Status.TRIALING.value}
        )
    return _become(held, Status.PAUSED, Kind.PAUSED, actor=actor)


def resume(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    actor: Actor,
    now: datetime | None = None,
) -> Current:
    """End a pause; a period that began in it gets its share from today on.

    Raises:
        NotPossible: The subscription is not paused.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    if held.row.status != Status.PAUSED:
        raise NotPossible(f"a subscription that is {held.row.status} cannot be resumed")
    return _become(held, Status.ACTIVE, Kind.RESUMED, actor=actor)


def payment_failed(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    actor: Actor,
    reason: str = "",
    now: datetime | None = None,
) -> Current:
    """Note that a payment failed: usable for the time of grace, then no more.

    Told again within that time, nothing changes: it does not begin anew.

    Raises:
        NotPossible: No payment is expected in this state.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    held.reason = reason
    if held.row.status == Status.PAST_DUE:
        return held.current()
    return _become(held, Status.PAST_DUE, Kind.PAYMENT_FAILED, actor=actor)


def payment_received(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    actor: Actor,
    reason: str = "",
    now: datetime | None = None,
) -> Current:
    """Note that what was open is paid: the subscription is active again.

    Raises:
        NotPossible: Nothing was open.
    """
    held = renewal.hold(session, organization_id, plans=plans, now=now)
    held.reason = reason
    if held.row.status not in {Status.PAST_DUE, Status.UNPAID, Status.INCOMPLETE}:
        raise NotPossible(f"nothing is open of a subscription that is {held.row.status}")
    return _become(held, Status.ACTIVE, Kind.PAYMENT_RECEIVED, actor=actor)


def _become(held: Held, status: Status, kind: Kind, *, actor: Actor) -> Current:
    row = held.row
    states.check_transition(Status(row.status), status)
    held.actor = actor
    held.begin()
    if status is Status.ACTIVE:
        changing.revive(held, day=periods.day(held.now))
    row.status = status.value
    if status is Status.PAUSED:
        row.paused_at = held.now
    if status is Status.PAST_DUE:
        seconds = held.plans.catalog.payment_grace_seconds
        row.payment_grace_until = held.now + timedelta(seconds=seconds)
    hands.record(held, kind, effective_at=held.now)
    return held.current()
