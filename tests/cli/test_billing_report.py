"""`vexxy billing report` and `move`, against a database of their own."""

import json
from uuid import UUID

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests import service_values
from tests.billing.reports.test_months import a_history
from vexxy.billing.catalog import service as catalog
from vexxy.billing.catalog.service import Plans
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.cli import billing
from vexxy.kit.db import Database


@pytest.fixture(autouse=True)
def _environment(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path_factory.mktemp("data")))


def test_the_months_are_shown_and_checked(db_system: Database) -> None:
    home = service_values.an_organization(db_system)
    a_history(db_system, home)

    one = ["report", "--organization", str(home)]
    table = CliRunner().invoke(billing.app, one)
    made = CliRunner().invoke(billing.app, [*one, "--json"])

    assert table.exit_code == 0, table.output
    assert "plan_allowance" in table.stdout
    assert "2026-02" in table.stdout
    assert made.exit_code == 0, made.output
    said = json.loads(made.stdout)
    assert said["differences"] == []
    assert [month["month"] for month in said["months"]] == ["2026-01", "2026-02", "2026-03"]
    assert said["months"][1]["credits"][0]["expired"] == 82


def test_a_difference_ends_with_the_exit_code_of_findings(db_system: Database) -> None:
    home = service_values.an_organization(db_system)
    a_history(db_system, home)
    with db_system.transaction() as session:
        drift = "update credit_accounts set available_credits = available_credits + 1,"
        drift += " adjustments_credits = adjustments_credits - 1"
        session.execute(text(f"{drift} where organization_id = :home"), {"home": home})
    result = CliRunner().invoke(billing.app, ["report", "--organization", str(home)])
    assert result.exit_code == 1
    assert "credits owned" in result.stderr


def a_subscriber(system: Database, *, version: int) -> UUID:
    """Subscribe an organization to the free plan, in a version that was once offered."""
    home = service_values.an_organization(system)
    plans = Plans(catalog.load(None))
    with system.transaction() as session:
        plans.publish(session)
        subscriptions.current(session, home, plans=plans)
        session.execute(
            text(
                "insert into billing_plans (catalog, tier, version, definition)"
                " select catalog, tier, :version, definition from billing_plans"
                " where catalog = 'vexxy' and tier = 'free' and version = 1"
                " on conflict do nothing"
            ),
            {"version": version},
        )
        session.execute(
            text(
                "update subscriptions set plan_version = :version"
                " where organization_id = :home"
            ),
            {"home": home, "version": version},
        )
    return home


def ahead(system: Database, home: UUID) -> int | None:
    query = text(
        "select scheduled_plan_version from subscriptions where organization_id = :home"
    )
    with system.transaction() as session:
        return session.scalar(query, {"home": home})


def test_subscribers_of_an_older_version_are_moved(db_system: Database) -> None:
    one, other = (a_subscriber(db_system, version=7) for _ in range(2))
    wanted = ["move", "--tier", "free", "--reason", "prices of 2027"]

    first = CliRunner().invoke(billing.app, [*wanted, "--organization", str(one)])
    assert first.exit_code == 0, first.output
    assert (ahead(db_system, one), ahead(db_system, other)) == (1, None)

    rest = CliRunner().invoke(billing.app, wanted)
    assert "1 subscribers of free have version 1 ahead" in rest.stderr
    assert ahead(db_system, other) == 1
    again = CliRunner().invoke(billing.app, wanted)
    assert "0 subscribers" in again.stderr


def test_a_plan_that_is_not_there_is_said() -> None:
    wanted = ["move", "--tier", "gold", "--reason", "x"]
    result = CliRunner().invoke(billing.app, wanted)
    assert result.exit_code != 0
    assert "there is no plan 'gold'" in str(result.exception)
