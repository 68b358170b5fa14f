"""Decisions about periods, shares and states; no database."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.billing.catalog import service as catalog
from vexxy.billing.subscriptions.errors import NotPossible
from vexxy.billing.subscriptions.rules import periods, plans, proration, states
from vexxy.billing.subscriptions.types import Part, Status
from vexxy.billing.types import Interval

DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2090, 1, 1)).map(
    lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "ends"),
    [
        ("2027-12-28", ["2028-01-28", "2028-02-28", "2028-03-28"]),
        ("2027-12-29", ["2028-01-29", "2028-02-29", "2028-03-29"]),
        ("2026-12-29", ["2027-01-29", "2027-02-28", "2027-03-29"]),
        ("2027-12-30", ["2028-01-30", "2028-02-29", "2028-03-30"]),
        ("2027-12-31", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
        ("2026-12-31", ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]),
    ],
)
def test_periods_end_on_the_anchors_day_or_the_months_last(
    anchor: str, ends: list[str]
) -> None:
    found = [periods.boundary(at(anchor), n + 1) for n in range(len(ends))]
    assert found == [at(end) for end in ends]


def test_a_year_from_a_leap_day_ends_on_the_last_of_february() -> None:
    start = at("2028-02-29")
    assert periods.end_after(start, start, Interval.YEAR) == at("2029-02-28")
    assert periods.boundary(start, 48) == at("2032-02-29")


@given(anchor=DAYS, months=st.integers(0, 600))
def test_boundaries_rise_and_are_found_again(anchor: datetime, months: int) -> None:
    start, end = (periods.boundary(anchor, months + n) for n in (0, 1))
    assert 28 <= (end - start).days <= 31
    assert periods.months_passed(anchor, start) == months
    assert periods.months_passed(anchor, end - timedelta(seconds=1)) == months
    assert periods.end_after(anchor, start, Interval.MONTH) == end


@given(anchor=DAYS, months=st.integers(1, 60), passed=st.integers(0, 40 * 24))
def test_missed_counts_the_ends_that_are_over(
    anchor: datetime, months: int, passed: int
) -> None:
    end = periods.boundary(anchor, months)
    now = end + timedelta(hours=passed) - timedelta(days=20)
    over = [n for n in range(months, months + 50) if periods.boundary(anchor, n) <= now]
    assert periods.missed(anchor, end=end, now=now) == len(over)


def parts_from(start: date, *limits: tuple[int, int | None]) -> list[Part]:
    return [
        Part(start + timedelta(days=offset), "any", 1, limit, limit, 3, 7)
        for offset, limit in limits
    ]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ([(0, 100)], 100),
        ([(0, 100), (15, 1000)], 550),
        ([(0, 10), (29, 100)], 13),
        ([(0, 100), (15, None)], None),
        # The part that had no limit counts with what was used in it.
        ([(0, None), (15, 100)], 57),
        ([(0, 100), (0, 1000)], 1000),
        ([(0, 0), (10, 100)], 67),
    ],
)
def test_a_period_allows_its_parts_shares_of_days(
    limits: list[tuple[int, int | None]], expected: int | None
) -> None:
    end = at("2027-04-01") + timedelta(days=30)
    found = proration.credit_limit(parts_from(date(2027, 4, 1), *limits), end=end)
    assert found == expected


def test_what_had_no_limit_gives_no_allowance() -> None:
    parts = parts_from(date(2027, 4, 1), (0, None), (15, 100))
    assert proration.allowance(parts, end=at("2027-05-01")) == 50


@given(
    limits=st.lists(st.integers(0, 10**7), min_size=1, max_size=8),
    days=st.lists(st.integers(0, 30), min_size=7, max_size=7),
)
def test_shares_sum_to_the_allowance_and_never_exceed_the_best_part(
    limits: list[int], days: list[int]
) -> None:
    offsets = [0, *sorted(days)][: len(limits)]
    end = at("2027-02-01")
    parts = parts_from(date(2027, 1, 1), *zip(offsets, limits, strict=True))
    total = proration.allowance(parts, end=end)
    assert sum(proration.allowance_shares(parts, end=end)) == total
    assert min(limits) <= total <= max(limits)


@given(
    price=st.integers(0, 10**8),
    changes=st.lists(st.integers(0, 365), min_size=1, max_size=6),
)
def test_what_comes_back_is_what_was_asked_for_the_same_days(
    price: int, changes: list[int]
) -> None:
    """Up and down again on one day costs nothing, to the cent."""
    billing = (at("2027-01-31"), at("2028-01-31"))
    fee = price
    for day in sorted(changes):
        day_at = billing[0] + timedelta(days=day)
        back = proration.line("", price, at=day_at, billing=billing, sign=-1)
        again = proration.line("", price, at=day_at, billing=billing)
        assert back.amount_cents == -again.amount_cents
        assert 0 <= fee + back.amount_cents <= price
        fee += back.amount_cents + again.amount_cents
    assert fee == price


@pytest.mark.parametrize(
    ("price", "days", "cents"),
    [(1, 15, 1), (3, 15, 2), (4900, 10, 1633), (4900, 20, 3267), (4900, 30, 4900)],
)
def test_half_a_cent_is_rounded_up(price: int, days: int, cents: int) -> None:
    billing = (at("2027-04-01"), at("2027-05-01"))
    start = billing[1] - timedelta(days=days)
    assert proration.line("", price, at=start, billing=billing).amount_cents == cents


def test_states_that_are_final_lead_nowhere() -> None:
    for status in states.ENDED:
        assert states.ALLOWED[status] == frozenset()
        for other in Status:
            with pytest.raises(NotPossible):
                states.check_transition(status, other)


def test_every_state_that_lives_can_be_ended() -> None:
    for status in set(Status) - states.ENDED:
        assert Status.CANCELED in states.ALLOWED[status]


@pytest.mark.parametrize("name", ["vexxy", "agents"])
def test_every_step_up_costs_and_no_step_down_does(name: str) -> None:
    offered = list(catalog.load(name).plans.values())
    for cheaper, better in pairwise(offered):
        up = ((cheaper, Interval.MONTH), (better, Interval.MONTH))
        assert plans.is_dearer(*up)
        assert not plans.is_dearer(up[1], up[0])
    for plan in offered[1:]:
        month, year = ((plan, interval) for interval in Interval)
        assert plans.is_dearer(month, year)
        assert not plans.is_dearer(year, month)
