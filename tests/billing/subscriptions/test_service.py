"""Subscriptions in the database, with ledger, history and messages."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.billing.subscriptions.living import TEST, Life, at
from vexxy.billing.catalog.service import Plans
from vexxy.billing.errors import NoSuchPlan
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Grant, Source
from vexxy.billing.subscriptions import service
from vexxy.billing.subscriptions.errors import (
    NotPossible,
    PaymentsOff,
    RolloverHalted,
    SubscriptionUnusable,
    UsedUp,
)
from vexxy.billing.subscriptions.rules import states
from vexxy.billing.subscriptions.types import Status, When
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Event

Lives = Callable[[str], Life]


def test_an_organization_has_the_default_plan_and_its_allowance_at_once(
    a_life: Lives,
) -> None:
    """Faults 2.2, no 13: a new organization could not run one analysis."""
    life = a_life("2027-01-31")
    found = life.current(lock=False)
    assert (found.plan.tier, found.subscription.status) == ("free", Status.ACTIVE)
    assert (found.period.start, found.period.end) == (
        at("2027-01-31", 0),
        at("2027-02-28", 0),
    )
    assert (found.period.analysis_limit, found.period.credit_limit) == (10, 100)
    assert life.available() == 100
    assert life.current() == life.current(lock=False) == found
    assert life.steps() == ["created"]
    life.check()


def test_a_period_that_ended_is_followed_by_the_next(a_life: Lives) -> None:
    """Faults 2.2, no 12: after 30 days a free organization was blocked for good."""
    life = a_life("2027-01-31")
    life.spend(60, "one")
    assert life.current().period.analyses == 1
    found = life.to("2027-02-28", 0).current(lock=False)
    assert (found.period.start, found.period.end) == (
        at("2027-02-28", 0),
        at("2027-03-31", 0),
    )
    assert (found.period.analyses, found.period.credits_used) == (0, 0)
    assert life.available() == 100
    life.check()
    assert [row["credits"] for row in life.grants()] == [100, 100]


def test_the_last_day_of_a_period_belongs_to_it(a_life: Lives) -> None:
    """Faults 4.5, no 7: on the last day there was no quota at all."""
    life = a_life("2027-01-15")
    first = life.current().period
    assert life.to("2027-02-14", 23).current().period == first
    assert life.to("2027-02-15", 0).current().period.start == at("2027-02-15", 0)


def test_nothing_dearer_is_had_without_a_payment(a_life: Lives) -> None:
    """Faults 2.2, no 7: any member could have the best plan for nothing."""
    life = a_life("2027-01-15")
    for tier in ("starter", "professional", "enterprise"):
        for when in When:
            with pytest.raises(PaymentsOff):
                life.change(tier, when=when)
    quote = life.preview("starter")
    with pytest.raises(PaymentsOff):
        life.change(quote.id)
    assert life.current().plan.tier == "free"
    life.check()


def test_a_plan_that_is_not_offered_is_not_found(a_life: Lives) -> None:
    with pytest.raises(NoSuchPlan):
        a_life("2027-01-15").change("platinum")


def test_an_upgrade_grants_the_difference_for_the_days_that_are_left(
    a_life: Lives,
) -> None:
    life = a_life("2027-04-01")
    life.spend(40, "one")
    found = life.to("2027-04-16").give("starter")
    # 15 of 30 days each: 10 and 100 analyses, 100 and 1000 credits.
    assert (found.period.analysis_limit, found.period.credit_limit) == (55, 550)
    assert found.period.analyses == 1
    assert life.available() == 550 - 40
    assert found.subscription.billing_fee_cents == 2450
    life.check()
    assert life.to("2027-05-01").current().period.credit_limit == 1000
    assert life.available() == 1000


def test_a_downgrade_at_once_takes_back_what_is_not_spent(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.spend(900, "much")
    assert life.available() == 100
    found = life.to("2027-04-16").give("free")
    assert found.period.credit_limit == 550
    assert life.available() == 0
    # Spent is spent: 900 of what would be 550.
    assert found.period.granted_credits == 900
    life.check()
    # And coming back the same day gives nothing twice.
    again = life.give("starter")
    assert again.period.granted_credits == 1000
    assert life.available() == 100
    life.check()


def test_changing_to_and_fro_costs_and_brings_nothing(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    for _ in range(4):
        life.give("professional")
        life.give("starter")
    found = life.give("free")
    assert life.available() == found.period.granted_credits == 100
    assert found.subscription.billing_fee_cents == 0
    life.check()


def test_changes_of_one_period_have_an_end(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    for number in range(59):
        life.give(("starter", "free")[number % 2])
    with pytest.raises(NotPossible, match="59 times"):
        life.give("free")
    with pytest.raises(NotPossible, match="59 times"):
        life.change("free")
    # What happens by itself, or ends it, goes on.
    assert life.act("cancel", at_period_end=False).plan.tier == "free"
    assert life.to("2027-05-01").give("starter").plan.tier == "starter"
    life.check()


def test_a_cheaper_plan_begins_when_what_is_paid_is_over(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional")
    found = life.to("2027-04-10").change("starter")
    assert (found.plan.tier, found.subscription.scheduled_tier) == (
        "professional",
        "starter",
    )
    assert life.to("2027-04-30", 23).current().plan.tier == "professional"
    found = life.to("2027-05-01", 0).current()
    assert (found.plan.tier, found.subscription.scheduled_tier) == ("starter", None)
    assert (found.period.credit_limit, life.available()) == (1000, 1000)
    assert life.steps()[-2:] == ["change_scheduled", "changed"]
    life.check()


def test_who_asks_for_the_plan_they_have_stays_on_it(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional")
    life.change("starter")
    assert life.change("professional").subscription.scheduled_tier is None
    with pytest.raises(NotPossible):
        life.change("professional")
    assert life.to("2027-05-01").current().plan.tier == "professional"


def test_plans_without_limit_and_back(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    found = life.give("enterprise")
    assert found.period.credit_limit is found.period.analysis_limit is None
    # Of the free plan no day is left, and without limit nothing is granted.
    assert life.available() == 0
    life.spend(5000, "big")
    found = life.to("2027-04-16").give("starter")
    # What was used without limit stands beside half a month of the limit.
    assert found.period.credit_limit == 5000 + 500
    assert found.period.analysis_limit == 1 + 50
    assert life.available() == 500
    life.check()


def test_a_cancellation_at_the_end_leaves_bought_credits_and_the_default_plan(
    a_life: Lives,
) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    first = life.current().subscription.id
    life.act("cancel")
    with pytest.raises(NotPossible):
        life.act("cancel")
    with pytest.raises(NotPossible):
        life.change("professional", paid=True)
    assert life.to("2027-04-30", 23).current().subscription.cancel_at_period_end
    found = life.to("2027-05-01", 0).current(lock=False)
    assert found.subscription.id != first
    assert (found.plan.tier, found.subscription.status) == ("free", Status.ACTIVE)
    assert life.available() == 100
    life.check()
    (ended,) = life.rows(
        "select * from subscriptions where organization_id = :id and status = 'canceled'"
    )
    assert (ended["id"], ended["ended_at"]) == (first, at("2027-05-01", 0))


def test_a_cancellation_is_taken_back_before_the_end(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.act("cancel")
    assert not life.to("2027-04-30").act("reactivate").subscription.cancel_at_period_end
    assert life.to("2027-05-02").current().plan.tier == "starter"
    with pytest.raises(NotPossible):
        life.act("reactivate")


def test_a_cancellation_at_once_leaves_the_rest_of_the_period(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.spend(200, "one")
    found = life.to("2027-04-16").act("cancel", at_period_end=False)
    assert found.plan.tier == "free"
    assert found.period.start == at("2027-04-01", 0)
    assert (found.period.credit_limit, found.period.analyses) == (550, 1)
    assert life.available() == 350
    life.check()
    with pytest.raises(NotPossible):
        life.act("cancel")


def test_nothing_is_won_by_cancelling_on_the_first_day(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.act("cancel", at_period_end=False)
    assert life.available() == 100
    life.give("starter")
    life.spend(1000, "all")
    with pytest.raises(UsedUp):
        life.act("cancel", at_period_end=False)
    life.act("cancel")
    assert life.current().subscription.billing_fee_cents == 4900
    life.check()


@pytest.mark.parametrize("tier", ["professional", "enterprise"])
def test_a_month_is_not_used_up_and_handed_back(a_life: Lives, tier: str) -> None:
    """Nobody spends a month's credits on one day and pays for that day only."""
    life = a_life("2027-04-01")
    fee = life.give(tier).subscription.billing_fee_cents
    life.spend(1200, "much")
    quote = life.preview("starter", when=When.NOW)
    for wanted in ("starter", "free", quote.id):
        with pytest.raises(UsedUp, match="credits"):
            life.change(wanted, when=When.NOW)
    with pytest.raises(UsedUp):
        life.act("cancel", at_period_end=False)
    found = life.change("starter", when=When.PERIOD_END).subscription
    assert (found.tier, found.billing_fee_cents) == (tier, fee)
    life.check()


