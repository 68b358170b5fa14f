"""Any history of a subscription: time, changes, ends, use, crashes, two at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.billing.subscriptions import living
from tests.billing.subscriptions.living import SHIPPED, Crash, Life
from vexxy.billing.catalog.service import Plans
from vexxy.billing.subscriptions.types import When
from vexxy.billing.types import Interval
from vexxy.kit.db import Database
from vexxy.kit.errors import Conflict, QuotaExceeded, Unavailable

# What a step may be refused with: by the state that the history has reached.
REFUSED = (Conflict, QuotaExceeded, Unavailable)
_numbers = count()


@dataclass(frozen=True)
class Step:
    """One thing that happens; `crash` first does it, up to the commit, for nothing."""

    name: str
    amount: int = 0
    tier: int = 0
    when: When | None = None
    interval: Interval | None = None
    crash: bool = False
    beside: "Step | None" = None


def steps() -> st.SearchStrategy[Step]:
    single = st.builds(
        Step,
        name=st.sampled_from(
            [
                "later",
                "give",
                "give",
                "change",
                "trial",
                "cancel",
                "cancel_now",
                "reactivate",
                "pause",
                "resume",
                "payment_failed",
                "payment_received",
                "spend",
                "spend",
                "sweep",
                "quote",
            ]
        ),
        amount=st.sampled_from([0, 1, 5, 14, 29, 31, 62, 97]),
        tier=st.integers(0, 3),
        when=st.sampled_from([None, *When]),
        interval=st.sampled_from([None, *Interval]),
        crash=st.booleans(),
    )
    return st.one_of(
        single.map(lambda step: replace(step, name="later", crash=False)),
        single,
        single,
        st.tuples(single, single).map(
            lambda two: replace(two[0], crash=False, beside=replace(two[1], crash=False))
        ),
    )


def done(life: Life, step: Step) -> None:
    """Do one step; what the state does not allow is refused and changes nothing."""
    tiers = list(life.plans.catalog.plans)
    tier = tiers[step.tier % len(tiers)]
    acts = {
        "give": lambda: life.give(tier, when=step.when or When.NOW, interval=step.interval),
        "change": lambda: life.change(tier, step.interval, when=step.when, paid=True),
        "trial": lambda: life.give(
            tier, trial_days=max(1, step.amount), trial_converts=step.tier % 2 == 0
        ),
        "cancel_now": lambda: life.act("cancel", at_period_end=False),
        "spend": lambda: life.spend(step.amount, f"spend {next(_numbers)}"),
        "sweep": life.sweep,
        "quote": lambda: life.change(
            life.preview(tier, step.interval, when=step.when).id, paid=True
        ),
    }
    with suppress(*REFUSED):
        acts.get(step.name, lambda: life.act(step.name))()


def crashed(life: Life, step: Step) -> None:
    """Do the step in a process that dies before it commits."""
    life.crashes = True
    try:
        with suppress(Crash):
            done(life, step)
    finally:
        life.crashes = False


def taken(life: Life, step: Step) -> None:
    if step.name == "later":
        life.later(days=step.amount, hours=step.tier * 5)
        return
    if step.crash and step.name != "sweep":
        before = life.rows(EVERYTHING)
        crashed(life, step)
        assert life.rows(EVERYTHING) == before
    if step.beside is None or step.beside.name == "later":
        done(life, step)
        return
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda one: done(life, one), (step, step.beside)))


EVERYTHING = """
select s.id, s.revision, s.status, s.tier, s.billing_fee_cents, p.parts, p.granted_credits,
  (select max(sequence) from billing_events e where e.organization_id = s.organization_id),
  (select count(*) from billing_audit_log a where a.organization_id = s.organization_id),
  (select count(*) from billing_invoices i where i.organization_id = s.organization_id)
from subscriptions s join billing_periods p on p.subscription_id = s.id
where s.organization_id = :id order by s.created_at, p.period_start
"""


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    name=st.sampled_from(SHIPPED),
    begins=st.dates(
        min_value=living.at("2027-12-25").date(), max_value=living.at("2028-03-01").date()
    ),
    history=st.lists(steps(), min_size=1, max_size=14),
)
def test_any_history_keeps_its_periods_grants_and_sums(
    db_system: Database,
    db_request: Database,
    plans: Plans,
    agents: Plans,
    name: str,
    begins: object,
    history: list[Step],
) -> None:
    offered = {"vexxy": plans, "agents": agents}[name]
    life = living.a_life(db_system, db_request, offered, begins=str(begins))
    try:
        life.current()
        life.check()
        for step in history:
            taken(life, step)
            life.current()
            life.check()
            tier = life.current().plan.tier
            assert life.current().period.parts[-1].tier == tier
            assert life.current() == life.current(lock=False)
    finally:
        life.end()
