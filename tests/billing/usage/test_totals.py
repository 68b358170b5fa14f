"""Totals of days are what the events say, however these were told."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests import service_values
from tests.billing.usage.values import (
    METRICS,
    NOON,
    TODAY,
    UNIQUE,
    an_event,
    days_before,
    expected,
)
from vexxy.audit import types as audit
from vexxy.billing.types import Aggregation
from vexxy.billing.usage import rules, service
from vexxy.billing.usage.errors import Erased, InvalidEvents
from vexxy.billing.usage.types import Conflict, Days, Event, Recorded, Source
from vexxy.kit.db import Database

ACTOR = audit.system("operator")
TOMORROW = TODAY + timedelta(days=1)
INSTANTS = st.datetimes(
    min_value=datetime(2026, 11, 17),  # noqa: DTZ001  Hypothesis takes no zone here
    max_value=datetime(2026, 11, 21, 23, 59),  # noqa: DTZ001  as above
).map(lambda found: found.replace(tzinfo=UTC))
EVENTS = st.builds(
    lambda number, metric, units, at, value: Event(
        f"e{number}",
        metric,
        Decimal(units) / 10_000,
        at,
        {"value": value} if METRICS[metric] is Aggregation.UNIQUE else {},
    ),
    st.integers(0, 30),
    st.sampled_from(sorted(METRICS)),
    st.integers(0, 50_000_000),
    INSTANTS,
    st.integers(0, 5),
)


def record(database: Database, organization_id: UUID, events: Sequence[Event]) -> Recorded:
    with database.transaction(organization_id) as session:
        return service.record(session, organization_id, events, unique=UNIQUE)


def total(
    database: Database,
    organization_id: UUID,
    metric: str,
    *,
    since: int = 10,
    aggregation: Aggregation | None = None,
) -> Decimal:
    with database.transaction(organization_id) as session:
        return service.total(
            session,
            organization_id,
            metric,
            aggregation=aggregation or METRICS[metric],
            start_day=days_before(since),
            end_day=TOMORROW,
        )


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(EVENTS, min_size=1, max_size=40),
    st.lists(st.integers(1, 15), min_size=1, max_size=8),
)
def test_totals_from_any_batches_are_totals_from_scratch(
    db_system: Database, db_request: Database, told: list[Event], sizes: list[int]
) -> None:
    """Goal: order, repetition and batching change no total but by who was first.

    Method: the same events are cut into batches and some told again; the model counts
    the first event of each id.
    """
    home = service_values.an_organization(db_system)
    sent: list[Event] = []
    left, turn = list(told), 0
    accepted = 0
    while left:
        size = sizes[turn % len(sizes)]
        batch, left = left[:size], left[size:]
        again = sent[: size // 2]
        accepted += record(db_request, home, [*batch, *again]).accepted
        sent += batch
        turn += 1
    wanted = expected(told)
    assert accepted == sum(len(one.events) for one in wanted.values())
    with db_request.transaction(home) as session:
        days = Days(home, days_before(10), TOMORROW)
        _, found = service.list_days(session, days, limit=200, offset=0)
    assert {(day.metric, day.day) for day in found} == set(wanted)
    for day in found:
        one, aggregation = wanted[day.metric, day.day], METRICS[day.metric]
        assert day.total(aggregation) == one.total(aggregation), day
        assert day.events == len(one.events)
    with db_system.transaction() as session:
        assert service.check(session, days) == []
        before = service.list_days(session, days, limit=200, offset=0)
        assert service.rebuild(session, days, actor=ACTOR) == []
        after = service.list_days(session, days, limit=200, offset=0)
    assert [d.total(METRICS[d.metric]) for d in after[1]] == [
        d.total(METRICS[d.metric]) for d in before[1]
    ]


def test_a_maximum_is_not_summed_and_a_last_value_is_the_last(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    record(
        db_request,
        home,
        [
            an_event("a", "40", metric="storage_gb", at=NOON - timedelta(days=1)),
            an_event("b", "70", metric="storage_gb"),
            an_event("c", "60", metric="storage_gb"),
            an_event("d", "21", metric="temperature", at=NOON),
            an_event("e", "19", metric="temperature", at=NOON - timedelta(hours=1)),
        ],
    )
    record(db_request, home, [an_event("f", "5", metric="temperature", at=NOON)])
    assert total(db_request, home, "storage_gb") == 70
    assert total(db_request, home, "temperature") == 5, "of one instant, the greater id"


def test_what_is_told_of_one_minute_in_parts_is_added_and_overwrites_nothing(
    db_system: Database, db_request: Database
) -> None:
    """Fault of the past: each minute's partial sum replaced the one before it."""
    home = service_values.an_organization(db_system)
    for part in range(5):
        at = NOON + timedelta(seconds=part)
        record(db_request, home, [an_event(f"e{part}", "2.5", at=at)])
    assert total(db_request, home, "api_calls") == Decimal("12.5")


