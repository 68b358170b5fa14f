"""What becomes of single requests, where a case says more than the state machine."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.billing.ledger.accountant import canonical
from tests.billing.ledger.values import (
    DAY,
    HOUR,
    NOW,
    a_grant,
    a_hold,
    a_settle,
    an_empty_state,
)
from vexxy.billing.ledger import errors
from vexxy.billing.ledger.rules import chain, engine
from vexxy.billing.ledger.types import (
    CREDITS_MAX,
    Account,
    Adjust,
    EventType,
    Kind,
    Note,
    Posted,
    Refund,
    Release,
    Request,
    Revoke,
    Source,
    State,
)
from vexxy.kit import ids
from vexxy.kit.errors import InvalidInput, VexxyError


class Desk:
    """Asks the engine, one request after the other, and remembers."""

    def __init__(self) -> None:
        self.state: State = an_empty_state()
        self.rows: list[Posted] = []

    def ask(self, *requests: Request, now: datetime = NOW) -> Posted | VexxyError:
        decided = engine.decide(self.state, requests, now=now, new_id=ids.new_id)
        self.state = decided.state
        self.rows += decided.rows
        return decided.answers[-1]

    @property
    def available(self) -> int:
        return self.state.balances[Account.AVAILABLE]

    def moved(self, row: Posted | VexxyError) -> Sequence[tuple[str, int]]:
        assert isinstance(row, Posted), row
        return [(entry.account.value, entry.credits) for entry in row.entries]


def test_what_expires_first_is_spent_first_then_priority_then_age() -> None:
    desk = Desk()
    never, later = a_grant(10), a_grant(10, expires_at=NOW + 2 * DAY, priority=1)
    soon_b = a_grant(10, expires_at=NOW + DAY, priority=2)
    soon_a, soon_a2 = (a_grant(10, expires_at=NOW + DAY, priority=1) for _ in range(2))
    order = [never, later, soon_b, soon_a, soon_a2]
    opened = {}
    for grant in order:
        row = desk.ask(grant)
        assert isinstance(row, Posted)
        opened[row.id] = grant
    row = desk.ask(a_hold(45))
    assert isinstance(row, Posted)
    held = [entry for entry in row.entries if entry.account is Account.HELD]
    spent = [opened[entry.lot_id] for entry in held if entry.lot_id is not None]
    assert spent == [soon_a, soon_a2, soon_b, later, never]
    assert held[-1].credits == 5


def test_a_refund_into_a_lot_that_is_over_has_the_time_that_was_left() -> None:
    desk = Desk()
    hold = a_hold(30, expires_at=NOW + 9 * DAY)
    desk.ask(a_grant(10, expires_at=NOW + DAY), a_grant(10, expires_at=NOW + 3 * DAY))
    desk.ask(a_grant(10), hold)
    desk.ask(a_settle(hold, 30), now=NOW + HOUR)
    now = NOW + 5 * DAY
    row = desk.ask(Refund(key="r", charge_key=f"{hold.key}-settle", credits=25), now=now)
    assert isinstance(row, Posted)
    # The lot that never ends gets its 10 back; of the others the longer life counts.
    assert desk.moved(row) == [("revenue", -25), ("available", 10), ("available", 15)]
    assert (row.source, row.expires_at) == (Source.REFUND, now + 3 * DAY)
    assert desk.available == 25


def test_a_refund_in_parts_never_gives_back_more_than_was_charged() -> None:
    desk = Desk()
    hold = a_hold(30)
    key = f"{hold.key}-settle"
    desk.ask(a_grant(100), hold, a_settle(hold, 20))
    assert isinstance(desk.ask(Refund(key="a", charge_key=key, credits=12)), Posted)
    refused = desk.ask(Refund(key="b", charge_key=key, credits=9))
    assert isinstance(refused, errors.RefundExceedsCharge)
    rest = desk.ask(Refund(key="c", charge_key=key))
    assert isinstance(rest, Posted)
    assert rest.credits == 8
    nothing = desk.ask(Refund(key="d", charge_key=key))
    assert isinstance(nothing, errors.RefundExceedsCharge)
    assert desk.available == 100


def test_an_unlimited_plan_is_recorded_and_touches_no_lot() -> None:
    desk = Desk()
    hold = a_hold(30, unlimited=True)
    assert desk.moved(desk.ask(hold)) == []
    charge = desk.ask(a_settle(hold, 20))
    assert desk.moved(charge) == [("unlimited", -20), ("revenue", 20)]
    assert isinstance(charge, Posted)
    assert (charge.credits_amount, charge.event_type) == (0, EventType.ANALYSIS_COMPLETED)
    back = desk.ask(Refund(key="r", charge_key=charge.key, credits=5))
    assert desk.moved(back) == [("revenue", -5), ("unlimited", 5)]


def test_a_hold_outlives_its_lot_and_is_charged_all_the_same() -> None:
    desk = Desk()
    hold = a_hold(10, expires_at=NOW + 9 * DAY)
    desk.ask(a_grant(10, expires_at=NOW + DAY), hold)
    charge = desk.ask(a_settle(hold, 4), now=NOW + 2 * DAY)
    assert isinstance(charge, Posted)
    assert [row.kind for row in desk.rows][2:] == [Kind.SETTLE, Kind.EXPIRE_LOT]
    assert desk.available == 0


def test_a_revocation_takes_what_is_left_and_says_how_much() -> None:
    desk = Desk()
    allowance = a_grant(50, source=Source.PLAN_ALLOWANCE)
    desk.ask(allowance, a_hold(30))
    taken = desk.ask(Revoke(key="v", grant_key=allowance.key, credits=40))
    assert isinstance(taken, Posted)
    assert (taken.credits, taken.asked_credits, taken.credits_amount) == (20, 40, -20)
    assert desk.moved(taken) == [("available", -20), ("grants_plan", 20)]
    assert desk.ask(Revoke(key="v", grant_key=allowance.key, credits=40)) == taken
    other = desk.ask(Revoke(key="v", grant_key=allowance.key, credits=41))
    assert isinstance(other, errors.IdempotencyKeyReused)


def test_a_grant_for_a_time_that_is_over_is_recorded_and_lost() -> None:
    desk = Desk()
    assert isinstance(desk.ask(a_grant(5, expires_at=NOW)), Posted)
    assert [row.kind for row in desk.rows] == [Kind.GRANT, Kind.EXPIRE_LOT]
    assert desk.available == 0


HELD = a_hold(10, key="held")
LATER = NOW + HOUR + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (a_grant(0), errors.InvalidCredits),
        (a_grant(-5), errors.InvalidCredits),
        (a_grant(CREDITS_MAX + 1), errors.InvalidCredits),
        (a_grant(5, source=Source.REFUND), errors.InvalidCredits),
        (a_grant(5, priority=-1), errors.InvalidCredits),
        (a_grant(5, key=""), errors.InvalidKey),
        (a_grant(5, key="x" * 301), errors.InvalidKey),
        (a_grant(5, key="x\0"), errors.InvalidKey),
        (a_grant(5, description="x" * 2001), InvalidInput),
        (a_hold(-1), errors.InvalidCredits),
        (a_hold(5, expires_at=NOW), errors.InvalidExpiry),
        (a_hold(91), errors.InsufficientCredits),
        (a_settle(HELD, -1), errors.InvalidCredits),
        (a_settle(HELD, 11), errors.SettleExceedsHold),
        (a_settle(a_hold(key="nothing"), 1), errors.TransactionNotFound),
        (a_settle(a_hold(key="granted"), 1), errors.WrongKind),
        (Release(key="r", hold_key="held", expired=True), errors.HoldNotExpired),
        (Refund(key="r", charge_key="held"), errors.WrongKind),
        (Refund(key="r", charge_key="settled", credits=0), errors.InvalidCredits),
        (Revoke(key="r", grant_key="held"), errors.WrongKind),
        (Adjust(key="a", credits=0, description="x"), errors.InvalidCredits),
        (Adjust(key="a", credits=-91, description="x"), errors.AdjustmentExceedsBalance),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_no_trace(
    request_: Request, error: type[VexxyError]
) -> None:
    desk = Desk()
    desk.ask(a_grant(100, key="granted"), HELD)
    before, rows = desk.state, list(desk.rows)
    answer = desk.ask(request_)
    assert type(answer) is error
    assert (desk.state, desk.rows) == (before, rows)


def test_a_hold_asked_again_after_the_plan_changed_is_the_first_one() -> None:
    """Whether it takes credits is the plan's word; who asks never says it."""
    desk = Desk()
    desk.ask(a_grant(10))
    first = desk.ask(a_hold(5, key="k"))
    assert isinstance(first, Posted)
    assert desk.ask(a_hold(5, key="k", unlimited=True)) == first


