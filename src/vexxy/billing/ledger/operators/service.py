"""Credits moved by hand: with a reason, recorded, once for each key."""

from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.ledger import repository, service
from vexxy.billing.ledger.errors import NoSuchEvent
from vexxy.billing.ledger.types import Adjust, Grant, Posted, Refund

_ACTIONS: Final = {
    Grant: "credits.granted",
    Adjust: "credits.adjusted",
    Refund: "credits.refunded",
}


def act(
    session: Session,
    organization_id: UUID,
    request: Grant | Adjust | Refund,
    *,
    reason: str,
    actor: Actor,
) -> Posted:
    """Do what an operator decided; return the transaction, also when asked again.

    The reason goes to the record of acts alone: it may name a person, and what the
    ledger holds can never be removed.

    Raises:
        VexxyError: Why it is refused; see `billing.ledger.errors`.
    """
    service.lock(session, organization_id)
    before = service.balance(session, organization_id)
    known = service.find(session, organization_id, request.key) is not None
    posted = service.post_one(session, organization_id, request)
    if known:
        return posted
    after = service.balance(session, organization_id)
    done = Act(
        action=_ACTIONS[type(request)],
        actor=actor,
        organization_id=organization_id,
        resource_type="billing_event",
        resource_id=posted.id,
        before={"credit_balance": before.available_credits},
        after={"credit_balance": after.available_credits},
        metadata={"reason": reason, "credits": posted.credits, "key": posted.key},
    )
    audit.record(session, done)
    return posted


def charge_key(session: Session, organization_id: UUID, event_id: UUID) -> str:
    """Return the key of the transaction that is shown as this event.

    Raises:
        NoSuchEvent: The organization has none of that id.
    """
    found = repository.find_by_id(session, organization_id, event_id)
    if found is None:
        raise NoSuchEvent
    return found.key
