"""Events go after their time; what they added up to stays, and nothing counts twice."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from tests import service_values
from tests.billing.usage.values import NOON, TODAY, an_event, days_before
from vexxy.audit import types as audit
from vexxy.billing.types import Aggregation
from vexxy.billing.usage import corrections, retention, rules, service
from vexxy.billing.usage.errors import NoSuchEvent, NotKept
from vexxy.billing.usage.types import Correction, Days
from vexxy.kit.db import Database

ACTOR = audit.system("operator")


def stored(system: Database, organization_id: object) -> list[str]:
    query = text(
        "select id from billing_usage_events where organization_id = :id order by id"
    )
    with system.transaction() as session:
        return list(session.scalars(query, {"id": organization_id}))


def test_old_events_go_in_steps_and_their_totals_stay(
    db_system: Database, db_request: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = service_values.an_organization(db_system)
    told = [an_event(f"e{n}", at=NOON - timedelta(days=80 + n)) for n in range(25)]
    told.append(an_event("young", at=NOON - timedelta(days=70)))
    with db_request.transaction(home) as session:
        service.record(session, home, told)
    monkeypatch.setattr(retention, "STEP", 10)
    steps: list[None] = []
    removed = retention.retain(
        db_system, retention_days=75, now=NOON, step=lambda: steps.append(None)
    )
    assert (removed, len(steps)) == (25, 2)
    assert stored(db_system, home) == ["young"]
    with db_request.transaction(home) as session:
        total = service.total(
            session,
            home,
            "api_calls",
            aggregation=Aggregation.SUM,
            start_day=days_before(200),
            end_day=TODAY,
        )
    assert total == 26
    again = retention.retain(
        db_system, retention_days=75, now=NOON, step=lambda: steps.append(None)
    )
    assert (again, len(steps)) == (0, 2)


def test_what_is_gone_is_neither_told_again_nor_counted_again(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    gone = an_event("gone", at=NOON - timedelta(days=80))
    with db_request.transaction(home) as session:
        service.record(session, home, [gone])
    retention.retain(db_system, retention_days=75, now=NOON, step=list)
    batch = rules.batch([gone])
    with db_system.transaction() as session, pytest.raises(NotKept) as caught:
        service.backfill(session, home, batch, reason="late", actor=ACTOR)
    assert str(days_before(75)) in caught.value.details["kept_since"]
    days = Days(home, days_before(80), TODAY)
    with db_system.transaction() as session, pytest.raises(NotKept):
        service.rebuild(session, days, actor=ACTOR)
    with db_system.transaction() as session:
        assert service.check(session, days) == [], "only what can be known is compared"
        _, found = service.list_days(session, days, limit=10, offset=0)
    assert [day.events for day in found] == [1]
    fix = Correction("fix", "gone", None, "it was a test")
    with db_request.transaction(home) as session, pytest.raises(NoSuchEvent):
        corrections.correct(session, home, fix, actor=ACTOR)


def test_no_event_of_a_day_that_is_being_removed_is_corrected(
    db_system: Database, db_request: Database
) -> None:
    """The mark is there before the events go: what is left of a day is not its use."""
    home = service_values.an_organization(db_system)
    old = [an_event(name, at=NOON - timedelta(days=80)) for name in ("old-1", "old-2")]
    with db_request.transaction(home) as session:
        service.record(session, home, old)
    fix = Correction("fix-old", "old-1", None, "it was a test")
    half_gone = days_before(75)
    with db_request.transaction(home) as session, pytest.raises(NoSuchEvent):
        corrections.correct(session, home, fix, actor=ACTOR, kept_since=half_gone)
    with db_request.transaction(home) as session:
        _, found = service.list_days(
            session, Days(home, days_before(80), TODAY), limit=10, offset=0
        )
    assert [day.events for day in found] == [2]
    still_there = days_before(80)
    with db_request.transaction(home) as session:
        corrections.correct(session, home, fix, actor=ACTOR, kept_since=still_there)


def test_keeping_longer_brings_nothing_back(db_system: Database) -> None:
    """The mark never moves back: days before it lost events, whatever is set now."""
    retention.retain(db_system, retention_days=75, now=NOON, step=list)
    retention.retain(db_system, retention_days=400, now=NOON, step=list)
    home = service_values.an_organization(db_system)
    with db_system.transaction() as session, pytest.raises(NotKept):
        service.rebuild(session, Days(home, days_before(100), TODAY), actor=ACTOR)
