"""What `vexxy doctor` says of the books, against a database of its own."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tests import service_values
from tests.billing.ledger.values import a_grant
from vexxy.billing.ledger import service
from vexxy.cli import doctor_books
from vexxy.kit.db import Database


@pytest.fixture(autouse=True)
def _environment(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path))


def test_sound_books_are_good_and_a_wrong_balance_is_named(db_system: Database) -> None:
    organization_id = service_values.an_organization(db_system)
    with db_system.transaction() as session:
        service.post_one(session, organization_id, a_grant(100))
    assert doctor_books.examine() == (True, "every invariant holds", "")
    with db_system.transaction() as session:
        session.execute(
            text("update organizations set credit_balance = 7 where id = :id"),
            {"id": organization_id},
        )

    found = doctor_books.examine()

    assert found is not None
    sound, said, mend = found
    assert not sound
    assert str(organization_id) in said
    assert "vexxy billing check" in mend


def test_where_no_service_runs_there_is_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DATABASE_URL")

    assert doctor_books.examine() is None


def test_a_database_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")

    assert doctor_books.examine() == (
        False,
        "the database cannot be reached",
        "try again in a moment",
    )
