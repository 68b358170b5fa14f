"""An organization's record while decisions are added to it."""

import bisect
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from vexxy.billing.ledger.rules import chain
from vexxy.billing.ledger.types import (
    Account,
    Entry,
    EventType,
    Kind,
    Lot,
    Posted,
    Source,
    State,
)

# The largest instant stands for never: such lots are spent last.
NEVER: Final = datetime.max.replace(tzinfo=UTC)
# What a lot has: available, held.
AVAILABLE: Final = 0
HELD: Final = 1
# Members of an enumeration are slow to look up, and this runs for every line.
_AVAILABLE: Final = Account.AVAILABLE
_HELD: Final = Account.HELD
_REFUND: Final = Kind.REFUND


class Book:
    """A working copy of a state; nothing outside sees it change.

    Attributes:
        left: What each lot has now, available and held; its other facts never change.
        order: Of the lots, the one to be spent next first.
        rows: What was added.
    """

    def __init__(self, state: State, *, now: datetime, new_id: Callable[[], UUID]) -> None:
        self.now = now
        self.new_id = new_id
        self.rows: list[Posted] = []
        self.balances = dict.fromkeys(Account, 0) | dict(state.balances)
        self.lots = dict(state.lots)
        self.left = {
            lot.id: [lot.available_credits, lot.held_credits] for lot in state.lots.values()
        }
        self.order = sorted(map(_place, state.lots.values()))
        self.by_key = dict(state.by_key)
        self.resolved = dict(state.resolved)
        self.refunded = dict(state.refunded)
        self._organization_id = state.organization_id
        self._sequence = state.sequence
        self._chain = state.chain
        self._touched: set[UUID] = set()

    def append(  # noqa: PLR0913  the columns of a row
        self,
        kind: Kind,
        key: str,
        *,
        credits: int,  # noqa: A002  the word of the record
        entries: Sequence[Entry],
        row_id: UUID | None = None,
        resolves: int | None = None,
        reverses: int | None = None,
        expires_at: datetime | None = None,
        source: Source | None = None,
        priority: int | None = None,
        unlimited: bool = False,
        event_type: EventType | None = None,
        analysis_job_id: UUID | None = None,
        description: str = "",
        stripe_event_id: str | None = None,
        asked_credits: int | None = None,
    ) -> Posted:
        """Add a transaction; the caller has made sure that it may be."""
        amount = 0
        for entry in entries:
            if entry.account is _AVAILABLE or entry.account is _HELD:
                amount += entry.credits
        posted = Posted(
            id=row_id or self.new_id(),
            organization_id=self._organization_id,
            sequence=self._sequence + 1,
            kind=kind,
            key=key,
            credits=credits,
            entries=tuple(entries),
            credits_amount=amount,
            balance_after=self.owned + amount,
            chain=b"",
            created_at=self.now,
            resolves=resolves,
            reverses=reverses,
            expires_at=expires_at,
            source=source,
            priority=priority,
            unlimited=unlimited,
            event_type=event_type,
            analysis_job_id=analysis_job_id,
            description=description,
            stripe_event_id=stripe_event_id,
            asked_credits=asked_credits,
        )
        chain.seal(posted, self._chain)
        self.apply(posted)
        self.rows.append(posted)
        return posted

    def apply(self, posted: Posted) -> None:
        """Let a transaction of the record have its effect.

        Raises:
            KeyError: It moves credits of a lot that is not known.
        """
        for entry in posted.entries:
            account, lot_id = entry.account, entry.lot_id
            self.balances[account] += entry.credits
            if lot_id is not None:
                if lot_id == posted.id:
                    self._open(posted, entry.credits)
                side = AVAILABLE if account is _AVAILABLE else HELD
                self.left[lot_id][side] += entry.credits
                self._touched.add(lot_id)
        self._sequence = posted.sequence
        self._chain = posted.chain
        self.by_key[posted.key] = posted
        if posted.resolves is not None:
            self.resolved[posted.resolves] = posted
        if posted.kind is _REFUND and posted.reverses is not None:
            refunded = self.refunded.get(posted.reverses, 0)
            self.refunded[posted.reverses] = refunded + posted.credits

    def _open(self, posted: Posted, granted: int) -> None:
        lot = Lot(
            id=posted.id,
            sequence=posted.sequence,
            source=posted.source or Source.ADJUSTMENT,
            priority=posted.priority or 0,
            expires_at=posted.expires_at,
            granted_credits=granted,
            available_credits=0,
            held_credits=0,
        )
        self.lots[lot.id] = lot
        self.left[lot.id] = [0, 0]
        bisect.insort(self.order, _place(lot))

    @property
    def owned(self) -> int:
        """What the organization has: available and held."""
        return self.balances[_AVAILABLE] + self.balances[_HELD]

    @property
    def sequence(self) -> int:
        """Of the last transaction."""
        return self._sequence

    def lapsed(self, lot: Lot) -> bool:
        """Return whether the time of the lot is over."""
        return lot.expires_at is not None and lot.expires_at <= self.now

    def expire_due(self) -> None:
        """Book as lost what is available of lots whose time is over."""
        due = []
        for expires_at, _, _, lot_id in self.order:
            if expires_at > self.now:
                break
            if self.left[lot_id][AVAILABLE]:
                due.append(lot_id)
        for lot_id in due:
            lost = self.left[lot_id][AVAILABLE]
            self.append(
                Kind.EXPIRE_LOT,
                # A lot can lapse again, when a hold gives something back to it.
                f"lot:{lot_id}:expire:{self._sequence + 1}",
                credits=lost,
                entries=(
                    Entry(Account.AVAILABLE, -lost, lot_id),
                    Entry(Account.EXPIRED, lost),
                ),
                source=self.lots[lot_id].source,
                event_type=EventType.CREDIT_EXPIRED,
                description="credits that were not used in time",
            )

    def frozen(self) -> tuple[State, list[Lot]]:
        """Return the state as it is now, and the lots that changed."""
        changed = [self._frozen(self.lots[lot_id]) for lot_id in self._touched]
        state = State(
            organization_id=self._organization_id,
            sequence=self._sequence,
            chain=self._chain,
            balances=self.balances,
            lots=self.lots | {lot.id: lot for lot in changed},
            by_key=self.by_key,
            resolved=self.resolved,
            refunded=self.refunded,
        )
        return state, changed

    def _frozen(self, lot: Lot) -> Lot:
        available, held = self.left[lot.id]
        return Lot(
            id=lot.id,
            sequence=lot.sequence,
            source=lot.source,
            priority=lot.priority,
            expires_at=lot.expires_at,
            granted_credits=lot.granted_credits,
            available_credits=available,
            held_credits=held,
        )


def _place(lot: Lot) -> tuple[datetime, int, int, UUID]:
    return (lot.expires_at or NEVER, lot.priority, lot.sequence, lot.id)
