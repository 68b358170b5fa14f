"""Moving credits, and reading where they are."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.ledger import repository
from vexxy.billing.ledger.errors import NoSuchOrganization
from vexxy.billing.ledger.rules import engine
from vexxy.billing.ledger.types import (
    Balance,
    Decision,
    Posted,
    Refund,
    Release,
    Request,
    Revoke,
    Settle,
)
from vexxy.kit import clock, ids, metrics
from vexxy.kit.errors import VexxyError


def post(
    session: Session,
    organization_id: UUID,
    requests: Sequence[Request],
    *,
    now: datetime | None = None,
) -> list[Posted | VexxyError]:
    """Do what is requested, one after the other; return what became of each.

    The organization's account stays locked until the transaction ends. What is refused
    comes back as its error and leaves no trace; what was done before, by its key, comes
    back as the transaction of the first time. So a task that runs again needs no check
    of its own.

    Raises:
        NoSuchOrganization: There is no such organization, or not for this session.
    """
    return list(book(session, organization_id, requests, now=now).answers)


def book(
    session: Session,
    organization_id: UUID,
    requests: Sequence[Request],
    *,
    now: datetime | None = None,
) -> Decision:
    """Do what is requested, as `post` does; return everything that came of it.

    Raises:
        NoSuchOrganization: There is no such organization, or not for this session.
    """
    moment = clock.instant() if now is None else now
    account = repository.lock_account(session, organization_id)
    if account is None:
        raise NoSuchOrganization(organization_id)
    state = repository.read_state(session, account, _keys(requests))
    decided = engine.decide(state, requests, now=moment, new_id=ids.new_id)
    if decided.rows:
        repository.write(
            session, decided.state, rows=decided.rows, lots=decided.lots, now=moment
        )
        for row in decided.rows:
            metrics.LEDGER_POSTINGS.count(kind=row.kind)
    return decided


def post_one(
    session: Session,
    organization_id: UUID,
    request: Request,
    *,
    now: datetime | None = None,
) -> Posted:
    """Do what is requested; return the transaction, also when it was done before.

    Raises:
        VexxyError: Why it is refused; see `errors`.
    """
    (answer,) = post(session, organization_id, [request], now=now)
    if isinstance(answer, VexxyError):
        raise answer
    return answer


def lock(session: Session, organization_id: UUID) -> None:
    """Lock the organization's account until the transaction ends.

    Raises:
        NoSuchOrganization: There is no such organization, or not for this session.
    """
    if repository.lock_account(session, organization_id) is None:
        raise NoSuchOrganization(organization_id)


def expire_lots(
    session: Session, organization_id: UUID, *, now: datetime | None = None
) -> Sequence[Posted]:
    """Book as lost what is left of every lot whose time is over; return the bookings."""
    return book(session, organization_id, (), now=now).rows


def balance(
    session: Session, organization_id: UUID, *, now: datetime | None = None
) -> Balance:
    """Return what the organization has at an instant; nothing is locked."""
    lots = repository.list_open_lots(session, organization_id)
    return repository.balance_of(organization_id, lots, now or clock.instant())


def find(session: Session, organization_id: UUID, key: str) -> Posted | None:
    """Return the transaction of that key."""
    return repository.find(session, organization_id, key)


def list_events(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> list[Posted]:
    """Return the organization's billing events, newest first."""
    return repository.list_shown(session, organization_id, limit=limit, offset=offset)


def _keys(requests: Sequence[Request]) -> Iterator[str]:
    for request in requests:
        yield request.key
        match request:
            case Settle() | Release():
                yield request.hold_key
            case Refund():
                yield request.charge_key
            case Revoke():
                yield request.grant_key
            case _:
                pass
