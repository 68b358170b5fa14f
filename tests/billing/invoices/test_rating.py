"""What use beyond a plan costs: the algebra of it."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.billing import pricing
from vexxy.billing.invoices import rules
from vexxy.billing.invoices.types import LineKind, Rated
from vexxy.billing.types import Aggregation

NOBODY = UUID(int=0)
quantities = st.decimals(0, 10**12, places=4)
prices = st.decimals(0, 10**3, places=12)
cents = st.decimals(-(10**15), 10**15, places=6)


def a_span(included: Decimal, unit_price: Decimal) -> Rated:
    return Rated(
        organization_id=NOBODY,
        subscription_id=NOBODY,
        metric="api_calls",
        start_day=date(2026, 1, 31),
        end_day=date(2026, 2, 28),
        aggregation=Aggregation.SUM,
        included=included,
        unit_price=unit_price,
        currency="usd",
    )


def billed(span: Rated, told: Sequence[Decimal], *, credit_max_cents: int = 10**30) -> int:
    """Return what all invoices ask, told the number once for each of them."""
    total = 0
    for used in told:
        span, line = rules.rate(
            span, used, kind=LineKind.LATE_USAGE, credit_max_cents=credit_max_cents
        )
        total += line.amount_cents if line is not None else 0
    return total


@pytest.mark.parametrize(
    ("exact", "whole"),
    [
        ("0.5", 1),
        ("-0.5", -1),
        ("1.5", 2),
        ("2.5", 3),
        ("0.49999", 0),
        ("-2.4", -2),
        ("0", 0),
    ],
)
def test_a_half_cent_is_rounded_away_from_zero(exact: str, whole: int) -> None:
    assert pricing.rounded(Decimal(exact)) == whole


@given(cents)
def test_rounding_is_symmetric_and_never_off_by_more_than_half(exact: Decimal) -> None:
    assert pricing.rounded(-exact) == -pricing.rounded(exact)
    assert abs(Fraction(exact) - pricing.rounded(exact)) <= Fraction(1, 2)


@given(cents, cents)
def test_rounding_keeps_the_order(one: Decimal, other: Decimal) -> None:
    low, high = sorted([one, other])
    assert pricing.rounded(low) <= pricing.rounded(high)


@given(st.lists(st.decimals(0, 10**9, places=8), min_size=1, max_size=12))
def test_what_is_divided_sums_to_the_total(parts: list[Decimal]) -> None:
    total = pricing.rounded(sum(parts, Decimal(0)))
    found = pricing.allocated(total, parts)
    assert sum(found) == total
    for part, whole in zip(parts, found, strict=True):
        assert abs(part - whole) < 1 or part == whole


def test_what_is_left_goes_to_the_largest_fraction() -> None:
    thirds = [Decimal("33.3"), Decimal("33.4"), Decimal("33.3")]
    assert pricing.allocated(100, thirds) == [33, 34, 33]
    assert pricing.allocated(1, [Decimal("0.5"), Decimal("0.5")]) == [1, 0]


def test_a_total_that_rounding_cannot_explain_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be divided"):
        pricing.allocated(103, [Decimal("33.3")] * 3)


@given(quantities, quantities, prices)
def test_rating_is_exact_until_its_one_rounding(
    used: Decimal, included: Decimal, price: Decimal
) -> None:
    owed = rules.overage_cents(used, included=included, unit_price=price)
    exact = max(Fraction(0), Fraction(used) - Fraction(included)) * Fraction(price) * 100
    assert owed >= 0
    assert abs(exact - owed) <= Fraction(1, 2)
    if used <= included:
        assert owed == 0


@given(quantities, quantities, quantities, prices)
def test_more_use_never_costs_less(
    one: Decimal, other: Decimal, included: Decimal, price: Decimal
) -> None:
    low, high = sorted([one, other])
    assert rules.overage_cents(
        low, included=included, unit_price=price
    ) <= rules.overage_cents(high, included=included, unit_price=price)


@given(st.lists(quantities, min_size=1, max_size=10), quantities, prices)
def test_use_told_in_parts_costs_what_it_costs_at_once(
    parts: list[Decimal], included: Decimal, price: Decimal
) -> None:
    """However the days are split over the invoices that bill them."""
    span = a_span(included, price)
    told = [sum(parts[: n + 1], Decimal(0)) for n in range(len(parts))]
    assert billed(span, told) == billed(span, told[-1:])


@given(st.lists(quantities, min_size=1, max_size=10), quantities, prices)
def test_corrections_end_at_what_is_right(
    told: list[Decimal], included: Decimal, price: Decimal
) -> None:
    """Up and down in any order: all invoices together ask for the last number."""
    right = rules.overage_cents(told[-1], included=included, unit_price=price)
    most = rules.LINE_CENTS_MAX
    assert billed(a_span(included, price), told) == min(right, most)


@given(quantities, quantities, prices, st.integers(0, 10**6))
def test_an_invoice_gives_back_at_most_what_it_asks_and_the_rest_later(
    before: Decimal, included: Decimal, price: Decimal, room: int
) -> None:
    span, _ = rules.rate(a_span(included, price), before, kind=LineKind.USAGE)
    owed = span.billed_cents
    after, line = rules.rate(
        span, Decimal(0), kind=LineKind.LATE_USAGE, credit_max_cents=room
    )
    given_back = -line.amount_cents if line is not None else 0
    assert given_back == min(owed, room)
    rest, _ = rules.rate(
        after, Decimal(0), kind=LineKind.LATE_USAGE, credit_max_cents=10**30
    )
    assert rest.billed_cents == 0


def test_the_contract_s_prices_are_exact() -> None:
    """1,000,000 tokens included; 1,000,500 more of them at $0.00001 are $10.005."""
    owed = rules.overage_cents(
        Decimal(2_000_500), included=Decimal(1_000_000), unit_price=Decimal("0.00001")
    )
    assert owed == 1001
    seats = rules.overage_cents(Decimal(26), included=Decimal(25), unit_price=Decimal(5))
    assert seats == 500


def test_the_largest_amounts_stay_exact() -> None:
    used = Decimal("999999999999999.9999")
    price = Decimal("999999.999999999999")
    owed = rules.overage_cents(used, included=Decimal(0), unit_price=price)
    assert abs(Fraction(used) * Fraction(price) * 100 - owed) <= Fraction(1, 2)