FIRST: list[tuple[Request, Request]] = [
    (a_grant(5, key="k"), a_grant(6, key="k")),
    (a_grant(5, key="k"), a_grant(5, key="k", source=Source.PROMOTION)),
    (a_grant(5, key="k"), a_grant(5, key="k", expires_at=NOW + DAY)),
    (a_grant(5, key="k"), a_hold(5, key="k")),
    (a_hold(5, key="k"), a_hold(6, key="k")),
    (a_hold(5, key="k"), a_hold(5, key="k", analysis_job_id=ids.new_id())),
    (
        Adjust(key="k", credits=5, description="x"),
        Adjust(key="k", credits=-5, description="x"),
    ),
    (
        Release(key="k", hold_key="held"),
        Release(key="k", hold_key="held", expired=True),
    ),
    (Release(key="k", hold_key="held"), Release(key="k", hold_key="other")),
    (
        Note(key="k", event_type=EventType.PAYMENT_FAILED),
        Note(key="k", event_type=EventType.PAYMENT_SUCCEEDED),
    ),
]


@pytest.mark.parametrize(("first", "other"), FIRST)
def test_a_key_names_one_fact(first: Request, other: Request) -> None:
    desk = Desk()
    desk.ask(a_grant(100, key="granted"), HELD, a_hold(3, key="other"))
    done = desk.ask(first)
    assert isinstance(done, Posted)
    assert desk.ask(first) == done
    assert isinstance(desk.ask(other), errors.IdempotencyKeyReused)
    assert desk.rows[-1] == done


