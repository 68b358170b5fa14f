"""Credits that come, and that are taken or given back."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final
from uuid import UUID

from vexxy.billing.ledger.errors import (
    AdjustmentExceedsBalance,
    InvalidCredits,
    RefundExceedsCharge,
    TransactionNotFound,
    WrongKind,
)
from vexxy.billing.ledger.rules import holds
from vexxy.billing.ledger.rules.book import AVAILABLE, Book
from vexxy.billing.ledger.types import (
    CREDITS_MAX,
    DEFAULT_LOT_PRIORITY,
    Account,
    Adjust,
    Entry,
    EventType,
    Grant,
    Kind,
    Posted,
    Refund,
    Revoke,
    Source,
)

# Where granted credits come from; a refund's come from the charge, never from a grant.
ORIGINS: Final = {
    Source.PLAN_ALLOWANCE: Account.GRANTS_PLAN,
    Source.PURCHASE: Account.GRANTS_PURCHASE,
    Source.PROMOTION: Account.GRANTS_PROMOTION,
    Source.ADJUSTMENT: Account.ADJUSTMENTS,
}
_EVENTS: Final = {
    Source.PURCHASE: EventType.CREDIT_PURCHASED,
    Source.ADJUSTMENT: EventType.ADJUSTMENT,
}
PRIORITY_MAX: Final = 2**15 - 1


def grant(book: Book, request: Grant) -> Posted:
    """Open a lot; one that is over already lapses at once and is recorded all the same."""
    _check(request.credits)
    origin = ORIGINS.get(request.source)
    if origin is None:
        raise InvalidCredits(f"credits of the source {request.source} are not granted")
    if not 0 <= request.priority <= PRIORITY_MAX:
        raise InvalidCredits(f"a lot's priority is 0 to {PRIORITY_MAX}")
    lot_id = book.new_id()
    return book.append(
        Kind.GRANT,
        request.key,
        credits=request.credits,
        entries=(
            Entry(origin, -request.credits),
            Entry(Account.AVAILABLE, request.credits, lot_id),
        ),
        row_id=lot_id,
        expires_at=request.expires_at,
        source=request.source,
        priority=request.priority,
        event_type=_EVENTS.get(request.source, EventType.CREDIT_GRANTED),
        description=request.description,
        stripe_event_id=request.stripe_event_id,
    )


def revoke(book: Book, request: Revoke) -> Posted:
    """Take what is left of a grant's lot, back to where it came from."""
    if request.credits is not None:
        _check(request.credits)
    granted = _named(book, request.grant_key, Kind.GRANT)
    left = book.left[granted.id][AVAILABLE]
    taken = left if request.credits is None else min(left, request.credits)
    entries = [
        Entry(Account.AVAILABLE, -taken, granted.id),
        Entry(ORIGINS[book.lots[granted.id].source], taken),
    ]
    return book.append(
        Kind.REVOKE,
        request.key,
        credits=taken,
        asked_credits=request.credits,
        entries=entries if taken else (),
        reverses=granted.sequence,
        event_type=EventType.ADJUSTMENT,
        description=request.description,
    )


def adjust(book: Book, request: Adjust) -> Posted:
    """Open a lot that does not expire, or take from the lots that lapse first."""
    _check(abs(request.credits))
    available = book.balances[Account.AVAILABLE]
    if -request.credits > available:
        raise AdjustmentExceedsBalance(
            taken_credits=-request.credits, available_credits=available
        )
    row_id = book.new_id()
    added = request.credits > 0
    if added:
        moved = [Entry(Account.AVAILABLE, request.credits, row_id)]
    else:
        moved = holds.spent(book, -request.credits)
    return book.append(
        Kind.ADJUST,
        request.key,
        credits=request.credits,
        entries=[Entry(Account.ADJUSTMENTS, -request.credits), *moved],
        row_id=row_id,
        source=Source.ADJUSTMENT if added else None,
        priority=DEFAULT_LOT_PRIORITY if added else None,
        event_type=EventType.ADJUSTMENT,
        description=request.description,
    )


def refund(book: Book, request: Refund) -> Posted:
    """Give back what a settlement took, the credits that were consumed last first.

    What came from a lot that is over meanwhile comes back as a lot of its own, with the
    time that was left when the credits were set aside; of several such lots the longest.
    """
    if request.credits is not None:
        _check(request.credits)
    charge = _named(book, request.charge_key, Kind.SETTLE)
    done = book.refunded.get(charge.sequence, 0)
    rest = charge.credits - done
    given = rest if request.credits is None else request.credits
    if not 0 < given <= rest:
        raise RefundExceedsCharge(f"{rest} credits are left of the charge {charge.key!r}")
    entries = [Entry(Account.REVENUE, -given)]
    row_id = book.new_id()
    life = timedelta(0)
    fresh = 0
    if charge.unlimited:
        entries.append(Entry(Account.UNLIMITED, given))
    else:
        held = next(row for row in book.by_key.values() if row.sequence == charge.resolves)
        for lot_id, part in _given_back(charge, done=done, given=given):
            lot = book.lots[lot_id]
            if lot.expires_at is not None and book.lapsed(lot):
                life = max(life, lot.expires_at - held.created_at)
                fresh += part
            else:
                entries.append(Entry(Account.AVAILABLE, part, lot_id))
    if fresh:
        entries.append(Entry(Account.AVAILABLE, fresh, row_id))
    return book.append(
        Kind.REFUND,
        request.key,
        credits=given,
        asked_credits=request.credits,
        entries=entries,
        row_id=row_id,
        reverses=charge.sequence,
        expires_at=book.now + life if fresh else None,
        source=Source.REFUND if fresh else None,
        priority=DEFAULT_LOT_PRIORITY if fresh else None,
        unlimited=charge.unlimited,
        event_type=EventType.CREDIT_REFUNDED,
        analysis_job_id=charge.analysis_job_id,
        description=request.description,
    )


def _given_back(charge: Posted, *, done: int, given: int) -> Iterator[tuple[UUID, int]]:
    """Yield lots and what returns to each; `done` was given back before."""
    for lot_id, charged in reversed(charged_lots(charge)):
        before = min(done, charged)
        done -= before
        part = min(given, charged - before)
        given -= part
        if part:
            yield lot_id, part


def charged_lots(charge: Posted) -> list[tuple[UUID, int]]:
    """Return which lots a settlement consumed and how much of each, in that order."""
    charged: dict[UUID, int] = {}
    for entry in charge.entries:
        if entry.lot_id is not None:
            charged[entry.lot_id] = charged.get(entry.lot_id, 0) - entry.credits
    return list(charged.items())


def _named(book: Book, key: str, kind: Kind) -> Posted:
    found = book.by_key.get(key)
    if found is None:
        raise TransactionNotFound(key)
    if found.kind is not kind:
        raise WrongKind(f"{key!r} is no {kind}")
    return found


def _check(credits: int) -> None:  # noqa: A002  the ledger's word
    if not 0 < credits <= CREDITS_MAX:
        raise InvalidCredits(f"credits must be 1 to {CREDITS_MAX}")
