"""A second opinion: what a record amounts to, told from its rows alone.

Nothing here is shared with the code that it judges, but the values.
"""

import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

from vexxy.billing.ledger.types import Account, EventType, Kind, Posted

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OWNED = {Account.AVAILABLE, Account.HELD}
NEVER_NEGATIVE = OWNED | {Account.REVENUE, Account.EXPIRED}


class Accountant:
    """Adds up rows one after the other, and refuses what cannot be."""

    def __init__(self) -> None:
        self.rows: list[Posted] = []
        self.balances: dict[Account, int] = defaultdict(int)
        self.lots: dict[UUID, dict[Account, int]] = {}
        self.opened: dict[UUID, Posted] = {}
        self.resolved: dict[int, Posted] = {}
        self.refunded: dict[int, int] = defaultdict(int)
        self.shown_balance = 0
        self.chain = bytes(32)

    def add(self, row: Posted) -> None:
        assert row.sequence == len(self.rows) + 1, "a gap in the sequence"
        assert sum(entry.credits for entry in row.entries) == 0, "not balanced"
        assert all(entry.credits for entry in row.entries), "a line that moves nothing"
        assert row.chain == hashlib.sha256(self.chain + canonical(row)).digest()
        for entry in row.entries:
            self.balances[entry.account] += entry.credits
            assert (entry.lot_id is not None) == (entry.account in OWNED)
            if entry.lot_id is not None:
                if entry.lot_id == row.id:
                    assert row.id not in self.lots
                    self.lots[row.id] = {Account.AVAILABLE: 0, Account.HELD: 0}
                    self.opened[row.id] = row
                self.lots[entry.lot_id][entry.account] += entry.credits
                assert self.lots[entry.lot_id][entry.account] >= 0
        for account in NEVER_NEGATIVE:
            assert self.balances[account] >= 0, account
        assert sum(self.balances.values()) == 0
        owned = sum(entry.credits for entry in row.entries if entry.account in OWNED)
        assert row.credits_amount == owned
        assert row.balance_after == self.owned
        if row.event_type is None:
            assert row.credits_amount == 0, "a change that nobody is shown"
        else:
            self.shown_balance += row.credits_amount
            assert row.balance_after == self.shown_balance
        if row.resolves is not None:
            assert self.rows[row.resolves - 1].kind is Kind.HOLD
            assert row.resolves not in self.resolved, "resolved twice"
            self.resolved[row.resolves] = row
        if row.kind is Kind.REFUND:
            assert row.reverses is not None
            self._check_refund(row)
            self.refunded[row.reverses] += row.credits
            assert self.refunded[row.reverses] <= self.rows[row.reverses - 1].credits
        if row.event_type is EventType.CREDIT_EXPIRED:
            assert row.credits_amount < 0
        self._check_order(row)
        self._check_charge(row)
        self.rows.append(row)
        self.chain = row.chain

    def _check_order(self, row: Posted) -> None:
        """What is spent first is gone before the next is touched."""
        if row.kind is Kind.HOLD or (row.kind is Kind.ADJUST and row.credits < 0):
            taken = [entry.lot_id for entry in row.entries if entry.credits < 0]
            lots = [lot_id for lot_id in taken if lot_id is not None]
            for lot_id, left in self.lots.items():
                if lots and lot_id not in lots and left[Account.AVAILABLE]:
                    assert self.place(lot_id) > self.place(lots[-1])
            assert lots == sorted(lots, key=self.place)
            assert all(not self.lots[lot_id][Account.AVAILABLE] for lot_id in lots[:-1])
            assert not any(self.lapsed(lot_id, row.created_at) for lot_id in lots)

    def _check_charge(self, row: Posted) -> None:
        """A settlement consumes what the hold took first, and returns what it took last."""
        if row.kind is Kind.SETTLE and not row.unlimited:
            assert row.resolves is not None
            held = singles(self.rows[row.resolves - 1], Account.HELD)
            assert Counter(singles(row, Account.AVAILABLE)) == Counter(held[row.credits :])

    def _check_refund(self, row: Posted) -> None:
        """A refund returns what was consumed last, credit by credit."""
        assert row.reverses is not None
        charge = self.rows[row.reverses - 1]
        if charge.unlimited:
            return
        assert charge.resolves is not None
        hold = self.rows[charge.resolves - 1]
        consumed = singles(hold, Account.HELD)[: charge.credits]
        done = self.refunded[charge.sequence]
        back = consumed[::-1][done : done + row.credits]
        over = [lot_id for lot_id in back if self.lapsed(lot_id, row.created_at)]
        expected = [lot_id for lot_id in back if lot_id not in over] + [row.id] * len(over)
        assert Counter(singles(row, Account.AVAILABLE)) == Counter(expected)
        if over:
            ends = [self.opened[lot_id].expires_at for lot_id in over]
            lives = [end - hold.created_at for end in ends if end is not None]
            assert row.expires_at == row.created_at + max(lives)

    def place(self, lot_id: UUID) -> tuple[bool, datetime, int, int]:
        row = self.opened[lot_id]
        never = row.expires_at is None
        return (never, row.expires_at or EPOCH, row.priority or 0, row.sequence)

    def lapsed(self, lot_id: UUID, now: datetime) -> bool:
        expires_at = self.opened[lot_id].expires_at
        return expires_at is not None and expires_at <= now

    def spendable(self, now: datetime) -> int:
        return sum(
            left[Account.AVAILABLE]
            for lot_id, left in self.lots.items()
            if not self.lapsed(lot_id, now)
        )

    @property
    def owned(self) -> int:
        return self.balances[Account.AVAILABLE] + self.balances[Account.HELD]


def singles(row: Posted, account: Account) -> list[UUID]:
    """Return the lot of every single credit that the account got, in order."""
    return [
        entry.lot_id
        for entry in row.entries
        if entry.account is account and entry.lot_id is not None
        for _ in range(entry.credits)
    ]


def canonical(row: Posted) -> bytes:
    """The form that is hashed, as the documentation says it."""

    def instant(value: datetime | None) -> int | None:
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    entries = [
        {
            "account": entry.account.value,
            "credits": entry.credits,
            "lot_id": None if entry.lot_id is None else str(entry.lot_id),
        }
        for entry in row.entries
    ]
    said = [
        1,
        str(row.id),
        str(row.organization_id),
        row.sequence,
        row.kind.value,
        row.key,
        row.credits,
        entries,
        row.credits_amount,
        row.balance_after,
        instant(row.created_at),
        row.resolves,
        row.reverses,
        instant(row.expires_at),
        None if row.source is None else row.source.value,
        row.priority,
        row.unlimited,
        None if row.event_type is None else row.event_type.value,
        None if row.analysis_job_id is None else str(row.analysis_job_id),
        row.description,
        row.stripe_event_id,
        row.asked_credits,
    ]
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