def test_analyses_are_not_used_up_and_handed_back(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    for number in range(11):
        life.spend(1, f"analysis {number}")
    with pytest.raises(UsedUp, match="analyses"):
        life.change("free", when=When.NOW)
    # Half a month later there is half of each: 55.
    assert life.to("2027-04-16").change("free", when=When.NOW).plan.tier == "free"
    life.check()


def test_metrics_are_not_used_up_and_handed_back(a_life: Lives) -> None:
    life = a_life("2027-04-01", "agents")
    life.give("standard")
    event = Event("one", "llm_tokens", Decimal(20_000), life.now)
    with life.bound() as session:
        usage.record(session, life.organization_id, [event])
    with pytest.raises(UsedUp, match="llm_tokens"):
        life.change("free", when=When.NOW)
    with pytest.raises(UsedUp, match="llm_tokens"):
        life.act("cancel", at_period_end=False)
    life.act("cancel")
    assert life.to("2027-05-01").current().plan.tier == "free"
    assert life.invoices() == [("2027-04-01", 9900)]


def test_bought_credits_are_spent_without_a_say_in_it(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    bought = Grant(key="bought", credits=500, source=Source.PURCHASE)
    with life.bound() as session:
        ledger.post_one(session, life.organization_id, bought, now=life.now)
    life.spend(400, "some")
    assert life.to("2027-04-16").change("free", when=When.NOW).plan.tier == "free"
    assert life.available() == 550 - 400 + 500
    assert life.to("2027-05-01").current().period.credit_limit == 100
    assert life.available() == 600
    life.check()


def test_a_pause_stops_submissions_and_the_next_allowance(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    found = life.to("2027-04-10").act("pause")
    with pytest.raises(SubscriptionUnusable):
        states.check_usable(found.subscription, life.now)
    found = life.to("2027-05-02").current()
    assert (found.period.credit_limit, life.available()) == (0, 0)
    assert found.subscription.billing_fee_cents == 0
    found = life.to("2027-05-16").act("resume")
    states.check_usable(found.subscription, life.now)
    # 16 of 31 days.
    assert (found.period.credit_limit, life.available()) == (516, 516)
    assert found.subscription.billing_fee_cents == 2529
    life.check()
    assert life.to("2027-06-01").current().period.credit_limit == 1000


def test_a_pause_within_a_period_changes_nothing_of_it(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    before = life.give("starter")
    life.to("2027-04-10").act("pause")
    after = life.to("2027-04-11").act("resume")
    assert after.period == before.period
    assert after.subscription.billing_fee_cents == before.subscription.billing_fee_cents
    with pytest.raises(NotPossible):
        life.act("resume")


def test_a_trial_falls_to_the_default_plan(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    found = life.give("professional", trial_days=15)
    assert found.subscription.status is Status.TRIALING
    assert (found.subscription.billing_fee_cents, life.available()) == (0, 5000)
    assert life.to("2027-04-15", 23).current().plan.tier == "professional"
    found = life.to("2027-04-16", 0).current(lock=False)
    assert (found.plan.tier, found.subscription.status) == ("free", Status.ACTIVE)
    assert (found.period.credit_limit, life.available()) == (2550, 2550)
    assert found.subscription.billing_fee_cents == 0
    life.check()


def test_a_trial_goes_over_into_the_paid_plan(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional", trial_days=15, trial_converts=True)
    found = life.to("2027-04-16", 0).current(lock=False)
    assert (found.plan.tier, found.subscription.status) == (
        "professional",
        Status.ACTIVE,
    )
    assert found.subscription.billing_fee_cents == 9950
    assert (found.period.credit_limit, life.available()) == (5000, 5000)
    life.check()


def test_a_trial_that_is_extended_ends_later(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter", trial_days=14)
    with life.request.transaction(life.organization_id) as session:
        service.extend_trial(
            session,
            life.organization_id,
            30,
            reason="asked for it",
            plans=life.plans,
            actor=TEST,
            now=life.now,
        )
    assert life.to("2027-05-14").current().subscription.status is Status.TRIALING
    assert life.to("2027-05-15").current().plan.tier == "free"
    life.check()


def test_after_the_time_of_grace_nothing_is_submitted_until_it_is_paid(
    a_life: Lives,
) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    found = life.to("2027-04-05").act("payment_failed")
    until = found.subscription.payment_grace_until
    assert until == at("2027-04-19", 12)
    states.check_usable(found.subscription, life.now)
    # Told again, the time does not begin anew (faults 4.5, no 3).
    again = life.to("2027-04-15").act("payment_failed")
    assert again.subscription.payment_grace_until == until
    states.check_usable(again.subscription, at("2027-04-19", 11))
    with pytest.raises(SubscriptionUnusable):
        states.check_usable(again.subscription, at("2027-04-19", 12))
    found = life.to("2027-04-19", 12).current(lock=False)
    assert found.subscription.status is Status.UNPAID
    assert life.to("2027-05-02").current().period.credit_limit == 0
    assert life.available() == 0
    found = life.act("payment_received")
    assert found.subscription.status is Status.ACTIVE
    assert (found.period.credit_limit, life.available()) == (968, 968)
    life.check()


def test_too_many_missed_periods_wait_for_a_person(a_life: Lives) -> None:
    life = a_life("2025-01-15")
    life.current()
    before = life.rows("select * from billing_events where organization_id = :id")
    life.to("2027-02-15")
    with pytest.raises(RolloverHalted) as caught:
        life.current()
    assert caught.value.details == {"missed": 25, "most": 24}
    assert life.sweep().failed == 1
    assert life.rows("select * from billing_events where organization_id = :id") == before
    assert life.sweep(missed_max=25).failed == 0
    assert len(life.grants()) == 26
    assert life.available() == 100
    life.check()


def newer(life: Life) -> Plans:
    """Publish the catalog with a second version of the plan starter."""
    catalog = life.plans.catalog
    starter = replace(catalog.plans["starter"], version=2, monthly_credits=2000)
    made = Plans(replace(catalog, plans={**catalog.plans, "starter": starter}))
    with life.system.transaction() as session:
        made.publish(session)
    return made


def test_a_version_is_kept_until_somebody_moves(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.plans = newer(life)
    found = life.to("2027-05-01").current()
    assert (found.subscription.plan_version, found.period.credit_limit) == (1, 1000)
    for expected in (True, False):
        with life.bound() as session:
            moved = service.move_to_current_version(
                session,
                life.organization_id,
                plans=life.plans,
                reason="a test",
                actor=TEST,
                now=life.now,
            )
        assert moved is expected
    assert life.current().period.credit_limit == 1000
    found = life.to("2027-06-01").current()
    assert (found.subscription.plan_version, found.period.credit_limit) == (2, 2000)
    life.check()


def test_what_a_subscription_consists_of_is_kept(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    items = life.rows(
        "select * from subscription_items where organization_id = :id order by created_at,"
        " ended_at is null"
    )
    assert [(row["metric"], row["tier"], row["ended_at"] is None) for row in items] == [
        ("plan", "free", False),
        ("plan", "starter", True),
    ]


def test_the_running_period_is_what_the_next_invoice_is_for(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.to("2027-04-16").give("professional")
    with life.bound() as session:
        found = service.upcoming(
            session, life.organization_id, plans=life.plans, now=life.now
        )
    life.to("2027-05-01").sweep()
    assert life.invoices() == [("2027-04-01", found.fee_cents)]
    assert found.fee_cents == 4900 - 2450 + 9950
    assert (found.period_end, found.plan.tier) == (at("2027-05-01", 0), "professional")


def test_what_is_charged_outside_of_analyses_is_used_as_well(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")

    def used() -> int:
        period = life.current().period
        with life.bound() as session:
            return service.credits_used(session, life.organization_id, period)

    life.spend(30, "first")
    life.act("cancel", at_period_end=False)
    life.spend(20, "second")
    assert used() == 50
    life.to("2027-05-01")
    assert used() == 0
    life.spend(7, "third")
    assert used() == 7


def test_an_organization_that_goes_away_has_no_subscription_left(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.end()
    life.end()
    live = "select 1 from subscriptions where organization_id = :id and status = 'active'"
    assert life.rows(live) == []
    life.to("2027-06-01").sweep()
    assert life.rows(live) == life.invoices() == []
