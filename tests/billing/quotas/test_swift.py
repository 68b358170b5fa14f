"""The short way of an admission gives what the long one gives, or leaves it to it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
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
from vexxy.billing.ledger.types import Grant, Source
from vexxy.billing.quotas import service
from vexxy.billing.quotas.swift import service as swift
from vexxy.billing.quotas.types import Admitted, Ask
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions.types import Given
from vexxy.kit.db import Database

PLANS = Plans(load(), "free")
NOW = datetime(2026, 3, 9, 9, tzinfo=UTC)
OPERATOR = system("operator")
_WRITTEN = text(
    "select kind, credits, credits_amount, balance_after, expires_at, unlimited,"
    " description, entry_accounts::text[] as accounts, entry_credits, created_at"
    " from billing_events where organization_id = :id order by sequence"
)
_LOTS = text(
    "select source, priority, expires_at, granted_credits, available_credits, held_credits"
    " from credit_lots where organization_id = :id order by sequence"
)
_SHOWN = text("select credit_balance from organizations where id = :id")

Prepare = Callable[[Session, UUID], object]


def nothing(_session: Session, _home: UUID) -> None:
    """Leave the organization on the plan that it began with."""


def on(tier: str, *, now: datetime = NOW) -> Prepare:
    def prepare(session: Session, home: UUID) -> None:
        given = Given(tier=tier, reason="a test")
        subscriptions.set_plan(session, home, given, plans=PLANS, actor=OPERATOR, now=now)

    return prepare


def changed_within(session: Session, home: UUID) -> None:
    on("starter", now=NOW + timedelta(days=9))(session, home)


def allowed(feature: str, limit: int | None) -> Prepare:
    def prepare(session: Session, home: UUID) -> None:
        new = NewOverride(
            feature,
            None if limit is None else Decimal(limit),
            "a test",
            NOW + timedelta(days=9),
            unlimited=limit is None,
        )
        entitlements.allow(session, home, new, plans=PLANS, actor=OPERATOR, now=NOW)

    return prepare


def lapsing(session: Session, home: UUID) -> None:
    soon = NOW + timedelta(minutes=1)
    gift = Grant(key="gift", credits=7, source=Source.PROMOTION, expires_at=soon)
    ledger.post_one(session, home, gift, now=NOW)


def an_organization_that(
    system_: Database, prepare: Prepare, *, plans: Plans = PLANS
) -> UUID:
    home = an_organization(system_)
    with system_.transaction() as session:
        plans.publish(session)
        subscriptions.current(session, home, plans=plans, now=NOW)
        prepare(session, home)
    return home


def written(system_: Database, home: UUID) -> list[object]:
    with system_.transaction() as session:
        named = {"id": home}
        return [session.execute(query, named).all() for query in (_WRITTEN, _LOTS, _SHOWN)]


def told(admitted: Admitted) -> Admitted:
    """Return the answer without what differs between two organizations."""
    one = UUID(int=0)
    same = replace(admitted.admission, organization_id=one, reference=one, period_id=one)
    return replace(admitted, admission=same)


@pytest.mark.parametrize(
    ("tier", "prepare"),
    [
        ("free", nothing),
        ("starter", nothing),
        ("enterprise", nothing),
        ("free", allowed(ANALYSES, 9)),
        ("free", allowed(ANALYSES, None)),
        ("free", lapsing),
    ],
)
def test_both_ways_let_in_and_write_the_same(
    db_system: Database, tier: str, prepare: Prepare
) -> None:
    begun = Plans(load(), tier)
    short, long = (an_organization_that(db_system, prepare, plans=begun) for _ in range(2))
    at = NOW + timedelta(hours=1)

    for _ in range(2):
        with db_system.transaction() as session:
            ask = Ask(short, uuid4(), 5)
            first = swift.admit(session, ask, catalog=PLANS.catalog, now=at)
        with db_system.transaction() as session:
            ask = Ask(long, uuid4(), 5)
            second = service.admit_unusual(session, ask, plans=PLANS, now=at)
        assert first is not None
        assert told(first) == told(second)

    assert written(db_system, short) == written(db_system, long)
    tills = [Till(db_system, home) for home in (short, long)]
    assert [till.used() for till in tills] == [(2, 0), (2, 0)]
    assert [till.discrepancies() for till in tills] == [[], []]
    assert checks.check(db_system, short, now=at).differences == []


def test_a_reference_that_is_known_is_left_to_the_long_way(db_system: Database) -> None:
    home = an_organization_that(db_system, nothing)
    ask = Ask(home, uuid4(), 5)
    with db_system.transaction() as session:
        first = service.admit(session, ask, plans=PLANS, now=NOW)
    with db_system.transaction() as session:
        assert swift.admit(session, ask, catalog=PLANS.catalog, now=NOW) is None
        again = service.admit(session, ask, plans=PLANS, now=NOW)

    assert again.admission == first.admission
    assert Till(db_system, home).used() == (1, 0)


@pytest.mark.parametrize(
    ("prepare", "credits", "days"),
    [
        (nothing, 10**9, 0),
        (nothing, 5, 32),
        (changed_within, 5, 10),
        (allowed(ANALYSES, 0), 5, 0),
        (allowed(CREDITS, 50), 5, 0),
    ],
)
def test_what_is_short_due_or_limited_is_left_to_the_long_way(
    db_system: Database,
    prepare: Prepare,
    credits: int,  # noqa: A002  the ledger's word
    days: int,
) -> None:
    home = an_organization_that(db_system, prepare)
    before = written(db_system, home)
    at = NOW + timedelta(days=days)
    with db_system.transaction() as session:
        ask = Ask(home, uuid4(), credits)
        assert swift.admit(session, ask, catalog=PLANS.catalog, now=at) is None
        if days:
            assert swift.find_plan(session, home, plans=PLANS, now=at) is None

    assert written(db_system, home) == before


def test_nobody_subscribed_is_left_to_the_long_way(db_system: Database) -> None:
    home = an_organization(db_system)
    with db_system.transaction() as session:
        ask = Ask(home, uuid4(), 5)
        assert swift.admit(session, ask, catalog=PLANS.catalog, now=NOW) is None
        assert swift.find_plan(session, home, plans=PLANS, now=NOW) is None
        unknown = Ask(uuid4(), uuid4(), 5)
        assert swift.admit(session, unknown, catalog=PLANS.catalog, now=NOW) is None
