"""Setting credits aside, charging some of them, giving the rest back."""

from typing import Final

from vexxy.billing.ledger.errors import (
    HoldNotExpired,
    HoldResolved,
    InsufficientCredits,
    InvalidCredits,
    InvalidExpiry,
    SettleExceedsHold,
    TransactionNotFound,
    WrongKind,
)
from vexxy.billing.ledger.rules.book import AVAILABLE, Book
from vexxy.billing.ledger.types import (
    CREDITS_MAX,
    Account,
    Entry,
    EventType,
    Hold,
    Kind,
    Posted,
    Release,
    Settle,
)

RESOLUTIONS: Final = {
    Kind.SETTLE: "settled",
    Kind.VOID: "voided",
    Kind.EXPIRE_HOLD: "expired",
}


def hold(book: Book, request: Hold) -> Posted:
    """Move credits from available to held, from the lots that lapse first."""
    if not 0 <= request.credits <= CREDITS_MAX:
        raise InvalidCredits(f"a hold is of 0 to {CREDITS_MAX} credits")
    if request.expires_at <= book.now:
        raise InvalidExpiry("a hold that is over already holds nothing")
    entries: list[Entry] = []
    if not request.unlimited:
        available = book.balances[Account.AVAILABLE]
        if request.credits > available:
            raise InsufficientCredits(
                required_credits=request.credits, available_credits=available
            )
        for taken in spent(book, request.credits):
            entries += (taken, Entry(Account.HELD, -taken.credits, taken.lot_id))
    return book.append(
        Kind.HOLD,
        request.key,
        credits=request.credits,
        entries=entries,
        expires_at=request.expires_at,
        unlimited=request.unlimited,
        analysis_job_id=request.analysis_job_id,
        description=request.description,
    )


def spent(book: Book, credits: int) -> list[Entry]:  # noqa: A002  the ledger's word
    """Return the entries that take the credits from lots, in the order of spending."""
    entries = []
    missing = credits
    for _, _, _, lot_id in book.order:
        if not missing:
            break
        taken = min(missing, book.left[lot_id][AVAILABLE])
        if taken:
            entries.append(Entry(Account.AVAILABLE, -taken, lot_id))
            missing -= taken
    return entries


def settle(book: Book, request: Settle) -> Posted:
    """Charge a part of a hold, its first lots first, and release the rest."""
    held = _open_hold(book, request.hold_key)
    if request.credits < 0:
        raise InvalidCredits("a charge is of 0 credits or more")
    if request.credits > held.credits:
        raise SettleExceedsHold(charged_credits=request.credits, held_credits=held.credits)
    entries: list[Entry] = []
    returned: list[Entry] = []
    left = request.credits
    for entry in held.entries:
        if entry.account is Account.HELD:
            charged = min(left, entry.credits)
            left -= charged
            entries.append(Entry(Account.HELD, -entry.credits, entry.lot_id))
            if charged < entry.credits:
                back = entry.credits - charged
                returned.append(Entry(Account.AVAILABLE, back, entry.lot_id))
    if request.credits:
        if held.unlimited:
            entries.append(Entry(Account.UNLIMITED, -request.credits))
        entries.append(Entry(Account.REVENUE, request.credits))
    return book.append(
        Kind.SETTLE,
        request.key,
        credits=request.credits,
        entries=entries + returned,
        resolves=held.sequence,
        unlimited=held.unlimited,
        event_type=EventType.ANALYSIS_COMPLETED,
        analysis_job_id=held.analysis_job_id,
        description=request.description,
    )


def release(book: Book, request: Release) -> Posted:
    """End a hold without a charge: voided, or expired when its time is over."""
    held = _open_hold(book, request.hold_key)
    if request.expired and (held.expires_at is None or held.expires_at > book.now):
        raise HoldNotExpired(f"the time of the hold {held.key!r} is not over")
    entries: list[Entry] = []
    for entry in held.entries:
        if entry.account is Account.HELD:
            entries.append(Entry(Account.HELD, -entry.credits, entry.lot_id))
            entries.append(Entry(Account.AVAILABLE, entry.credits, entry.lot_id))
    return book.append(
        Kind.EXPIRE_HOLD if request.expired else Kind.VOID,
        request.key,
        credits=held.credits,
        entries=entries,
        resolves=held.sequence,
        unlimited=held.unlimited,
        analysis_job_id=held.analysis_job_id,
        description=request.description,
    )


def _open_hold(book: Book, key: str) -> Posted:
    held = book.by_key.get(key)
    if held is None:
        raise TransactionNotFound(key)
    if held.kind is not Kind.HOLD:
        raise WrongKind(f"{key!r} is no hold")
    resolution = book.resolved.get(held.sequence)
    if resolution is not None:
        raise HoldResolved(key, RESOLUTIONS[resolution.kind])
    return held
