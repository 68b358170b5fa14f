"""Requests become transactions, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from vexxy.billing.ledger.errors import IdempotencyKeyReused, InvalidKey
from vexxy.billing.ledger.rules import gifts, holds, repeats
from vexxy.billing.ledger.rules.book import Book
from vexxy.billing.ledger.types import (
    Adjust,
    Decision,
    Grant,
    Hold,
    Kind,
    Note,
    Posted,
    Refund,
    Release,
    Request,
    Revoke,
    Settle,
    State,
)
from vexxy.kit.errors import InvalidInput, VexxyError

KEY_CHARACTERS_MAX: Final = 300
DESCRIPTION_CHARACTERS_MAX: Final = 2000


def decide(
    state: State,
    requests: Sequence[Request],
    *,
    now: datetime,
    new_id: Callable[[], UUID],
) -> Decision:
    """Return what becomes of the requests, in their order; nothing is written yet.

    What lapsed is booked as lost before each of them, so that nobody spends it. A request
    that is refused leaves no trace and does not disturb the others; one whose key is
    known already gets the transaction of the first time.

    Args:
        state: Holds whatever the requests name.
        requests: Of one organization.
        now: With a time zone.
        new_id: Makes the ids of transactions and lots.
    """
    book = Book(state, now=now, new_id=new_id)
    answers: list[Posted | VexxyError] = []
    for request in requests:
        book.expire_due()
        try:
            answers.append(_answer(book, request))
        except VexxyError as error:
            answers.append(error)
    book.expire_due()
    after, lots = book.frozen()
    return Decision(after, answers, book.rows, lots)


def _answer(book: Book, request: Request) -> Posted:
    first = book.by_key.get(request.key)
    if first is not None:
        if not repeats.same(book, request, first):
            raise IdempotencyKeyReused(request.key)
        return first
    if not 0 < len(request.key) <= KEY_CHARACTERS_MAX or "\0" in request.key:
        raise InvalidKey
    if len(request.description) > DESCRIPTION_CHARACTERS_MAX or "\0" in request.description:
        raise InvalidInput(
            f"a description has at most {DESCRIPTION_CHARACTERS_MAX} characters, none NUL"
        )
    return _RULES[type(request)](book, request)


def _note(book: Book, request: Note) -> Posted:
    return book.append(
        Kind.NOTE,
        request.key,
        credits=0,
        entries=(),
        event_type=request.event_type,
        description=request.description,
        stripe_event_id=request.stripe_event_id,
    )


_RULES: Final[Mapping[type, Callable[[Book, Any], Posted]]] = {
    Hold: holds.hold,
    Settle: holds.settle,
    Release: holds.release,
    Grant: gifts.grant,
    Refund: gifts.refund,
    Revoke: gifts.revoke,
    Adjust: gifts.adjust,
    Note: _note,
}