def test_a_value_that_comes_back_on_another_day_is_counted_once_over_both(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    yesterday = NOON - timedelta(days=1)
    told = [
        an_event("1", metric="active_users", value="ada", at=yesterday),
        an_event("2", metric="active_users", value="ada"),
        an_event("3", metric="active_users", value="bob"),
        an_event("4", metric="active_users", value=1),
        an_event("5", metric="active_users", value="1"),
    ]
    record(db_request, home, told)
    assert total(db_request, home, "active_users") == 4, "1 and '1' are two values"
    assert total(db_request, home, "active_users", since=0) == 4
    with db_request.transaction(home) as session:
        days = Days(home, days_before(1), TOMORROW)
        _, found = service.list_days(session, days, limit=10, offset=0)
    assert [day.distinct_values for day in found] == [4, 1]


def test_a_day_is_a_day_in_utc_whatever_zone_an_event_names(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    ahead = timezone(timedelta(hours=14))
    late = datetime(2026, 11, 21, 3, tzinfo=ahead)  # 2026-11-20T13:00Z
    record(db_request, home, [an_event("a", at=late)])
    assert total(db_request, home, "api_calls", since=0) == 0
    assert total(db_request, home, "api_calls", since=1) == 1


def test_an_id_counts_once_and_other_content_is_named_as_a_conflict(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    assert record(db_request, home, [an_event("a", "3")]) == Recorded(1, 0)
    again = record(db_request, home, [an_event("b"), an_event("a", "3.0000")])
    assert again == Recorded(1, 1, [])
    other = record(db_request, home, [an_event("a", "3"), an_event("a", "9")])
    assert other == Recorded(0, 2, [Conflict(1, "a")])
    twice = record(db_request, home, [an_event("c", "1"), an_event("c", "2")])
    assert twice == Recorded(1, 1, [Conflict(1, "c")])
    assert total(db_request, home, "api_calls") == 3 + 1 + 1


def test_an_id_is_of_its_organization_alone(
    db_system: Database, db_request: Database
) -> None:
    one, other = (service_values.an_organization(db_system) for _ in range(2))
    assert record(db_request, one, [an_event("a", "3")]).accepted == 1
    assert record(db_request, other, [an_event("a", "4")]).accepted == 1
    assert total(db_request, one, "api_calls") == 3
    assert total(db_request, other, "api_calls") == 4


def test_what_a_transaction_recorded_is_in_its_total_and_gone_with_it(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    seen: list[Decimal] = []

    def record_and_fail() -> None:
        with db_request.transaction(home) as session:
            service.record(session, home, [an_event("a", "2.5")])
            seen.append(
                service.total(
                    session,
                    home,
                    "api_calls",
                    aggregation=Aggregation.SUM,
                    start_day=TODAY,
                    end_day=TOMORROW,
                )
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record_and_fail()
    assert seen == [Decimal("2.5")]
    assert total(db_request, home, "api_calls") == 0


def test_batches_at_the_same_moment_neither_count_twice_nor_wait_in_a_circle(
    db_system: Database, db_request: Database
) -> None:
    """Eight writers tell the same ids of the same days, each in another order."""
    home = service_values.an_organization(db_system)
    told = [
        an_event(f"e{n}", "1.5", metric=metric, at=NOON - timedelta(days=n % 5), value=n)
        for n in range(60)
        for metric in [sorted(METRICS)[n % 4]]
    ]
    answers: list[Recorded] = []
    gate = threading.Barrier(8)

    def tell(turn: int) -> None:
        mine = told[turn * 7 :] + told[: turn * 7]
        gate.wait()
        for start in range(0, 60, 20):
            batch = mine[start : start + 20]
            answers.append(record(db_request, home, batch if turn % 2 else batch[::-1]))

    threads = [threading.Thread(target=tell, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 24, "a writer failed"
    assert sum(answer.accepted for answer in answers) == 60
    assert sum(answer.duplicates for answer in answers) == 7 * 60
    assert [answer.conflicts for answer in answers if answer.conflicts] == []
    for (metric, day), one in expected(told).items():
        with db_request.transaction(home) as session:
            found = service.total(
                session,
                home,
                metric,
                aggregation=METRICS[metric],
                start_day=day,
                end_day=day + timedelta(days=1),
            )
        assert found == one.total(METRICS[metric])


def test_nobody_may_change_an_event_and_only_the_system_may_remove_one(
    db_system: Database,
) -> None:
    query = text(
        "select role, right_ from unnest(array['vexxy_request', 'vexxy_worker',"
        " 'vexxy_system']) role, unnest(array['update', 'delete', 'truncate']) right_"
        " where has_table_privilege(role, 'billing_usage_events', right_)"
    )
    with db_system.transaction() as session:
        assert session.execute(query).all() == [("vexxy_system", "delete")]


def test_what_cannot_be_stored_is_refused_before_anything_is(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    bad = [
        an_event("fine"),
        an_event("a\nb"),
        an_event("c", "-1"),
        an_event("d", "0.00001"),
    ]
    with pytest.raises(InvalidEvents) as caught:
        record(db_request, home, bad)
    assert [error["loc"] for error in caught.value.details["errors"]] == [
        ["body", 1, "id"],
        ["body", 2, "quantity"],
        ["body", 3, "quantity"],
    ]
    assert total(db_request, home, "api_calls") == 0


def test_a_total_that_was_tampered_with_is_found_and_mended(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    record(db_request, home, [an_event("a", "3"), an_event("b", "4", metric="storage_gb")])
    days = Days(home, TODAY, TOMORROW)
    with db_system.transaction() as session:
        session.execute(
            text(
                "update billing_usage_daily_totals set quantity_sum = 99"
                " where organization_id = :id and metric = 'api_calls'"
            ),
            {"id": home},
        )
        (found,) = service.check(session, days)
        assert (found.metric, found.day) == ("api_calls", TODAY)
        assert "99" in str(found.stored)
        assert "3" in str(found.counted)
        assert service.rebuild(session, days, actor=ACTOR) == [found]
        assert service.check(session, days) == []
        query = text("select action from billing_audit_log where organization_id = :id")
        assert session.scalars(query, {"id": home}).all() == ["usage.rebuilt"]
    assert total(db_request, home, "api_calls") == 3


def test_totals_of_an_erased_organization_stay_and_are_no_difference(
    db_request: Database, db_system: Database
) -> None:
    home = service_values.an_organization(db_system)
    record(db_request, home, [an_event("e1", quantity="5")])
    days = Days(home, TODAY, TOMORROW)
    with db_system.transaction() as session:
        for change in (
            "update organizations set closed_at = now() where id = :home",
            "delete from billing_usage_events where organization_id = :home",
        ):
            session.execute(text(change), {"home": home})
        assert service.check(session, days) == []
        with pytest.raises(Erased):
            service.rebuild(session, days, actor=ACTOR)


def test_a_source_is_kept_with_every_event(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    with db_request.transaction(home) as session:
        batch = rules.batch([an_event("a")])
        service.record_batches(session, home, [batch], source=Source.CORE)
        query = text("select source from billing_usage_events")
        assert session.scalars(query).all() == ["core"]
