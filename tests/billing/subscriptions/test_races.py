"""Many at once, on a real database: what is due is done once, whoever comes first."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from tests.billing.subscriptions.living import Life, at
from vexxy.billing.ledger.errors import InsufficientCredits
from vexxy.billing.subscriptions.errors import NotPossible, QuoteOver
from vexxy.billing.subscriptions.types import When
from vexxy.kit.errors import Conflict

Lives = Callable[..., Life]
AT_ONCE = 8


def together(*acts: Callable[[], object]) -> list[object]:
    """Do them at the same moment; return what each returned or was refused with."""
    barrier = Barrier(len(acts))

    def one(act: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return act()
        except (Conflict, InsufficientCredits) as error:
            return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_the_first_need_makes_one_subscription(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    half = AT_ONCE // 2
    found = together(*[life.current] * half, *[lambda: life.current(lock=False)] * half)
    assert len({one.subscription.id for one in found}) == 1  # type: ignore[attr-defined]
    assert life.available() == 100
    assert len(life.grants()) == 1
    life.check()


def test_a_period_is_rolled_over_once(a_life: Lives) -> None:
    """Two sweeps, readers and spenders, three periods late."""
    life = a_life("2027-01-31")
    life.give("starter")
    life.spend(700, "before")
    life.to("2027-04-30", 0)
    found = together(
        life.sweep,
        life.sweep,
        life.current,
        life.current,
        lambda: life.current(lock=False),
        lambda: life.current(lock=False),
        *[lambda n=n: life.spend(400, f"spend {n}") for n in range(2)],
    )
    assert not [one for one in found if isinstance(one, Exception)]
    assert len(life.periods()) == 4
    assert life.available() == 200
    assert [row["credits"] for row in life.grants()] == [100, 900, 1000, 1000, 1000]
    assert len(life.invoices()) == 3
    assert life.steps().count("renewed") == 3
    life.check()


def test_a_rollover_and_spends_leave_no_credit_of_the_lapsed_allowance(
    a_life: Lives,
) -> None:
    """Whoever decides first expires first: the old 1000 are never spent with the new."""
    life = a_life("2027-04-01")
    life.give("starter")
    life.to("2027-05-01", 0)
    found = together(
        life.sweep, *[lambda n=n: life.spend(300, f"spend {n}") for n in range(7)]
    )
    refused = [one for one in found if isinstance(one, InsufficientCredits)]
    assert len(refused) == 4
    assert life.available() == 100
    life.check()


def test_a_rollover_and_changes(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional")
    life.to("2027-05-01", 0)
    together(
        life.sweep,
        life.current,
        lambda: life.change("starter"),
        lambda: life.act("cancel"),
        lambda: life.act("pause"),
        lambda: life.give("enterprise"),
    )
    life.check()
    assert len(life.periods()) == 2


def test_one_of_two_that_accept_a_quote_has_it(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional")
    quote = life.preview("starter", when=When.NOW).id
    found = together(*[lambda: life.change(quote)] * 4)
    assert len([one for one in found if isinstance(one, QuoteOver)]) == 3
    assert life.steps().count("changed") == 2
    life.check()


def test_one_of_many_that_cancel_does(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("starter")
    life.to("2027-04-16")
    found = together(*[lambda: life.act("cancel", at_period_end=False)] * 4)
    assert len([one for one in found if isinstance(one, NotPossible)]) == 3
    assert len(life.rows("select 1 from subscriptions where organization_id = :id")) == 2
    assert life.available() == 550
    life.check()


def test_an_upgrade_and_spends_lose_nothing(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.current()
    life.to("2027-04-16")
    found = together(
        lambda: life.give("starter"),
        *[lambda n=n: life.spend(20, f"spend {n}") for n in range(5)],
    )
    assert not [one for one in found if isinstance(one, Exception)]
    assert life.available() == 550 - 100
    assert life.current().period.analyses == 5
    life.check()


def test_a_trial_ends_once(a_life: Lives) -> None:
    life = a_life("2027-04-01")
    life.give("professional", trial_days=15)
    life.now = at("2027-04-16", 0) + timedelta(seconds=1)
    together(life.sweep, life.sweep, *[life.current] * 4)
    assert life.steps().count("trial_ended") == 1
    assert life.available() == 2550
    life.check()
