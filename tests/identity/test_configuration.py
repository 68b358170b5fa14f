"""What the environment says about keys, and what stops a start."""

from pathlib import Path

import pytest

from tests.identity_values import (
    OTHER_SECRET,
    SECRET,
    claims,
    ec_key,
    private_pem,
    public_pem,
    rsa_key,
    token,
)
from vexxy import bootstrap
from vexxy.identity.errors import NotSignedIn, UnusableKey, WeakSecret
from vexxy.identity.ports import Tools
from vexxy.kit import ids
from vexxy.settings import ServiceSettings

RSA, EC = rsa_key(), ec_key()
USER = ids.new_id()


def configured(**settings: object) -> Tools:
    values = {"jwt_secret_key": SECRET, **settings}
    return bootstrap.identity_tools(ServiceSettings.model_validate(values))


def signed(key: object, algorithm: str, **changed: object) -> str:
    content = claims(USER, ids.new_id(), **changed)
    return token(content, key=key, algorithm=algorithm)  # type: ignore[arg-type]


def test_secrets_are_divided_by_commas() -> None:
    tools = configured(jwt_secret_key=f"{OTHER_SECRET.replace(',', '')}, {SECRET}")
    assert tools.tokens.verify(signed(SECRET, "HS256")).user_id == USER


@pytest.mark.parametrize("form", ["text", "one line", "file"])
def test_public_keys_are_text_or_a_file(tmp_path: Path, form: str) -> None:
    both = public_pem(RSA) + public_pem(EC)
    path = tmp_path / "keys.pem"
    path.write_text(both)
    given = {"text": both, "one line": both.replace("\n", "\\n"), "file": str(path)}
    tools = configured(jwt_algorithm="RS256", jwt_public_key=given[form])
    assert tools.tokens.verify(signed(RSA, "RS256")).user_id == USER
    assert tools.tokens.verify(signed(EC, "ES256")).user_id == USER


def test_a_private_key_signs(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(private_pem(EC))
    for given in (private_pem(EC), str(path)):
        tools = configured(jwt_private_key=given)
        issued = tools.tokens.issue(
            user_id=USER, organization_id=ids.new_id(), email="a@b.c", generation=0
        )
        assert tools.tokens.verify(issued.access_token).user_id == USER


def test_issuer_and_audience_come_from_the_environment() -> None:
    tools = configured(jwt_issuer="core, ours", jwt_audience="vexxy")
    assert tools.tokens.verify(signed(SECRET, "HS256", iss="ours", aud="vexxy"))
    with pytest.raises(NotSignedIn):
        tools.tokens.verify(signed(SECRET, "HS256"))


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_algorithm_without_its_key_stops_the_start(algorithm: str) -> None:
    """Fault 4: tokens signed with the secret whatever the algorithm."""
    with pytest.raises(UnusableKey):
        configured(jwt_algorithm=algorithm)


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_secret_key": "change-me-in-production-and-everywhere"},
        {"jwt_secret_key": f"{SECRET},tiny"},
        {"core_service_key": "tiny"},
        {"core_service_key": "x" * 40},
    ],
)
def test_a_weak_secret_stops_a_production_start(settings: dict[str, str]) -> None:
    """Fault 4: the default secret of the documentation was accepted in production."""
    with pytest.raises(WeakSecret) as caught:
        configured(environment="production", **settings)
    told = f"{caught.value} {caught.value.hint}"
    assert not any(value in told for value in settings.values())


@pytest.mark.parametrize(
    "settings",
    [
        {"jwt_secret_key": None},
        {"jwt_public_key": "no such file"},
        {"jwt_private_key": "-----BEGIN PRIVATE KEY-----\nhunter2"},
        {"jwt_private_key": "hunter2"},
        {"jwt_jwks_url": "http://core.example/keys"},
    ],
)
def test_a_key_that_cannot_be_used_stops_the_start(settings: dict[str, str | None]) -> None:
    with pytest.raises(UnusableKey) as caught:
        configured(**settings)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"
