"""A year of a subscription, by the sweep of production and a clock that tests set."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.billing.subscriptions.living import SHIPPED, Life, at
from vexxy.billing.subscriptions.rules import periods
from vexxy.billing.subscriptions.types import Status
from vexxy.billing.types import Interval

Lives = Callable[..., Life]
ANCHORS = ("2027-12-28", "2027-12-29", "2027-12-30", "2027-12-31", "2028-02-29")


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("begins", ANCHORS)
def test_a_year_month_by_month(a_life: Lives, name: str, begins: str) -> None:
    """Through February of a leap year: one period, one lot, one invoice a month."""
    life = a_life(begins, name)
    tier = "starter" if name == "vexxy" else "standard"
    price = {"starter": 4900, "standard": 9900}[tier]
    life.give(tier)
    ends = [periods.boundary(at(begins), n) for n in range(1, 13)]
    for number, end in enumerate(ends, start=1):
        life.now = end - timedelta(seconds=1)
        life.sweep()
        assert len(life.periods()) == number
        life.now = end
        life.sweep()
        life.sweep()
        kept = life.periods()
        assert len(kept) == number + 1
        assert kept[-1]["period_start"] == end
        if name == "vexxy":
            assert [row["granted_credits"] for row in kept] == [1000] * (number + 1)
            assert life.available() == 1000
            life.spend(600, f"month {number}")
        if number % 3 == 0:
            life.check()
    assert life.invoices() == [
        (f"{start:%Y-%m-%d}", price)
        for start in [periods.boundary(at(begins), 0), *ends[:-1]]
    ]
    lapsed = life.rows(
        "select credits_amount from billing_events where organization_id = :id"
        " and kind = 'expire_lot' order by sequence"
    )
    if name == "vexxy":
        assert [row["credits_amount"] for row in lapsed] == [-100, -900] + [-400] * 11
        # Both first grants: of the default plan, and what the paid one adds that day.
        assert [row["credits"] for row in life.grants()] == [100, 900] + [1000] * 12
    else:
        assert lapsed == life.grants() == []


@pytest.mark.parametrize("name", SHIPPED)
def test_downtime_over_two_rollovers(a_life: Lives, name: str) -> None:
    """What was missed gets its own rows: grant and lapse, period and invoice."""
    life = a_life("2027-12-31", name)
    life.give("starter" if name == "vexxy" else "standard")
    life.to("2028-03-30").sweep()
    kept = life.periods()
    assert [f"{row['period_start']:%m-%d}" for row in kept] == ["12-31", "01-31", "02-29"]
    assert [row["closed_at"] for row in kept] == [life.now, life.now, None]
    price = 4900 if name == "vexxy" else 9900
    assert life.invoices() == [("2027-12-31", price), ("2028-01-31", price)]
    if name == "vexxy":
        missed = [row for row in life.grants() if row["expires_at"] < life.now]
        assert [row["credits"] for row in missed] == [100, 900, 1000]
        assert life.available() == 1000
    assert life.steps() == ["created", "changed", "renewed", "renewed"]
    life.check()


def test_a_year_with_everything(a_life: Lives) -> None:
    """Trial to paid, up, down, unpaid, paused, gone: every day is worth what it says."""
    life = a_life("2027-12-31")
    life.give("starter", trial_days=14, trial_converts=True)
    life.to("2028-01-14", 0).sweep()
    assert life.current().subscription.status is Status.ACTIVE
    life.check()
    # 17 of 31 days of 49.00.
    life.to("2028-01-31", 0).sweep()
    assert life.invoices() == [("2027-12-31", 2687)]
    life.check()

    # Up: 19 of 29 days (31 January to 29 February).
    found = life.to("2028-02-10").give("professional")
    assert (found.period.analysis_limit, found.period.credit_limit) == (362, 3621)
    life.spend(3000, "much")
    life.check()
    # Down again when the month is over.
    life.to("2028-02-20").change("starter")
    life.to("2028-02-29", 0).sweep()
    assert life.invoices()[-1] == ("2028-01-31", 4900 - 3210 + 13038)
    assert life.current().plan.tier == "starter"
    life.check()

    # The payment fails; the time of grace ends within the next period.
    life.to("2028-03-25").act("payment_failed")
    life.to("2028-04-08", 11).sweep()
    assert life.current().subscription.status is Status.PAST_DUE
    assert life.current().period.credit_limit == 1000
    life.to("2028-04-08", 12).sweep()
    assert life.current().subscription.status is Status.UNPAID
    life.to("2028-04-30").sweep()
    assert life.current().period.credit_limit == 0
    life.check()
    found = life.to("2028-05-15").act("payment_received")
    # 16 of 31 days (30 April to 31 May).
    assert (found.period.credit_limit, life.available()) == (516, 516)
    life.check()

    # A pause over one rollover.
    life.to("2028-06-10").act("pause")
    life.to("2028-07-10").sweep()
    assert life.current().period.credit_limit == 0
    life.act("resume")
    life.check()

    # By the year from the running month on, then a month of nothing but renewals.
    found = life.to("2028-08-05").give("starter", interval=Interval.YEAR)
    assert found.subscription.billing_period_start == at("2028-07-31", 0)
    assert found.subscription.billing_period_end == at("2029-07-31", 0)
    before = life.invoices()
    life.to("2028-11-02").sweep()
    assert life.invoices() == before
    assert len(life.periods()) == 11
    life.check()
    life.act("cancel")
    life.to("2029-07-31", 0).sweep()
    found = life.current()
    assert (found.plan.tier, found.subscription.status) == ("free", Status.ACTIVE)
    # 5 of 31 days by the month, 360 of 365 by the year.
    assert life.invoices()[-1] == ("2029-06-30", 4900 - 4110 + 48329)
    life.check()


def test_a_year_of_agents(a_life: Lives) -> None:
    """The second catalog: no analyses, no credits, and five metrics."""
    life = a_life("2028-01-31", "agents")
    found = life.current()
    assert found.plan.monthly_credits is found.period.credit_limit is None
    life.give("standard", trial_days=30)
    life.to("2028-02-29", 0).sweep()
    assert life.current().subscription.status is Status.TRIALING
    life.to("2028-03-01", 0).sweep()
    assert life.current().plan.tier == "free"
    assert life.invoices() == []
    life.check()
    life.to("2028-03-11").give("standard")
    items = {
        row["metric"]
        for row in life.rows(
            "select metric from subscription_items where organization_id = :id"
            " and ended_at is null"
        )
    }
    assert items == {"plan", *life.current().plan.metrics}
    life.to("2028-03-21").give("enterprise")
    life.to("2028-03-31", 0).sweep()
    # 10 days of 99.00 and 10 of 499.00, of the 31 that end on 31 March.
    assert life.invoices() == [("2028-02-29", 6387 - 3194 + 16097)]
    life.check()
    life.to("2028-04-10").act("cancel", at_period_end=False)
    # 31 March to 9 April: 10 of 30 days; 20 come back.
    assert life.invoices()[-1] == ("2028-03-31", 49900 - 33267)
    life.check()
    life.to("2029-01-31", 0).sweep()
    assert len(life.invoices()) == 2
    life.check()


def test_one_that_cannot_be_rolled_over_stops_no_other(a_life: Lives) -> None:
    bad, good = a_life("2027-01-15"), a_life("2027-01-15")
    bad.current()
    good.current()
    bad.rows(
        "update subscriptions set scheduled_tier = 'gone', scheduled_plan_version = 9"
        " where organization_id = :id returning id"
    )
    for life in (bad, good):
        life.to("2027-02-15", 0)
    assert good.sweep().failed == 1
    assert good.current().period.start == at("2027-02-15", 0)
    assert len(bad.periods()) == 1


def test_a_sweep_reads_no_more_than_it_may(a_life: Lives) -> None:
    lives = [a_life("2027-01-15") for _ in range(3)]
    for life in lives:
        life.current()
        life.to("2027-02-15", 0)
    assert lives[0].sweep(most=2).advanced == 2
    assert lives[0].sweep().advanced == 1
    assert lives[0].sweep().advanced == 0
