"""Ways to have a plan or its credits without paying, each tried once and shut."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.billing.subscriptions.living import Life
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Hold, Posted, Release, Settle
from vexxy.billing.subscriptions.errors import NotPossible

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
