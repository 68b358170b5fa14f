"""Quotas that are held over a real database, one request after another and at once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.service_values import an_organization
from vexxy.audit import types as audit
from vexxy.billing.catalog import service as catalog
from vexxy.billing.catalog.service import Plans
from vexxy.billing.enforcement import service
from vexxy.billing.enforcement.errors import QuotaReached
from vexxy.billing.enforcement.overview import service as overview
from vexxy.billing.enforcement.ports import Use
from vexxy.billing.enforcement.types import Level, Outcome, Standing, Window
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import NewOverride
from vexxy.billing.types import Aggregation, Cap
from vexxy.billing.usage.types import Event
from vexxy.kit import ids
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import PaymentRequired

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
OPERATOR = audit.system("operator")


@pytest.fixture
def home(db_system: Database) -> UUID:
    return an_organization(db_system)


def spend(
    database: Database,
    home: UUID,
    metric: str,
    more: int | str = 1,
    *,
    plans: Plans,
    now: datetime = NOW,
) -> Standing:
    with database.transaction(home) as session:
        use = Use(home, metric, Decimal(more))
        return service.spend(session, use, plans=plans, now=now)


def refused(
    database: Database,
    home: UUID,
    metric: str,
    *,
    plans: Plans,
    now: datetime,
    more: int = 1,
) -> dict[str, object]:
    with pytest.raises(QuotaReached) as caught:
        spend(database, home, metric, more, plans=plans, now=now)
    return dict(caught.value.details)


def alerts(database: Database, home: UUID) -> list[tuple[str, int]]:
    query = text(
        "select metric, percent from usage_alerts where organization_id = :id"
        " order by created_at, metric, percent"
    )
    with database.transaction(home) as session:
        return [tuple(row) for row in session.execute(query, {"id": home})]  # type: ignore[misc]


def used(database: Database, home: UUID, metric: str, plans: Plans) -> Decimal:
    with database.transaction(home) as session:
        return service.look(session, home, metric, plans=plans, now=NOW).used


def test_what_passes_is_counted_and_what_is_refused_is_not(
    db_request: Database, home: UUID, free: Plans
) -> None:
    spend(db_request, home, "storage_gb", "0.5", plans=free)
    details = refused(db_request, home, "storage_gb", plans=free, now=NOW, more=2)

    assert details == {
        "reason": "hard_cap",
        "metric": "storage_gb",
        "usage": 0.5,
        "requested": 1.5,
        "limit": 1,
        "resets_at": "2026-12-21T00:00:00Z",
    }
    with pytest.raises(QuotaReached, match=r"\(0\.5 of 1 used, 1\.5 more asked for\)$"):
        spend(db_request, home, "storage_gb", 2, plans=free)
    assert used(db_request, home, "storage_gb", free) == Decimal("0.5")
    assert alerts(db_request, home) == [], "nothing was used, so nothing is told"


def test_at_once_exactly_as_many_pass_a_hard_cap_as_there_is_room_for(
    db_system: Database, database_url: str, home: UUID, free: Plans
) -> None:
    """Goal: no check and then count. Method: 24 at once, a cap of 10, seven used."""
    allowed(db_system, home, free, metric="agent_executions", limit=10)
    hard = hardened(free)
    database = Database(database_url, role=Role.REQUEST, connections=24)
    spend(database, home, "agent_executions", 7, plans=hard)

    def one(_: int) -> bool:
        try:
            spend(database, home, "agent_executions", plans=hard)
        except QuotaReached:
            return False
        return True

    with ThreadPoolExecutor(24) as pool:
        passed = sum(pool.map(one, range(24)))
    total = used(database, home, "agent_executions", hard)
    database.close()
    assert (passed, total) == (3, 10)


def hardened(plans: Plans, aggregation: Aggregation = Aggregation.SUM) -> Plans:
    """Return the plans with a hard cap on executions, as another catalog may have."""
    name = "agent_executions"
    plan = plans.current("free")
    terms = replace(plan.metrics[name], cap=Cap.HARD, aggregation=aggregation)
    changed = replace(plan, metrics={**plan.metrics, name: terms})
    whole = replace(
        plans.catalog,
        plans={**plans.catalog.plans, "free": changed},
        metrics={**plans.catalog.metrics, name: aggregation},
    )
    return Plans(whole, default_tier="free")


def test_acts_on_distinct_values_are_held_by_their_number(
    db_request: Database, home: UUID, free: Plans
) -> None:
    plans = hardened(free, Aggregation.UNIQUE)
    spend(db_request, home, "agent_executions", 99, plans=plans)
    last = spend(db_request, home, "agent_executions", plans=plans)
    assert last.verdict.after == 100
    details = refused(db_request, home, "agent_executions", plans=plans, now=NOW)
    assert details["usage"] == 100


def test_a_paused_subscription_uses_nothing(
    db_request: Database, home: UUID, free: Plans
) -> None:
    spend(db_request, home, "agent_executions", plans=free)
    with db_request.transaction(home) as session:
        session.execute(
            text("update subscriptions set status = 'paused', paused_at = :now"),
            {"now": NOW},
        )
    with pytest.raises(PaymentRequired) as caught:
        spend(db_request, home, "agent_executions", plans=free)
    assert caught.value.details["status"] == "paused"


def allowed(system: Database, home: UUID, plans: Plans, *, metric: str, limit: int) -> None:
    new = NewOverride(metric, Decimal(limit), "a trial", NOW + timedelta(days=900))
    with system.transaction(home) as session:
        entitlements.allow(session, home, new, plans=plans, actor=OPERATOR, now=NOW - HOUR)


def test_grace_begins_once_ends_and_a_new_period_has_its_own(
    db_request: Database, home: UUID, free: Plans
) -> None:
    """Fault: on expiry another 24 hours began, and the 402 was never reached."""
    spend(db_request, home, "agent_executions", 100, plans=free)
    first = spend(db_request, home, "agent_executions", plans=free, now=NOW + HOUR)
    assert first.verdict.outcome is Outcome.GRACE
    ends = NOW + 25 * HOUR
    later = spend(
        db_request, home, "agent_executions", plans=free, now=ends - timedelta(seconds=1)
    )
    assert dict(later.headers)["X-Grace-Period-Expires"] == "2026-11-22T10:00:00Z"

    for after in (timedelta(0), HOUR, timedelta(days=20)):
        details = refused(
            db_request, home, "agent_executions", plans=free, now=ends + after
        )
        assert details["reason"] == "grace_expired"
        assert details["grace_expired_at"] == "2026-11-22T10:00:00Z"
    assert used(db_request, home, "agent_executions", free) == 102

    next_period = datetime(2026, 12, 21, tzinfo=UTC)
    fresh = spend(db_request, home, "agent_executions", plans=free, now=next_period)
    assert (fresh.verdict.outcome, fresh.verdict.used) == (Outcome.PASSED, 0)
    over = spend(
        db_request, home, "agent_executions", 100, plans=free, now=next_period + HOUR
    )
    assert over.verdict.grace is not None
    assert over.verdict.grace.started_at == next_period + HOUR


def test_the_last_day_of_a_period_has_its_quota(
    db_request: Database, home: UUID, free: Plans
) -> None:
    """Fault: a period ended at the last day's midnight, and that day had no limit."""
    spend(db_request, home, "storage_gb", "0.9", plans=free)
    end = datetime(2026, 12, 21, tzinfo=UTC)
    last = end - timedelta(microseconds=1)
    details = refused(db_request, home, "storage_gb", plans=free, now=last, more=2)
    assert (details["usage"], details["resets_at"]) == (0.9, "2026-12-21T00:00:00Z")

    fresh = spend(db_request, home, "storage_gb", "0.1", plans=free, now=end)
    assert (fresh.verdict.used, fresh.window.start) == (0, end)


