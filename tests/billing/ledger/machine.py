"""Everything that can be asked of a ledger, in any order, at any time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.billing.ledger.accountant import Accountant
from tests.billing.ledger.values import NOW
from vexxy.billing.ledger import errors
from vexxy.billing.ledger.types import (
    Account,
    Adjust,
    EventType,
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
    Source,
)
from vexxy.kit.errors import VexxyError

CREDITS = st.integers(1, 60)
PART = st.none() | st.integers(1, 40)
PICK = st.integers(0, 2**16)
HOURS = st.integers(1, 60)
SOURCES = st.sampled_from([Source.PLAN_ALLOWANCE, Source.PURCHASE, Source.PROMOTION])
PERIOD = timedelta(days=5)
WORDS = {Kind.SETTLE: "settled", Kind.VOID: "voided", Kind.EXPIRE_HOLD: "expired"}

Answer = Posted | VexxyError


class LedgerMachine(RuleBasedStateMachine):
    """Asks, compares with what an accountant would say, and asks again.

    A subclass says how to ask: the engine itself, or the whole slice over PostgreSQL.
    """

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.books = Accountant()
        self.done: list[tuple[Request, Posted]] = []
        self.named: dict[Kind, list[Posted]] = {kind: [] for kind in Kind}
        self.period = 0
        self.numbers = 0

    def post(self, requests: Sequence[Request], *, crash: bool) -> list[Answer]:
        """Ask, and add new rows to the books; where it crashes, ask a second time."""
        raise NotImplementedError

    def compare(self) -> None:
        """Compare what is kept with what the books say."""
        raise NotImplementedError

    def key(self) -> str:
        self.numbers += 1
        return f"key-{self.numbers}"

    def ask(self, *requests: Request, crash: bool = False) -> list[Answer]:
        answers = self.post(requests, crash=crash)
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Posted):
                self.done.append((request, answer))
                self.named[answer.kind].append(answer)
                assert answer.key == request.key
                assert answer.created_at == self.now
        return answers

    def pick(self, kind: Kind, pick: int) -> Posted:
        # The newest ones are the interesting ones; ask for an old one now and then.
        rows = self.named[kind]
        return rows[-1 - pick % min(len(rows), 6)] if pick % 5 else rows[pick % len(rows)]

    def count(self) -> None:
        type(self).steps += 1

    # --- credits come ---------------------------------------------------------------

    @rule(amount=CREDITS, source=SOURCES, hours=st.none() | HOURS, crash=st.booleans())
    def grant(
        self,
        *,
        amount: int,
        source: Source,
        hours: int | None,
        crash: bool,
    ) -> None:
        self.count()
        before = self.books.spendable(self.now)
        expires_at = None if hours is None else self.now + timedelta(hours=hours)
        request = Grant(
            key=self.key(),
            credits=amount,
            source=source,
            expires_at=expires_at,
            priority=amount % 3,
        )
        (answer,) = self.ask(request, crash=crash)
        assert isinstance(answer, Posted)
        assert self.books.spendable(self.now) == before + amount

    @rule(amount=CREDITS, change=st.integers(-30, 30))
    def roll_over(self, *, amount: int, change: int) -> None:
        """A month ends and the next begins; within it the plan changes."""
        self.count()
        self.now += PERIOD
        self.period += 1
        key = f"allowance:{self.period}"
        allowance = Grant(
            key=key,
            credits=amount,
            source=Source.PLAN_ALLOWANCE,
            expires_at=self.now + PERIOD,
        )
        (first,) = self.ask(allowance)
        assert isinstance(first, Posted)
        (again,) = self.post([allowance], crash=False)
        assert again == first, "two allowances for one period"
        if change > 0:
            more = Grant(
                key=f"{key}:change",
                credits=change,
                source=Source.PLAN_ALLOWANCE,
                expires_at=self.now + PERIOD,
            )
            assert isinstance(self.ask(more)[0], Posted)
        elif change < 0:
            less = Revoke(key=f"{key}:change", grant_key=key, credits=-change)
            (taken,) = self.ask(less)
            assert isinstance(taken, Posted)
            assert taken.credits == min(-change, amount)

    @rule(amount=st.integers(-70, 40), crash=st.booleans())
    def adjust(self, *, amount: int, crash: bool) -> None:
        self.count()
        before = self.books.spendable(self.now)
        request = Adjust(key=self.key(), credits=amount, description="by hand")
        (answer,) = self.ask(request, crash=crash)
        if amount == 0:
            assert isinstance(answer, errors.InvalidCredits)
        elif -amount > before:
            assert isinstance(answer, errors.AdjustmentExceedsBalance)
        else:
            assert isinstance(answer, Posted)
            assert self.books.spendable(self.now) == before + amount

    # --- credits go -----------------------------------------------------------------

    @rule(
        size=PICK,
        hours=HOURS,
        unlimited=st.integers(0, 7).map(lambda number: number == 0),
        crash=st.booleans(),
    )
    def hold(
        self,
        *,
        size: int,
        hours: int,
        unlimited: bool,
        crash: bool,
    ) -> None:
        self.count()
        before = self.books.spendable(self.now)
        # Up to a little more than there is: the edge is where mistakes are.
        amount = size % (before + 3) if size % 3 else size % 20
        request = Hold(
            key=self.key(),
            credits=amount,
            expires_at=self.now + timedelta(hours=hours),
            unlimited=unlimited,
        )
        (answer,) = self.ask(request, crash=crash)
        if amount <= before or unlimited:
            assert isinstance(answer, Posted)
            taken = 0 if unlimited else amount
            assert self.books.spendable(self.now) == before - taken
        else:
            assert isinstance(answer, errors.InsufficientCredits)
            assert answer.available_credits == before

    @precondition(lambda self: self.named[Kind.HOLD])
    @rule(pick=PICK, size=PICK, crash=st.booleans())
    def settle(self, *, pick: int, size: int, crash: bool) -> None:
        self.count()
        held = self.pick(Kind.HOLD, pick)
        amount = size % (held.credits + 2)
        before = self.books.balances[Account.REVENUE]
        request = Settle(key=self.key(), hold_key=held.key, credits=amount)
        (answer,) = self.ask(request, crash=crash)
        if self.refused(answer, held):
            return
        if amount > held.credits:
            assert isinstance(answer, errors.SettleExceedsHold)
        else:
            assert isinstance(answer, Posted)
            assert self.books.balances[Account.REVENUE] == before + amount
            assert answer.credits_amount == (0 if held.unlimited else -amount)

    @precondition(lambda self: self.named[Kind.HOLD])
    @rule(pick=PICK, expired=st.booleans(), crash=st.booleans())
    def release(self, *, pick: int, expired: bool, crash: bool) -> None:
        self.count()
        held = self.pick(Kind.HOLD, pick)
        request = Release(key=self.key(), hold_key=held.key, expired=expired)
        (answer,) = self.ask(request, crash=crash)
        if self.refused(answer, held):
            return
        assert held.expires_at is not None
        if expired and held.expires_at > self.now:
            assert isinstance(answer, errors.HoldNotExpired)
        else:
            assert isinstance(answer, Posted)
            assert answer.credits_amount == 0

    @precondition(lambda self: self.named[Kind.HOLD])
    @rule(pick=PICK, first=st.integers(0, 2), second=st.integers(0, 2))
    def race(self, *, pick: int, first: int, second: int) -> None:
        """Two who end one hold at once: whoever is second is told what the first did."""
        self.count()
        held = self.pick(Kind.HOLD, pick)
        was_open = held.sequence not in self.books.resolved

        def ending(which: int) -> Request:
            if which == 0:
                return Settle(key=self.key(), hold_key=held.key, credits=held.credits)
            return Release(key=self.key(), hold_key=held.key, expired=which == 1)

        # What comes back from a hold to a lot that is over must not be held again.
        third = Hold(key=self.key(), credits=20, expires_at=self.now + timedelta(hours=1))
        *answers, _ = self.ask(ending(first), ending(second), third)
        ended = sum(isinstance(answer, Posted) for answer in answers)
        assert held.expires_at is not None
        allowed = {0, 2} | ({1} if held.expires_at <= self.now else set())
        assert ended == int(was_open and bool({first, second} & allowed))

    def refused(self, answer: Answer, held: Posted) -> bool:
        """Whether the hold was over, and then whether the answer says so."""
        resolution = self.books.resolved.get(held.sequence)
        if resolution is None or resolution == answer:
            return False
        assert isinstance(answer, errors.HoldResolved)
        assert answer.resolution == WORDS[resolution.kind]
        return True

    @rule(sizes=st.lists(st.tuples(PICK, PICK), min_size=1, max_size=4))
    def work(self, *, sizes: list[tuple[int, int]]) -> None:
        """Analyses that begin, wait for each other, and are charged a part."""
        self.count()
        held = []
        for size, _ in sizes:
            amount = size % (self.books.spendable(self.now) + 1)
            request = Hold(key=self.key(), credits=amount, expires_at=self.now + PERIOD)
            (answer,) = self.ask(request)
            assert isinstance(answer, Posted)
            held.append(answer)
        charges = [
            Settle(key=self.key(), hold_key=one.key, credits=part % (one.credits + 1))
            for one, (_, part) in zip(held, sizes, strict=True)
        ]
        note = Note(key=self.key(), event_type=EventType.PAYMENT_FAILED)
        answers = self.ask(*charges, note)
        assert all(isinstance(answer, Posted) for answer in answers)

    # --- credits come back ------------------------------------------------------------

    @precondition(lambda self: self.named[Kind.SETTLE])
    @rule(pick=PICK, amount=PART, crash=st.booleans())
    def refund(self, *, pick: int, amount: int | None, crash: bool) -> None:
        self.count()
        charge = self.pick(Kind.SETTLE, pick)
        rest = charge.credits - self.books.refunded[charge.sequence]
        given = rest if amount is None else amount
        before = self.books.spendable(self.now)
        request = Refund(key=self.key(), charge_key=charge.key, credits=amount)
        (answer,) = self.ask(request, crash=crash)
        if not 0 < given <= rest:
            assert isinstance(answer, errors.RefundExceedsCharge)
        else:
            assert isinstance(answer, Posted)
            owned = 0 if charge.unlimited else given
            assert self.books.spendable(self.now) == before + owned

    @precondition(lambda self: self.named[Kind.GRANT])
    @rule(pick=PICK, amount=PART, crash=st.booleans())
    def revoke(self, *, pick: int, amount: int | None, crash: bool) -> None:
        self.count()
        granted = self.pick(Kind.GRANT, pick)
        left = self.books.lots[granted.id][Account.AVAILABLE]
        if self.books.lapsed(granted.id, self.now):
            left = 0
        request = Revoke(key=self.key(), grant_key=granted.key, credits=amount)
        (answer,) = self.ask(request, crash=crash)
        assert isinstance(answer, Posted)
        assert answer.credits == (left if amount is None else min(left, amount))

    # --- time, crashes, repetition -------------------------------------------------------

    @rule(minutes=st.integers(1, 60 * 40), sweep=st.booleans())
    def wait(self, *, minutes: int, sweep: bool) -> None:
        """Time passes; the next request may find what a sweep would have swept."""
        self.count()
        self.now += timedelta(minutes=minutes)
        if sweep:
            assert self.post([], crash=False) == []
            assert self.books.balances[Account.AVAILABLE] == self.books.spendable(self.now)

    @precondition(lambda self: self.done)
    @rule(picks=st.lists(PICK, min_size=1, max_size=5))
    def again(self, *, picks: list[int]) -> None:
        """Crash and retry: what was done is asked again, in another batch, later."""
        self.count()
        chosen = [self.done[pick % len(self.done)] for pick in picks]
        self.post([], crash=False)
        before = len(self.books.rows)
        answers = self.post([request for request, _ in chosen], crash=False)
        assert answers == [posted for _, posted in chosen]
        assert len(self.books.rows) == before

    @precondition(lambda self: self.done)
    @rule(pick=PICK)
    def reuse(self, *, pick: int) -> None:
        """The key of one fact is refused for another one."""
        self.count()
        _, posted = self.done[pick % len(self.done)]
        other = Grant(key=posted.key, credits=61, source=Source.PROMOTION)
        self.post([], crash=False)
        before = len(self.books.rows)
        (answer,) = self.post([other], crash=False)
        assert isinstance(answer, errors.IdempotencyKeyReused)
        assert len(self.books.rows) == before

    @invariant()
    def kept_is_what_the_books_say(self) -> None:
        self.compare()
