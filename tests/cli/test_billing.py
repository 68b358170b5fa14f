"""`vexxy billing`, against a database of its own."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests import service_values
from tests.billing.ledger.values import a_grant
from vexxy.billing.catalog.service import Plans, load
from vexxy.billing.ledger import service
from vexxy.billing.ledger.errors import NoSuchOrganization
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.cli import billing
from vexxy.cli.exit import ExitCode
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable

ACTS = text(
    "select action, metadata->>'reason' from billing_audit_log"
    " where organization_id = :id order by position"
)


@pytest.fixture(autouse=True)
def _environment(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path_factory.mktemp("data")))


@pytest.fixture
def organization_id(db_system: Database) -> UUID:
    organization_id = service_values.an_organization(db_system)
    with db_system.transaction() as session:
        service.post_one(session, organization_id, a_grant(100))
    return organization_id


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(billing.app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def spoil(database: Database, organization_id: UUID) -> None:
    with database.transaction() as session:
        session.execute(
            text("update organizations set credit_balance = 7 where id = :id"),
            {"id": organization_id},
        )


def test_where_there_is_no_database_none_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path))
    with pytest.raises(Unavailable, match="there is no database in") as caught:
        run("check")
    assert "VEXXY_DATA_DIRECTORY" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_sound_books_are_no_finding(organization_id: UUID) -> None:
    assert run("check", "--organization", organization_id) == (0, "")


def test_a_difference_is_named_with_its_repair_and_mended(
    db_system: Database, organization_id: UUID
) -> None:
    spoil(db_system, organization_id)
    code, said = run("check")
    assert code == ExitCode.FINDINGS
    assert said.splitlines() == [
        f"{organization_id} credit_balance: 7, should be 100",
        f"  repair: vexxy billing rebuild --organization {organization_id}",
    ]
    code, said = run("rebuild", "--organization", organization_id)
    assert (code, said.splitlines()[0]) == (
        0,
        f"{organization_id} credit_balance: 7, should be 100",
    )
    assert run("check") == (0, "")
    assert run("rebuild") == (0, "")
    with db_system.transaction() as session:
        acts = session.execute(ACTS, {"id": organization_id}).all()
    assert [row.action for row in acts] == ["ledger.rebuilt"]


def test_counts_of_periods_are_checked_and_mended_as_well(
    db_system: Database, organization_id: UUID
) -> None:
    plans = Plans(load(None))
    with db_system.transaction() as session:
        plans.publish(session)
        current = subscriptions.current(session, organization_id, plans=plans)
        wrong = text("update billing_periods set analyses = 3 where id = :id")
        session.execute(wrong, {"id": current.period.id})
    code, said = run("check", "--organization", organization_id)
    assert (code, said.splitlines()) == (
        ExitCode.FINDINGS,
        [
            f"{organization_id} quota analyses of {current.period.id}: 3, should be 0",
            f"  repair: vexxy billing rebuild --organization {organization_id}",
        ],
    )
    assert run("rebuild", "--organization", organization_id)[0] == 0
    assert run("check", "--organization", organization_id) == (0, "")
    with db_system.transaction() as session:
        acts = session.execute(ACTS, {"id": organization_id}).all()
    assert acts[-1].action == "quotas.rebuilt"


def test_a_grant_is_recorded_with_its_reason_once_for_its_key(
    db_system: Database, organization_id: UUID
) -> None:
    given = ["grant", "--organization", organization_id, "--credits", 50]
    given += ["--reason", "an apology", "--expires", "2031-02-03", "--key", "k"]
    assert run(*given)[0] == 0
    assert run(*given)[0] == 0
    with db_system.transaction() as session:
        balance = service.balance(session, organization_id)
        acts = session.execute(ACTS, {"id": organization_id}).all()
    assert balance.available_credits == 150
    assert balance.lots[0].expires_at == datetime(2031, 2, 3, tzinfo=UTC)
    assert [tuple(act) for act in acts] == [("credits.granted", "an apology")]


@pytest.mark.parametrize(
    "arguments",
    [
        ["check"],
        ["rebuild"],
        ["grant", "--credits", "5", "--reason", "x"],
    ],
)
def test_nobody_is_told_as_such(arguments: list[str]) -> None:
    with pytest.raises(NoSuchOrganization):
        run(*arguments, "--organization", ids.new_id())
