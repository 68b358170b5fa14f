"""Secrets: made only where that is allowed, kept, and never weak in production."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from vexxy import bootstrap
from vexxy.integrations.secret_files import folder as secret_files
from vexxy.integrations.secret_files.folder import SecretsUnsafe
from vexxy.kit.errors import InvalidInput, Unavailable
from vexxy.settings import Environment, ServiceSettings

SEALING = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what a developer's shell holds out of the tests."""
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_development_makes_its_secrets_once(tmp_path: Path) -> None:
    first = bootstrap.completed(ServiceSettings(), tmp_path)
    again = bootstrap.completed(ServiceSettings(), tmp_path)

    assert first.jwt_secret_key is not None
    assert first.jwt_secret_key == again.jwt_secret_key
    assert first.jwt_secret_key != first.secrets_key
    assert len(bootstrap.sealing_keys(first)[0]) == 32


def test_what_is_set_is_not_made(tmp_path: Path) -> None:
    given = ServiceSettings(jwt_secret_key=SecretStr("x"), secrets_key=SecretStr("y"))

    assert bootstrap.completed(given, tmp_path) == given
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["jwt_secret_key", "secrets_key"])
def test_production_makes_none(tmp_path: Path, name: str) -> None:
    values = {"jwt_secret_key": SecretStr("x" * 40), "secrets_key": SecretStr(SEALING)}
    del values[name]
    given = ServiceSettings(environment=Environment.PRODUCTION, **values)

    with pytest.raises(Unavailable, match=name.upper()):
        bootstrap.completed(given, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_production_that_only_checks_tokens_of_others_needs_no_secret(
    tmp_path: Path,
) -> None:
    given = ServiceSettings(
        environment=Environment.PRODUCTION,
        jwt_public_key="key.pem",
        secrets_key=SecretStr(SEALING),
    )

    assert bootstrap.completed(given, tmp_path).jwt_secret_key is None


@pytest.mark.parametrize("word", ["", "c2hvcnQ=", "not base64!", "A" * 43 + "="])
def test_a_bad_sealing_key_is_refused_unseen(word: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        bootstrap.sealing_keys(ServiceSettings(secrets_key=SecretStr(word)))

    assert "SECRETS_KEY" in caught.value.message
    assert not word or word not in f"{caught.value.message} {caught.value.hint}"


def test_several_that_ask_for_a_new_secret_at_once_get_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: secret_files.kept(tmp_path, "one"), range(32)))

    assert len(found) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret_files.kept(tmp_path, "one")
    (tmp_path / "one").chmod(0o644)

    with pytest.raises(SecretsUnsafe, match="open to others") as caught:
        secret_files.kept(tmp_path, "one")

    assert caught.value.hint == f"chmod 600 {tmp_path / 'one'}"


def test_an_emptied_secret_is_not_made_anew(tmp_path: Path) -> None:
    """A new one would make everything that the old one sealed unreadable."""
    secret_files.kept(tmp_path, "one")
    (tmp_path / "one").write_text("")

    with pytest.raises(SecretsUnsafe, match="is empty"):
        secret_files.kept(tmp_path, "one")


def test_made_secrets_are_for_their_owner_alone(tmp_path: Path) -> None:
    secret_files.kept(tmp_path / "secrets", "one")

    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / "one").stat().st_mode) == 0o600
