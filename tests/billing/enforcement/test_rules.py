"""Verdicts about acts that use something, as functions of values."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.billing.catalog import service as catalog
from vexxy.billing.enforcement import rules
from vexxy.billing.enforcement.types import (
    Grace,
    Outcome,
    Policy,
    Quota,
    Reason,
    Verdict,
    Window,
)
from vexxy.billing.types import Aggregation, Cap, MetricTerms

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
DAY = timedelta(hours=24)
WINDOW = Window(datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 12, 3, tzinfo=UTC))
POLICY = Policy((80, 100, 120), 24 * 3600)
AGENTS = catalog.load("agents")
PRICE = Decimal("0.10")

amounts = st.decimals(0, 10**9, places=4)


def terms(
    limit: int | str | None,
    *,
    cap: Cap = Cap.SOFT,
    price: Decimal | None = None,
    aggregation: Aggregation = Aggregation.SUM,
) -> Quota:
    included = None if limit is None else Decimal(limit)
    return Quota("api_calls", aggregation, included, cap, price)


def judged(
    quota: Quota, *, used: int | str, more: int | str, grace: Grace | None = None
) -> Verdict:
    before = Decimal(used)
    return rules.verdict(
        quota,
        used=before,
        reached=before + Decimal(more),
        grace=grace,
        policy=POLICY,
        now=NOW,
    )


def test_within_the_quota_an_act_passes_and_the_last_of_it_does() -> None:
    assert judged(terms(100), used=10, more=1).outcome is Outcome.PASSED
    assert judged(terms(100), used=99, more=1).outcome is Outcome.WARNED
    assert judged(terms(100, cap=Cap.HARD), used=99, more=1).reason is None


def test_a_hard_cap_refuses_what_would_pass_it_whole() -> None:
    refused = judged(terms(100, cap=Cap.HARD), used=98, more=3)

    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, Reason.HARD_CAP)
    assert (refused.used, refused.after) == (98, 101)


def test_a_hard_cap_with_a_price_is_still_hard() -> None:
    sold = terms(100, cap=Cap.HARD, price=PRICE)
    assert judged(sold, used=100, more=1).reason is Reason.HARD_CAP


def test_beyond_a_soft_cap_with_a_price_is_overage_without_end() -> None:
    sold = terms(100, price=PRICE)
    over = Grace(NOW - 9 * DAY, NOW - 8 * DAY)

    assert judged(sold, used=100, more=5).overage == 5
    assert judged(sold, used=100, more=5).outcome is Outcome.OVERAGE
    assert judged(sold, used=100, more=5, grace=over).outcome is Outcome.OVERAGE
    assert judged(sold, used=98, more=5).overage == 3


def test_beyond_a_soft_cap_without_a_price_is_grace_that_begins_once_and_ends() -> None:
    """Fault: a look-up that only returned what still ran began another one at its end."""
    begun = judged(terms(100), used=100, more=1)
    assert begun.outcome is Outcome.GRACE
    assert begun.grace == Grace(NOW, NOW + DAY)

    on_its_way = Grace(
        NOW - DAY + timedelta(microseconds=1), NOW + timedelta(microseconds=1)
    )
    assert judged(terms(100), used=100, more=1, grace=on_its_way).grace == on_its_way

    ended = Grace(NOW - DAY, NOW)
    refused = judged(terms(100), used=100, more=1, grace=ended)
    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, Reason.GRACE_EXPIRED)
    assert refused.grace == ended
    assert judged(terms(100), used=99, more=1, grace=ended).outcome is Outcome.WARNED


@pytest.mark.parametrize("cap", Cap)
@given(used=amounts, more=amounts)
def test_without_limit_nothing_is_ever_over(cap: Cap, used: Decimal, more: Decimal) -> None:
    """Fault: seats of -1, for any number, were over from the first one on."""
    found = judged(terms(None, cap=cap), used=str(used), more=str(more))

    assert (found.outcome, found.overage, found.crossed) == (Outcome.PASSED, 0, ())
    assert rules.headers(found, WINDOW) == ()


def test_caps_are_the_metrics_own_whatever_the_tier() -> None:
    """Fault: every cap of the free tier was hard."""
    free = {
        name: rules.quota(one).cap for name, one in AGENTS.plans["free"].metrics.items()
    }
    assert free == {
        "llm_tokens": Cap.SOFT,
        "agent_executions": Cap.SOFT,
        "api_calls": Cap.SOFT,
        "storage_gb": Cap.HARD,
        "user_seats": Cap.HARD,
    }
    seats = rules.quota(AGENTS.plans["enterprise"].metrics["user_seats"])
    assert judged(seats, used=10**6, more=1).outcome is Outcome.PASSED


def test_an_act_that_adds_nothing_is_never_refused() -> None:
    full = terms(3, cap=Cap.HARD)
    assert judged(full, used=5, more=0).outcome is Outcome.WARNED
    ended = Grace(NOW - 2 * DAY, NOW - DAY)
    assert judged(terms(3), used=5, more=0, grace=ended).outcome is Outcome.WARNED


def test_an_override_changes_how_much_and_not_what_happens_beyond() -> None:
    seats = MetricTerms("user_seats", Aggregation.MAX, Decimal(3), Cap.HARD)
    more = rules.quota(seats, override=Decimal(5), overridden=True)
    any_number = rules.quota(seats, override=None, overridden=True)

    assert judged(more, used=3, more=1).outcome is Outcome.WARNED
    assert judged(more, used=5, more=1).reason is Reason.HARD_CAP
    assert judged(any_number, used=500, more=1).outcome is Outcome.PASSED


@given(used=amounts, more=amounts, limit=amounts)
def test_what_a_hard_cap_lets_pass_never_exceeds_it(
    used: Decimal, more: Decimal, limit: Decimal
) -> None:
    found = judged(terms(str(limit), cap=Cap.HARD), used=str(used), more=str(more))
    if more and found.outcome is not Outcome.REFUSED:
        assert found.after <= limit


@given(used=amounts, limit=amounts)
def test_percentages_are_reached_exactly_at_their_share(
    used: Decimal, limit: Decimal
) -> None:
    reached = rules.percents(used, limit, (120, 80, 100, 80))
    assert reached == tuple(
        one for one in (80, 100, 120) if used > 0 and used >= limit * one / 100
    )


def test_a_limit_of_nothing_is_reached_by_anything_and_by_nothing_less() -> None:
    assert rules.percents(Decimal(0), Decimal(0), (80, 100)) == ()
    assert rules.percents(Decimal(1), Decimal(0), (80, 100)) == (80, 100)
    assert judged(terms(0, cap=Cap.HARD), used=0, more=1).reason is Reason.HARD_CAP


def test_levels_are_reached_and_sums_grow() -> None:
    one, five = Decimal(1), Decimal(5)
    assert rules.after(Aggregation.SUM, five, one) == 6
    assert rules.after(Aggregation.UNIQUE, five, one) == 6
    assert rules.after(Aggregation.MAX, five, one) == 1
    assert rules.after(Aggregation.LAST, five, one) == 1


def said(verdict: Verdict) -> dict[str, str]:
    return dict(rules.headers(verdict, WINDOW))


def test_headers_within_the_quota() -> None:
    assert said(judged(terms(1000), used=100, more=1)) == {
        "X-Quota-Metric": "api_calls",
        "X-Quota-Limit": "1000",
        "X-Quota-Usage": "101",
        "X-Quota-Remaining": "899",
        "X-Quota-Percentage": "10.1",
        "X-Quota-Reset": "2026-12-03T00:00:00Z",
    }


def test_headers_beyond_it() -> None:
    warned = said(judged(terms(10), used=7, more=1))
    assert warned["X-Quota-Warning"] == "80 % of the quota is reached"
    overage = said(judged(terms(10, price=PRICE), used="10.5", more=2))
    assert overage["X-Quota-Warning"] == "2.5 beyond the quota, billed as overage"
    assert overage["X-Quota-Remaining"] == "0"
    assert overage["X-Quota-Percentage"] == "125"
    grace = said(judged(terms(10), used=10, more=1))
    assert grace["X-Grace-Period-Expires"] == "2026-11-22T09:00:00Z"
    assert "grace" in grace["X-Quota-Warning"]


def test_headers_of_a_refusal_tell_what_is_used_not_what_was_asked() -> None:
    ended = Grace(NOW - 2 * DAY, NOW - DAY)
    refused = said(judged(terms(10), used=12, more=5, grace=ended))
    assert refused["X-Quota-Usage"] == "12"
    assert refused["X-Grace-Period-Expires"] == "2026-11-20T09:00:00Z"
    assert "X-Quota-Warning" not in refused


def test_numbers_are_written_without_exponents() -> None:
    assert rules.plain(Decimal("1E+3")) == "1000"
    assert rules.plain(Decimal("0.50")) == "0.5"
    assert rules.plain(Decimal(100)) == "100"
    assert rules.number(Decimal("2.0")) == 2
    assert rules.number(Decimal("0.25")) == 0.25
    assert rules.percentage(Decimal(1), Decimal(3)) == Decimal("33.33")