def test_a_retry_of_a_hold_with_another_end_is_the_same_hold() -> None:
    """Who tries again computes the end anew."""
    desk = Desk()
    first = desk.ask(a_grant(100), a_hold(5, key="k"))
    assert desk.ask(a_hold(5, key="k", expires_at=NOW + DAY)) == first


@pytest.mark.parametrize(
    ("ending", "word"),
    [
        (a_settle(HELD, 3), "settled"),
        (Release(key="v", hold_key="held"), "voided"),
        (Release(key="e", hold_key="held", expired=True), "expired"),
    ],
)
def test_who_comes_too_late_is_told_how_the_hold_ended(ending: Request, word: str) -> None:
    desk = Desk()
    desk.ask(a_grant(100), HELD)
    assert isinstance(desk.ask(ending, now=LATER), Posted)
    late = desk.ask(Release(key="late", hold_key="held"), now=LATER)
    assert isinstance(late, errors.HoldResolved)
    assert late.resolution == word


@given(
    st.text().filter(lambda text: "\0" not in text),
    st.datetimes(timezones=st.just(NOW.tzinfo)),
)
def test_the_hash_is_of_the_form_that_is_documented(text: str, now: datetime) -> None:
    """Any language can check it: this one with nothing but JSON and SHA-256."""
    desk = Desk()
    given_text = text.encode("utf-8", "ignore").decode()[:2000]
    row = desk.ask(a_grant(5, description=given_text, stripe_event_id=given_text), now=now)
    assert isinstance(row, Posted)
    assert row.chain == hashlib.sha256(bytes(32) + canonical(row)).digest()
    assert chain.holds(bytes(32), row)
    assert not chain.holds(b"\1" * 32, row)
