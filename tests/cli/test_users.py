"""`vexxy users`, against a database of its own."""

import re

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from tests.identity.test_recovery import NEW, use
from tests.identity.test_sign_in import acts, registered, sign_in
from vexxy.cli import users
from vexxy.identity.errors import NoSuchMember
from vexxy.kit.db import Database


@pytest.fixture(autouse=True)
def _environment(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path_factory.mktemp("data")))
    monkeypatch.setenv("PUBLIC_URL", "https://vexxy.example/")


def test_an_operator_hands_a_reset_link_over(db_system: Database) -> None:
    account = registered(db_system).account
    result = CliRunner().invoke(users.app, ["reset-link", account.email])
    assert result.exit_code == 0, result.output
    found = re.search(r"https://vexxy\.example/reset-password#token=(\S+)", result.stdout)
    assert found is not None
    use(db_system, found[1])
    assert sign_in(db_system, account.email, NEW)
    assert "user.password_reset_requested" in acts(db_system, account.organization_id)


def test_an_operator_is_named_and_dismissed(db_system: Database) -> None:
    account = registered(db_system).account
    query = text("select is_admin from users where id = :id")
    for arguments, is_admin in (([], True), ([], True), (["--remove"], False)):
        result = CliRunner().invoke(users.app, ["operator", account.email, *arguments])
        assert result.exit_code == 0, result.output
        with db_system.transaction() as session:
            assert session.scalars(query, {"id": account.user_id}).one() is is_admin
    assert acts(db_system, account.organization_id)[1:] == [
        "operator.appointed",
        "operator.dismissed",
    ]


@pytest.mark.parametrize("command", ["reset-link", "operator"])
def test_nobody_is_told_as_such(command: str) -> None:
    result = CliRunner().invoke(users.app, [command, "nobody@example.com"])
    assert isinstance(result.exception, NoSuchMember)
