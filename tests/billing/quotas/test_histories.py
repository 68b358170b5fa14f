"""Any history of analyses: periods, admissions and the ledger say the same, always."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.billing.quotas.till import Till
from tests.service_values import an_organization
from vexxy.audit.types import system
from vexxy.billing.catalog.service import Plans, load
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import ANALYSES, CREDITS, NewOverride
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.checks import service as checks
from vexxy.billing.ledger.sweeps import service as sweeps
from vexxy.billing.ledger.types import Grant, Source
from vexxy.billing.quotas import ending, repository, service
from vexxy.billing.quotas.types import Ask, Ending
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.kit.db import Database
from vexxy.kit.errors import QuotaExceeded

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
OPERATOR = system("operator")
PLANS = Plans(load(), "free")
_ADMITTED = text(
    "select coalesce(sum(credits), 0) from quota_admissions where state = 'admitted'"
    " and organization_id = :id and not unlimited and hold_expires_at > :now"
)


class Crash(Exception):
    """The process dies before the commit."""


class Histories(RuleBasedStateMachine):
    """Everything that can happen to an organization's analyses, in any order."""

    analyses = Bundle("analyses")
    over = Bundle("over")

    def __init__(self, system_: Database) -> None:
        super().__init__()
        self.system = system_
        self.now = START
        self.home = an_organization(system_)
        self.till = Till(system_, self.home)
        self.charged = 0

    @initialize()
    def begin_free(self) -> None:
        with self.system.transaction() as session:
            PLANS.publish(session)

    def crash_first(self, act: Callable[[Session], object]) -> None:
        """Do it, and lose it: what was not committed leaves nothing behind."""
        before = self.till.balance(self.now), self.till.used()
        with pytest.raises(Crash):
            self._lost(act)
        assert (self.till.balance(self.now), self.till.used()) == before

    def _lost(self, act: Callable[[Session], object]) -> None:
        with self.system.transaction() as session:
            act(session)
            raise Crash

    def run_(self, act: Callable[[Session], object], *, crash: bool) -> object:
        if crash:
            self.crash_first(act)
        with self.system.transaction() as session:
            return act(session)

    @rule(target=analyses, credits=st.integers(1, 40), crash=st.booleans())
    def submit(self, credits: int, *, crash: bool) -> UUID:  # noqa: A002  the ledger's word
        reference = uuid4()
        ask = Ask(self.home, reference, credits)
        act = partial(service.admit, ask=ask, plans=PLANS, now=self.now)
        try:
            self.run_(act, crash=crash)
        except QuotaExceeded:
            return reference
        # Told again, as after a lost answer.
        self.run_(act, crash=False)
        return reference

    @rule(reference=analyses)
    def begin(self, reference: UUID) -> None:
        act = partial(
            ending.renew, organization_id=self.home, reference=reference, now=self.now
        )
        if not self.run_(act, crash=False):
            self.end(reference, Ending.FAILED)

    @rule(reference=analyses)
    def blame_the_image(self, reference: UUID) -> None:
        act = partial(ending.note_fault, organization_id=self.home, reference=reference)
        self.run_(act, crash=False)

    @rule(
        target=over,
        reference=consumes(analyses),
        credits=st.integers(0, 40),
        crash=st.booleans(),
    )
    def complete(self, reference: UUID, credits: int, *, crash: bool) -> UUID:  # noqa: A002
        act = partial(self._settled, reference=reference, credits_=credits, now=self.now)
        self.charged += self.run_(act, crash=crash)  # type: ignore[operator]
        return reference

    def _settled(
        self, session: Session, *, reference: UUID, credits_: int, now: datetime
    ) -> int:
        found = repository.find(session, self.home, reference)
        if found is None or found.state != "admitted":
            return 0
        due = min(credits_, found.credits)
        return ending.settle(session, self.home, reference, credits=due, now=now)

    @rule(
        target=over,
        reference=consumes(analyses),
        how=st.sampled_from(Ending),
        crash=st.booleans(),
    )
    def stop(self, reference: UUID, how: Ending, *, crash: bool) -> UUID:
        if crash:
            act = partial(
                ending.release,
                organization_id=self.home,
                reference=reference,
                ending=how,
                now=self.now,
            )
            self.crash_first(act)
        self.end(reference, how)
        return reference

    def end(self, reference: UUID, how: Ending) -> None:
        with self.system.transaction() as session:
            ending.release(session, self.home, reference, ending=how, now=self.now)

    @rule(reference=over, how=st.sampled_from(Ending), credits=st.integers(0, 40))
    def tell_again(self, reference: UUID, how: Ending, credits: int) -> None:  # noqa: A002
        """Whatever comes late changes nothing."""
        before = self.till.balance(self.now), self.till.used()
        self.end(reference, how)
        with self.system.transaction() as session:
            ending.settle(session, self.home, reference, credits=credits, now=self.now)
        assert (self.till.balance(self.now), self.till.used()) == before

    @rule(days=st.sampled_from([0.5, 3, 7, 8, 20, 31, 70]))
    def wait(self, days: float) -> None:
        self.now += timedelta(days=days)

    @rule()
    def sweep(self) -> None:
        sweeps.sweep(self.system, now=self.now)

    @rule()
    def roll_over(self) -> None:
        with self.system.transaction() as session:
            subscriptions.current(session, self.home, plans=PLANS, now=self.now)

    @rule(credits=st.integers(1, 100))
    def buy(self, credits: int) -> None:  # noqa: A002  the ledger's word
        gift = Grant(key=str(uuid4()), credits=credits, source=Source.PURCHASE)
        with self.system.transaction() as session:
            ledger.post_one(session, self.home, gift, now=self.now)

    @rule(
        feature=st.sampled_from([ANALYSES, CREDITS]),
        limit=st.none() | st.integers(0, 200),
        days=st.integers(1, 40),
    )
    def override(self, feature: str, limit: int | None, days: int) -> None:
        until = self.now + timedelta(days=days)
        new = NewOverride(feature, limit, "x y", until, unlimited=limit is None)  # type: ignore[arg-type]
        with self.system.transaction() as session:
            entitlements.allow(
                session, self.home, new, plans=PLANS, actor=OPERATOR, now=self.now
            )

    @invariant()
    def records_agree(self) -> None:
        assert self.till.discrepancies() == []
        report = checks.check(self.system, self.home, now=START)
        assert list(report.differences) == []

    @invariant()
    def what_was_charged_is_what_periods_say(self) -> None:
        assert self.till.used()[1] == self.charged

    @invariant()
    def what_is_held_is_for_somebody(self) -> None:
        """No credit is set aside for nothing; lapsed holds wait for the sweep."""
        values = {"id": self.home, "now": self.now}
        with self.system.transaction() as session:
            wanted = int(session.execute(_ADMITTED, values).scalar_one())
        assert self.till.balance(self.now)[1] >= wanted


def test_records_agree_whatever_happens_in_whatever_order(db_system: Database) -> None:
    run_state_machine_as_test(
        partial(Histories, db_system),  # type: ignore[arg-type]
        settings=settings(
            max_examples=12,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
