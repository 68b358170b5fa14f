"""`vexxy database`: a schema that is brought up to date by hand."""

import os

import pytest
from typer.testing import CliRunner

from vexxy.cli.app import app
from vexxy.kit.errors import InvalidInput, Unavailable
from vexxy.migrations import service as migrations
from vexxy.serving import preparation
from vexxy.serving.errors import StartFailed
from vexxy.settings import ServiceSettings

NOWHERE = "postgresql://somebody:hush-hush@127.0.0.1:1/nothing"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServiceSettings.model_fields:
        if name.upper() in os.environ:
            monkeypatch.delenv(name.upper())


def test_an_empty_database_is_brought_to_the_latest_revision(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    latest = migrations.revisions()[-1]

    before = CliRunner().invoke(app, ["database", "current"])
    done = CliRunner().invoke(app, ["database", "upgrade"])
    after = CliRunner().invoke(app, ["database", "current"])

    assert before.stdout == f"empty, latest is {latest}\n"
    assert done.exit_code == 0
    assert after.stdout == f"{latest}\n"


def test_without_a_database_the_way_is_told() -> None:
    done = CliRunner().invoke(app, ["database", "upgrade"])

    assert isinstance(done.exception, Unavailable)
    assert "vexxy serve" in str(done.exception.hint)


def test_a_database_that_is_away_is_waited_for_and_its_password_kept_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(preparation, "DATABASE_SECONDS_MAX", 0.0)
    monkeypatch.setenv("DATABASE_URL", NOWHERE)

    for command in ("upgrade", "current"):
        done = CliRunner().invoke(app, ["database", command])

        assert isinstance(done.exception, StartFailed)
        assert "the database cannot be reached" in done.exception.message
        assert "hush-hush" not in f"{done.exception.message} {done.output}"


@pytest.mark.parametrize("url", ["", "mysql://a:hush-hush@b/c", "hush-hush"])
def test_an_address_of_something_else_is_refused_unseen(url: str) -> None:
    with pytest.raises(InvalidInput, match="DATABASE_URL is no address") as caught:
        preparation.address(url)

    assert "hush" not in f"{caught.value.message} {caught.value.hint}"
