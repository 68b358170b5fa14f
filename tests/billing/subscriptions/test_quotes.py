"""Previews, and accepting them exactly as they were made."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.billing.subscriptions.living import Life, at
from vexxy.billing.subscriptions.errors import (
    NotForSale,
    NotPossible,
    QuoteNotFound,
    QuoteOver,
)
from vexxy.billing.subscriptions.rules import plans as plan_rules
from vexxy.billing.subscriptions.types import When
from vexxy.billing.types import Interval, Plan

Lives = Callable[..., Life]


def test_a_preview_changes_nothing_but_that_it_is_held(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    before = life.give("starter")
    quote = life.to("2027-04-16").preview("professional")
    found = quote.preview
    assert [(line.amount_cents, line.days, line.of_days) for line in found.lines] == [
        (-2450, 15, 30),
        (9950, 15, 30),
    ]
    assert (found.amount_cents, found.next_invoice_cents) == (7500, 4900 + 7500)
    assert (found.next_invoice_at, found.recurring_cents) == (at("2027-05-01", 0), 19900)
    assert (found.credits.period_before, found.credits.period_after) == (1000, 3000)
    assert (found.credits_granted, found.credits_revoked) == (2000, 0)
    assert life.current() == before
    assert life.available() == 1000


def test_what_is_accepted_is_what_was_quoted(a_life: Lives) -> None:
    """Also past midnight: the day of the quote counts, not the day it is accepted."""
    life = a_life("2027-04-01")
    life.give("starter")
    life.now = at("2027-04-15", 23).replace(minute=50)
    quote = life.preview("professional")
    life.later(minutes=14)
    after = life.change(quote.id, paid=True)
    said = quote.preview
    assert after.subscription.billing_fee_cents == said.next_invoice_cents
    assert after.period.credit_limit == said.credits.period_after
    assert after.period.analysis_limit == said.analyses.period_after
    assert f"{after.period.parts[-1].first_day}" == "2027-04-15"
    assert life.available() == 1000 + said.credits_granted
    life.check()
    with pytest.raises(QuoteOver, match="accepted already"):
        life.change(quote.id, paid=True)


def test_a_quote_runs_out_after_fifteen_minutes(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    quote = life.preview("starter")
    assert quote.expires_at == life.now.replace(minute=15)
    life.later(minutes=15)
    with pytest.raises(QuoteOver, match="has run out"):
        life.change(quote.id, paid=True)


@pytest.mark.parametrize("what", ["change", "cancel", "rollover"])
def test_a_quote_whose_ground_changed_is_refused(a_life: Lives, what: str) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.now = at("2027-04-30", 23).replace(minute=55)
    quote = life.preview("professional")
    if what == "change":
        life.give("enterprise")
    elif what == "cancel":
        life.act("cancel")
    else:
        life.later(minutes=10)
    with pytest.raises(QuoteOver, match="the subscription changed"):
        life.change(quote.id, paid=True)
    life.check()


def test_what_is_spent_meanwhile_does_not_change_a_quote(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional")
    quote = life.to("2027-04-16").preview("starter", when=When.NOW)
    assert quote.preview.credits_revoked == 2000
    life.spend(2900, "much")
    after = life.change(quote.id)
    assert after.period.credit_limit == 3000
    assert life.available() == 100
    life.check()


def test_a_quote_of_another_organization_is_not_found(a_life: Lives) -> None:
    quote = a_life("2027-04-01").preview("starter")
    with pytest.raises(QuoteNotFound):
        a_life("2027-04-01").change(quote.id, paid=True)
    with pytest.raises(QuoteNotFound):
        a_life("2027-04-01").change(uuid4(), paid=True)


def test_a_change_at_the_end_of_the_period_costs_nothing_now(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional")
    found = life.to("2027-04-10").preview("starter").preview
    assert (found.when, found.lines, found.amount_cents) == (When.PERIOD_END, (), 0)
    assert found.effective_at == at("2027-05-01", 0)
    assert (found.next_invoice_cents, found.recurring_cents) == (19900, 4900)
    assert found.credits.period_before == found.credits.period_after == 5000


def test_from_the_month_to_the_year_and_back(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    quote = life.to("2027-04-11").preview("starter", Interval.YEAR)
    # 20 of 30 days come back; 356 of 366 days of the year are left.
    assert [line.amount_cents for line in quote.preview.lines] == [-3267, 47661]
    found = life.change(quote.id, paid=True).subscription
    assert (found.billing_period_start, found.billing_period_end) == (
        at("2027-04-01", 0),
        at("2028-04-01", 0),
    )
    assert found.current_period_end == at("2027-05-01", 0)
    assert found.billing_fee_cents == 4900 - 3267 + 47661
    life.check()
    back = life.preview("starter", Interval.MONTH)
    assert (back.preview.when, back.preview.effective_at) == (
        When.PERIOD_END,
        at("2028-04-01", 0),
    )
    back = life.preview("starter", Interval.MONTH, when=When.NOW)
    assert back.preview.amount_cents == 3267 - 47661
    found = life.change(back.id).subscription
    assert found.billing_fee_cents == 4900
    assert found.billing_period_end == at("2027-05-01", 0)
    life.check()


def test_the_plan_somebody_has_is_not_quoted(a_life: Lives) -> None:
    with pytest.raises(NotPossible):
        a_life("2027-04-01").preview("free")


def test_a_plan_without_a_price_for_the_interval_is_not_for_sale() -> None:
    plan = Plan("special", 1, 1, priority=1, features=frozenset(), monthly_price_cents=1)
    assert plan_rules.get_price(plan, Interval.MONTH) == 1
    with pytest.raises(NotForSale):
        plan_rules.get_price(plan, Interval.YEAR)
