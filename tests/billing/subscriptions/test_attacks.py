"""Ways to have a plan or its credits without paying, each tried once and shut."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.billing.subscriptions.living import Life, at
from vexxy.billing.invoices.rules import LINE_CENTS_MAX
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Hold, Posted, Release, Settle
from vexxy.billing.subscriptions import service
from vexxy.billing.subscriptions.errors import NotPossible
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Event

Lives = Callable[..., Life]


def posted(life: Life, request: Hold | Release | Settle) -> Posted:
    with life.bound() as session:
        return ledger.post_one(session, life.organization_id, request, now=life.now)


def set_aside(life: Life, amount: int) -> None:
    until = life.now + timedelta(days=7)
    posted(life, Hold(key="aside", credits=amount, expires_at=until))


def test_a_trial_does_not_become_a_plan_for_good_by_a_pause(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional", trial_days=15)
    with pytest.raises(NotPossible, match="a trial cannot be paused"):
        life.act("pause")
    found = life.to("2027-04-16").current()
    assert (found.plan.tier, found.subscription.billing_fee_cents) == ("free", 0)
    life.check()


def test_credits_set_aside_do_not_outlive_the_trial_they_are_of(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional", trial_days=1)
    set_aside(life, 5000)
    assert life.to("2027-04-02").current().period.credit_limit == 263
    posted(life, Release(key="again", hold_key="aside"))
    assert life.current(lock=False).plan.tier == "free"
    assert life.available() == 263
    life.check()


def test_what_was_set_aside_comes_back_in_parts(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional", trial_days=30)
    set_aside(life, 3000)
    posted(life, Hold(key="b", credits=2000, expires_at=life.now + timedelta(days=7)))
    found = life.act("cancel", at_period_end=False)
    assert (found.plan.tier, life.available()) == ("free", 0)
    posted(life, Release(key="again", hold_key="aside"))
    for _ in range(2):
        life.current()
        assert life.available() == 0
        life.check()
    posted(life, Settle(key="work", hold_key="b", credits=30))
    for _ in range(2):
        life.current()
        # 100 of the free plan, of which 30 are spent.
        assert life.available() == 70
        life.check()


def test_a_number_that_cannot_be_does_not_keep_a_period_from_its_end(
    a_life: Lives,
) -> None:
    life = a_life("2027-04-01", "agents")
    life.give("standard")
    most = Decimal("9999999999999999.9999")
    told = [Event(f"e-{n}", "agent_executions", most, life.now) for n in range(1000)]
    with life.bound() as session:
        usage.record(session, life.organization_id, told)
    assert life.to("2027-05-02").current().period.start == at("2027-05-01", 0)
    assert life.invoices() == [("2027-04-01", 9900 + LINE_CENTS_MAX)]
    life.check()


def left(life: Life) -> list[tuple[str, int]]:
    """Go away as an erasure has it; return what is invoiced."""
    for _ in range(2):
        with life.bound() as session:
            service.end(session, life.organization_id, plans=life.plans, now=life.now)
    return life.invoices()


def test_who_goes_away_owes_for_the_days_until_then(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    # 15 of 30 days.
    assert left(life.to("2027-04-16")) == [("2027-04-01", 2450)]


def test_who_used_it_up_and_goes_away_owes_for_all_of_it(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("enterprise")
    life.spend(3000, "all")
    assert left(life) == [("2027-04-01", 99900)]


def test_who_goes_away_owes_for_use_and_for_periods_that_nobody_closed(
    a_life: Lives,
) -> None:
    life = a_life("2027-04-01", "agents")
    life.give("standard")
    life.to("2027-05-01", 9)
    told = [Event("e", "agent_executions", Decimal(5100), life.now)]
    with life.bound() as session:
        usage.record(session, life.organization_id, told)
    assert left(life) == [("2027-04-01", 9900), ("2027-05-01", 9900 + 1000)]


def test_who_pays_nothing_goes_away_without_an_invoice(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.current()
    assert left(life.to("2027-04-16")) == []
