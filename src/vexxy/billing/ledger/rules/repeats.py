"""Whether a request is the one that its key was used for before."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from vexxy.billing.ledger.rules.book import Book
from vexxy.billing.ledger.types import (
    Adjust,
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
)


def same(book: Book, request: Request, first: Posted) -> bool:
    """Return whether the transaction is what became of this very request."""
    said = _SAID[type(request)]
    return said(book, request, first)


def _hold(_book: Book, request: Hold, first: Posted) -> bool:
    # Whether it takes credits is the plan's word of that day, not the caller's.
    return (
        first.kind is Kind.HOLD
        and first.credits == request.credits
        and first.analysis_job_id == request.analysis_job_id
    )


def _settle(book: Book, request: Settle, first: Posted) -> bool:
    same_charge = first.kind is Kind.SETTLE and first.credits == request.credits
    return same_charge and _names(book, request.hold_key, first.resolves)


def _release(book: Book, request: Release, first: Posted) -> bool:
    kind = Kind.EXPIRE_HOLD if request.expired else Kind.VOID
    return first.kind is kind and _names(book, request.hold_key, first.resolves)


def _grant(_book: Book, request: Grant, first: Posted) -> bool:
    return (
        first.kind is Kind.GRANT
        and first.credits == request.credits
        and first.source is request.source
        and first.expires_at == request.expires_at
    )


def _refund(book: Book, request: Refund, first: Posted) -> bool:
    same_part = first.kind is Kind.REFUND and first.asked_credits == request.credits
    return same_part and _names(book, request.charge_key, first.reverses)


def _revoke(book: Book, request: Revoke, first: Posted) -> bool:
    same_part = first.kind is Kind.REVOKE and first.asked_credits == request.credits
    return same_part and _names(book, request.grant_key, first.reverses)


def _adjust(_book: Book, request: Adjust, first: Posted) -> bool:
    return first.kind is Kind.ADJUST and first.credits == request.credits


def _note(_book: Book, request: Note, first: Posted) -> bool:
    return (
        first.kind is Kind.NOTE
        and first.event_type is request.event_type
        and first.stripe_event_id == request.stripe_event_id
    )


def _names(book: Book, key: str, sequence: int | None) -> bool:
    named = book.by_key.get(key)
    return named is not None and named.sequence == sequence


_SAID: Final[Mapping[type, Callable[[Book, Any, Posted], bool]]] = {
    Hold: _hold,
    Settle: _settle,
    Release: _release,
    Grant: _grant,
    Refund: _refund,
    Revoke: _revoke,
    Adjust: _adjust,
    Note: _note,
}
