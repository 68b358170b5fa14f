"""Versions of plans in the database, on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from vexxy.billing.catalog import service
from vexxy.billing.catalog.errors import PlanChanged
from vexxy.billing.catalog.service import Plans
from vexxy.billing.catalog.types import Catalog
from vexxy.billing.errors import NoSuchPlan
from vexxy.billing.types import Plan
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import InvalidInput


def renamed(catalog: Catalog, name: str, **plans: Plan) -> Catalog:
    """Return the catalog under a name of its own: the tests share a database."""
    return replace(catalog, name=name, plans={**catalog.plans, **plans})


def published(system: Database, catalog: Catalog) -> int:
    with system.transaction() as session:
        return Plans(catalog).publish(session)


@pytest.mark.parametrize("name", service.SHIPPED)
def test_what_is_published_reads_as_it_was_written(name: str, db_system: Database) -> None:
    catalog = service.load(name)
    published(db_system, catalog)

    stranger = Plans(renamed(service.load("vexxy"), "stranger"))
    with db_system.transaction() as session:
        kept = {
            tier: stranger.get(session, tier, 1, catalog=name) for tier in catalog.plans
        }

    assert kept == catalog.plans


def test_publishing_again_changes_nothing(db_system: Database) -> None:
    catalog = renamed(service.load("agents"), "again")
    assert published(db_system, catalog) == 3
    assert published(db_system, catalog) == 0


def test_a_changed_plan_names_the_field_and_keeps_what_was(db_system: Database) -> None:
    catalog = renamed(service.load("agents"), "changed")
    published(db_system, catalog)
    standard = catalog.plans["standard"]
    dearer = {
        **standard.metrics,
        "llm_tokens": replace(
            standard.metrics["llm_tokens"], overage_unit_price=Decimal("0.00002")
        ),
    }
    changed = renamed(catalog, "changed", standard=replace(standard, metrics=dearer))

    with pytest.raises(PlanChanged) as refused:
        published(db_system, changed)

    assert "'standard'" in refused.value.message
    assert (
        "metrics.llm_tokens.overage_unit_price was '0.00001' and is '0.00002'"
        in refused.value.message
    )
    with db_system.transaction() as session:
        other = Plans(service.load("vexxy"))
        assert other.get(session, "standard", 1, catalog="changed") == standard


def test_a_higher_version_is_offered_and_the_lower_one_kept(db_system: Database) -> None:
    catalog = renamed(service.load(None), "versions")
    published(db_system, catalog)
    starter = catalog.plans["starter"]
    newer = replace(starter, version=2, monthly_price_cents=5900)
    offered = Plans(renamed(catalog, "versions", starter=newer))

    with db_system.transaction() as session:
        assert offered.publish(session) == 1
        assert offered.current("starter") == newer
        assert offered.get(session, "starter", 1) == starter


def test_equal_numbers_written_differently_are_no_change(db_system: Database) -> None:
    catalog = renamed(service.load("agents"), "numbers")
    published(db_system, catalog)
    standard = catalog.plans["standard"]
    metrics = {
        name: replace(
            terms,
            included=None if terms.included is None else terms.included * Decimal("1.00"),
        )
        for name, terms in standard.metrics.items()
    }
    same = renamed(catalog, "numbers", standard=replace(standard, metrics=metrics))
    assert published(db_system, same) == 0


def test_many_processes_may_publish_at_once(db_system: Database) -> None:
    catalog = renamed(service.load(None), "racing")
    with ThreadPoolExecutor(8) as threads:
        stored = list(threads.map(lambda _: published(db_system, catalog), range(8)))
    assert sum(stored) == len(catalog.plans)


def test_of_two_that_say_different_things_one_is_refused(db_system: Database) -> None:
    one = renamed(service.load(None), "two")
    free = replace(one.plans["free"], monthly_analyses=11)
    other = renamed(one, "two", free=free)

    def publish(catalog: Catalog) -> bool:
        try:
            published(db_system, catalog)
        except PlanChanged:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(publish, [one, other])) == [False, True]


def test_requests_read_plans_and_write_none(
    db_system: Database, db_request: Database
) -> None:
    published(db_system, renamed(service.load(None), "public"))
    with db_request.transaction() as session:
        plans = Plans(service.load("agents"))
        assert plans.get(session, "free", 1, catalog="public").monthly_analyses == 10
        writes = "has_table_privilege(current_user, 'billing_plans', 'insert')"
        assert session.scalar(text(f"select {writes}")) is False


def test_a_version_that_never_was_is_not_found(db_request: Database) -> None:
    with db_request.transaction() as session, pytest.raises(NoSuchPlan):
        Plans(service.load(None)).get(session, "free", 77)


def test_a_default_tier_has_to_be_a_plan() -> None:
    with pytest.raises(InvalidInput, match=r"DEFAULT_TIER: 'gold' .* 'vexxy'") as refused:
        Plans(service.load(None), "gold")
    assert refused.value.hint == "it has free, starter, professional, enterprise"


def test_a_start_outlives_a_database_without_tables(empty_database_url: str) -> None:
    # Roles belong to the server, so that one of another test's database will do.
    database = Database(empty_database_url, role=Role.SYSTEM)
    try:
        assert service.announce(database, Plans(service.load(None))) is False
    finally:
        database.close()


def test_a_start_outlives_a_database_that_is_away(tmp_path: Path) -> None:
    away = Database(f"postgresql://nobody@/none?host={tmp_path}", role=Role.SYSTEM)
    assert service.announce(away, Plans(service.load(None))) is False
