"""Reading a record from its first row, and comparing what it gives."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from vexxy.billing.ledger.checks.types import Difference, Projections
from vexxy.billing.ledger.rules import chain
from vexxy.billing.ledger.rules.book import NEVER, Book
from vexxy.billing.ledger.types import Account, Kind, Posted, State
from vexxy.kit import ids

# The record itself is never mended: what it says is evidence.
RESTORE: Final = (
    "restore the organization's rows from a backup; until then nothing below that row"
    " is proved"
)
REBUILD: Final = "vexxy billing rebuild --organization {}"
SWEEP: Final = "see that the worker runs: its sweep_credits job ends lapsed holds"
DIFFERENCES_MAX: Final = 100
# How long after its end a hold may be open before that is worth a word.
SWEEP_DELAY: Final = timedelta(hours=1)


class Replay:
    """A record, read row by row in its order."""

    def __init__(self, organization_id: UUID) -> None:
        empty = State(organization_id, 0, chain.START, dict.fromkeys(Account, 0), {})
        # Neither the instant nor the maker of ids is asked for by rows that exist.
        self._book = Book(empty, now=NEVER, new_id=ids.new_id)
        self._organization_id = organization_id
        self._chain = chain.START
        self._chain_broken = False
        self._open: dict[int, Posted] = {}
        self._shown = 0
        self.rows = 0
        self.differences: list[Difference] = []

    def add(self, row: Posted) -> None:
        """Read the next row."""
        self.rows += 1
        expected = self._book.sequence + 1
        if row.sequence != expected:
            self._differs("sequence", row.sequence, expected)
        if not chain.holds(self._chain, row) and not self._chain_broken:
            # All that follow hang on this one; only the first is named.
            self._chain_broken = True
            self._differs(f"hash of row {row.sequence} ({row.id})", "another", "its own")
        self._chain = row.chain
        total = sum(entry.credits for entry in row.entries)
        if total:
            self._differs(f"sum of row {row.sequence} ({row.id})", total, 0)
        if row.resolves is not None:
            if self._open.pop(row.resolves, None) is None:
                self._differs(f"row {row.sequence}", f"ends {row.resolves}", "an open hold")
        elif row.kind is Kind.HOLD:
            self._open[row.sequence] = row
        try:
            self._book.apply(row)
        except KeyError:
            self._differs(
                f"lots of row {row.sequence}", "a lot nobody granted", "known ones"
            )
        if row.balance_after != self._book.owned:
            self._differs(
                f"balance_after of row {row.sequence}", row.balance_after, self._book.owned
            )
        # A record may be long; only what decides about later rows is kept.
        for kept in (self._book.by_key, self._book.resolved, self._book.refunded):
            kept.clear()

    def _differs(self, what: str, found: object, expected: object) -> None:
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(Difference(what, str(found), str(expected), RESTORE))

    def projections(self) -> Projections:
        """Return what the rows amount to."""
        state, _ = self._book.frozen()
        return Projections(
            sequence=state.sequence,
            chain=self._chain,
            balances=state.balances,
            lots=state.lots,
            credit_balance=state.balances[Account.AVAILABLE],
        )

    def overdue(self, now: datetime) -> Iterator[Difference]:
        """Yield holds that should have been ended."""
        for row in self._open.values():
            if row.expires_at is not None and row.expires_at + SWEEP_DELAY < now:
                yield Difference(
                    f"hold {row.key}", "open", f"ended by {row.expires_at}", SWEEP
                )


def compare(
    organization_id: UUID, stored: Projections, computed: Projections
) -> Iterator[Difference]:
    """Yield where what is stored is not what the record gives."""
    repair = REBUILD.format(organization_id)
    pairs: list[tuple[str, object, object]] = [
        ("last sequence", stored.sequence, computed.sequence),
        ("last hash", stored.chain.hex(), computed.chain.hex()),
        ("credit_balance", stored.credit_balance, computed.credit_balance),
    ]
    pairs += [
        (f"account {name}", stored.balances[name], computed.balances[name])
        for name in Account
    ]
    pairs += [
        (f"lot {lot_id}", stored.lots.get(lot_id), computed.lots.get(lot_id))
        for lot_id in {**stored.lots, **computed.lots}
    ]
    for what, found, expected in pairs:
        if found != expected:
            yield Difference(what, str(found), str(expected), repair)