def test_grace_is_kept_by_the_database_against_everybody(
    db_request: Database, db_worker: Database, home: UUID, free: Plans
) -> None:
    """It survives a restart, and no request can prolong it or take it back."""
    spend(db_request, home, "agent_executions", 101, plans=free)
    for database in (db_request, db_worker):
        for statement in (
            "update grace_periods set expires_at = expires_at + interval '1 day'",
            "delete from grace_periods",
        ):
            with (
                pytest.raises(DBAPIError, match="permission denied"),
                database.transaction(home) as session,
            ):
                session.execute(text(statement))


def test_a_failed_act_neither_counts_nor_begins_a_grace(
    db_request: Database, home: UUID, free: Plans
) -> None:
    def act() -> None:
        with db_request.transaction(home) as session:
            use = Use(home, "agent_executions", Decimal(500))
            service.spend(session, use, plans=free, now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert used(db_request, home, "agent_executions", free) == 0
    assert alerts(db_request, home) == []
    later = NOW + timedelta(days=3)
    begun = spend(db_request, home, "agent_executions", 101, plans=free, now=later)
    assert begun.verdict.grace is not None
    assert begun.verdict.grace.started_at == later


def test_what_is_sold_beyond_the_quota_passes_and_is_counted(
    db_request: Database, home: UUID, standard: Plans
) -> None:
    spend(db_request, home, "agent_executions", 5_000, plans=standard)
    over = spend(
        db_request,
        home,
        "agent_executions",
        3,
        plans=standard,
        now=NOW + timedelta(days=20),
    )

    assert (over.verdict.outcome, over.verdict.overage) == (Outcome.OVERAGE, 3)
    assert used(db_request, home, "agent_executions", standard) == 5_003


def test_percentages_crossed_at_once_are_told_once_each(
    db_request: Database, home: UUID, free: Plans
) -> None:
    spend(db_request, home, "agent_executions", 79, plans=free)
    assert alerts(db_request, home) == []
    spend(db_request, home, "agent_executions", 1, plans=free)
    assert alerts(db_request, home) == [("agent_executions", 80)]
    spend(db_request, home, "agent_executions", 60, plans=free, now=NOW + HOUR)
    spend(db_request, home, "agent_executions", 60, plans=free, now=NOW + 2 * HOUR)
    assert alerts(db_request, home) == [
        ("agent_executions", 80),
        ("agent_executions", 100),
        ("agent_executions", 120),
    ]


def test_at_once_a_percentage_is_told_once(
    db_worker: Database, database_url: str, home: UUID, free: Plans
) -> None:
    database = Database(database_url, role=Role.REQUEST, connections=8)
    window = Window(NOW, NOW + timedelta(days=30))

    def one(_: int) -> int:
        with database.transaction(home) as session:
            level = Level("credits", Decimal(125), Decimal(100))
            return overview.note_level(
                session, home, level, plans=free, window=window, now=NOW
            )

    with ThreadPoolExecutor(8) as pool:
        noted = sorted(pool.map(one, range(8)))
    database.close()
    assert sum(noted) == 3
    assert len(alerts(db_worker, home)) == 3


def test_an_override_raises_the_limit_and_what_was_told_is_not_told_again(
    db_request: Database, db_system: Database, home: UUID, free: Plans
) -> None:
    spend(db_request, home, "user_seats", 3, plans=free)
    refused(db_request, home, "user_seats", plans=free, now=NOW, more=4)
    allowed(db_system, home, free, metric="user_seats", limit=10)

    passed = spend(db_request, home, "user_seats", 8, plans=free, now=NOW + HOUR)

    assert passed.verdict.quota.overridden
    assert dict(passed.headers)["X-Quota-Limit"] == "10"
    assert alerts(db_request, home) == [("user_seats", 80), ("user_seats", 100)]


def test_what_no_plan_limits_is_counted_and_never_over(
    db_request: Database, home: UUID, free: Plans
) -> None:
    unknown = spend(db_request, home, "of_no_catalog", 10**6, plans=free)
    assert (unknown.verdict.outcome, unknown.headers) == (Outcome.PASSED, ())
    assert used(db_request, home, "of_no_catalog", free) == 0


def test_calls_that_happened_are_counted_once_and_begin_the_grace(
    db_request: Database, home: UUID, free: Plans
) -> None:
    event = Event(f"vexxy:{ids.new_id()}", "api_calls", Decimal(1_200), NOW)
    for _ in range(3):
        with db_request.transaction(home) as session:
            line = service.add(session, event, home, plans=free)
    assert line.used == 1_200
    assert line.grace is not None
    assert line.grace.expires_at == NOW + timedelta(hours=24)
    assert alerts(db_request, home) == [
        ("api_calls", 80),
        ("api_calls", 100),
        ("api_calls", 120),
    ]


def test_what_happened_after_the_grace_is_counted_and_told(
    db_request: Database, home: UUID, free: Plans
) -> None:
    for hours, calls in ((0, 1_001), (30, 300)):
        now = NOW + hours * HOUR
        event = Event(f"vexxy:{ids.new_id()}", "api_calls", Decimal(calls), now)
        with db_request.transaction(home) as session:
            line = service.add(session, event, home, plans=free)
    assert line.used == 1_301
    assert [percent for _, percent in alerts(db_request, home)] == [80, 100, 120]


def test_levels_are_counted_once_a_day_and_the_highest_stands(
    db_request: Database, home: UUID, free: Plans
) -> None:
    levels = iter([Decimal(2), Decimal(3), Decimal(1)])
    for now in (NOW, NOW + HOUR, NOW + timedelta(days=1)):
        level = next(levels)
        with db_request.transaction(home) as session:
            gauges = {"user_seats": lambda _s, _o, level=level: level}
            overview.record_levels(session, home, plans=free, gauges=gauges, now=now)

    assert used(db_request, home, "user_seats", free) == 2
    assert alerts(db_request, home) == [("user_seats", 80), ("user_seats", 100)], (
        "what was found later that day is told, though the day was counted"
    )


def test_analyses_and_credits_are_told_as_well(
    db_request: Database, db_system: Database, home: UUID
) -> None:
    plans = Plans(catalog.load())
    with db_system.transaction() as session:
        plans.publish(session)
    with db_request.transaction(home) as session:
        assert overview.note_period(session, home, plans=plans, now=NOW) == 0
        session.execute(text("update billing_periods set analyses = 10"))
        assert overview.note_period(session, home, plans=plans, now=NOW) == 2
        assert overview.note_period(session, home, plans=plans, now=NOW) == 0
    assert alerts(db_request, home) == [("analyses", 80), ("analyses", 100)]
