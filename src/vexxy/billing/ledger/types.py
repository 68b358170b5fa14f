"""Values of the ledger: requests in, transactions out. Credits are whole numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from vexxy.kit.errors import VexxyError

# Far below the 64 bits of the database: sums of sums stay exact.
CREDITS_MAX: Final = 10**12
DEFAULT_LOT_PRIORITY: Final = 100


class Account(StrEnum):
    """The accounts of an organization; what one loses another gains.

    `available` and `held` are what the organization owns. The three `grants_` accounts
    and `unlimited` are where credits come from, so they go below zero; `revenue` and
    `expired` are where they end; `adjustments` is both.
    """

    AVAILABLE = "available"
    HELD = "held"
    REVENUE = "revenue"
    EXPIRED = "expired"
    ADJUSTMENTS = "adjustments"
    UNLIMITED = "unlimited"
    GRANTS_PLAN = "grants_plan"
    GRANTS_PURCHASE = "grants_purchase"
    GRANTS_PROMOTION = "grants_promotion"


class Source(StrEnum):
    """Where the credits of a lot came from."""

    PLAN_ALLOWANCE = "plan_allowance"
    PURCHASE = "purchase"
    PROMOTION = "promotion"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"


class Kind(StrEnum):
    """What a transaction does."""

    GRANT = "grant"
    HOLD = "hold"
    SETTLE = "settle"
    VOID = "void"
    EXPIRE_HOLD = "expire_hold"
    EXPIRE_LOT = "expire_lot"
    REFUND = "refund"
    REVOKE = "revoke"
    ADJUST = "adjust"
    NOTE = "note"


class EventType(StrEnum):
    """The names of `GET /billing/events` (contract, section 4)."""

    ANALYSIS_COMPLETED = "analysis_completed"
    CREDIT_PURCHASED = "credit_purchased"
    CREDIT_GRANTED = "credit_granted"
    CREDIT_EXPIRED = "credit_expired"
    CREDIT_REFUNDED = "credit_refunded"
    SUBSCRIPTION_CREATED = "subscription_created"
    SUBSCRIPTION_UPDATED = "subscription_updated"
    SUBSCRIPTION_CANCELED = "subscription_canceled"
    PAYMENT_SUCCEEDED = "payment_succeeded"
    PAYMENT_FAILED = "payment_failed"
    ADJUSTMENT = "adjustment"


# --- what may be asked of the ledger -------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Give credits, as a lot of their own.

    Attributes:
        key: Names the fact, such as `allowance:<subscription>:<period start>`; the same
            key again changes nothing, with other credits it is refused.
        expires_at: When what is left of the lot is lost, None for never.
        priority: Among lots that expire together the lowest is spent first.
    """

    key: str
    credits: int
    source: Source
    expires_at: datetime | None = None
    priority: int = DEFAULT_LOT_PRIORITY
    description: str = ""
    stripe_event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Set credits aside until it is known how many of them are due.

    Attributes:
        expires_at: When the hold lapses if nothing ended it before. It is no part of the
            fact: asked again with another one, the hold stays as it is.
        unlimited: The plan has no limit: nothing is set aside, and the settlement is
            recorded without touching a lot.
    """

    key: str
    credits: int
    expires_at: datetime
    unlimited: bool = False
    analysis_job_id: UUID | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """Charge at most what a hold set aside; the rest is available again."""

    key: str
    hold_key: str
    credits: int
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """End a hold without a charge.

    Attributes:
        expired: Its time ran out; refused while it has not.
    """

    key: str
    hold_key: str
    expired: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Give back a charge or a part of it, by the entries that took it, last one first.

    Attributes:
        charge_key: Of the settlement.
        credits: How many, None for all that was not given back yet.
    """

    key: str
    charge_key: str
    credits: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Take back what is left of a grant, at most `credits`.

    What is held or spent stays where it is: the transaction says how much it took, and
    who asked decides what becomes of the difference.
    """

    key: str
    grant_key: str
    credits: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust:
    """Correct the balance by hand: up as a lot that does not expire, or down."""

    key: str
    credits: int
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Record a fact of billing that moves no credits."""

    key: str
    event_type: EventType
    description: str = ""
    stripe_event_id: str | None = None


Request = Grant | Hold | Settle | Release | Refund | Revoke | Adjust | Note


# --- what the ledger holds -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a transaction; the lot is None for accounts that have none."""

    account: Account
    credits: int
    lot_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A transaction as it is recorded; it never changes.

    Attributes:
        sequence: Position in the organization's record, from 1, without gaps.
        credits: How many it is about: granted, held, charged, released, given back.
        asked_credits: Of a refund or a revocation, None where all was asked for.
        credits_amount: What the organization owns more by it (negative: less).
        balance_after: What it owned right after: available and held.
        resolves: Sequence of the hold that it ends.
        reverses: Sequence of the transaction that it takes back.
        expires_at: Of a hold or of the granted lot.
        chain: SHA-256 over the one before and this one.
    """

    id: UUID
    organization_id: UUID
    sequence: int
    kind: Kind
    key: str
    credits: int
    entries: tuple[Entry, ...]
    credits_amount: int
    balance_after: int
    chain: bytes
    created_at: datetime
    resolves: int | None = None
    reverses: int | None = None
    expires_at: datetime | None = None
    source: Source | None = None
    priority: int | None = None
    unlimited: bool = False
    event_type: EventType | None = None
    analysis_job_id: UUID | None = None
    description: str = ""
    stripe_event_id: str | None = None
    asked_credits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Credits that were granted together and expire together.

    Its id is that of the transaction that opened it: a grant, an adjustment, or a refund
    of what came from a lot that is over.

    Attributes:
        sequence: Of that transaction: among equals the older lot is spent first.
    """

    id: UUID
    sequence: int
    source: Source
    priority: int
    expires_at: datetime | None
    granted_credits: int
    available_credits: int
    held_credits: int


@dataclass(frozen=True, slots=True)
class State:
    """What a decision stands on, read under the lock of the organization's account.

    Attributes:
        balances: Of every account; they sum to zero.
        lots: Those that are not used up, and those that the requests name.
        by_key: The transactions that the requests name by key.
        resolved: What ended the holds among them, by the hold's sequence.
        refunded: Credits given back already, by the settlement's sequence.
    """

    organization_id: UUID
    sequence: int
    chain: bytes
    balances: Mapping[Account, int]
    lots: Mapping[UUID, Lot]
    by_key: Mapping[str, Posted] = field(default_factory=dict)
    resolved: Mapping[int, Posted] = field(default_factory=dict)
    refunded: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of requests.

    Attributes:
        state: After them.
        answers: One a request, in their order: the transaction, now or from the first
            time, or why there is none.
        rows: The transactions to be written, in the order of the record.
        lots: Those that are new or other than before.
    """

    state: State
    answers: Sequence[Posted | VexxyError]
    rows: Sequence[Posted]
    lots: Sequence[Lot]


@dataclass(frozen=True, slots=True)
class Balance:
    """What an organization has, as of an instant: lapsed lots are not counted."""

    organization_id: UUID
    available_credits: int
    held_credits: int
    lots: tuple[Lot, ...]
