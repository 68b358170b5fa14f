"""Tokens, as somebody would forge them."""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.identity_values import (
    OTHER_SECRET,
    SECRET,
    claims,
    ec_key,
    jwk,
    private_pem,
    public_pem,
    rsa_key,
    token,
)
from vexxy.identity.errors import NoSigningKey, NotSignedIn, UnusableKey, WeakSecret
from vexxy.identity.tokens import rules
from vexxy.identity.tokens.published import PAUSE_SECONDS, STALE_SECONDS, PublishedKeys
from vexxy.identity.tokens.service import REMEMBERED_SECONDS, Tokens
from vexxy.identity.tokens.types import TokenSettings
from vexxy.kit import ids
from vexxy.kit.errors import ExternalFailure

USER, ORGANIZATION = ids.new_id(), ids.new_id()
RSA, EC = rsa_key(), ec_key()


class Published:
    """A key set that can be changed and taken away; counts how often it was asked."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.fails = False

    def fetch(self) -> bytes:
        self.fetched += 1
        if self.fails:
            raise ExternalFailure("gone")
        return json.dumps({"keys": self.keys}).encode()


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def checking(**settings: Sequence[str] | str | bool) -> Tokens:
    return Tokens(TokenSettings(**settings))  # type: ignore[arg-type]


def good(**changed: object) -> dict[str, Any]:
    return claims(USER, ORGANIZATION, **changed)


def test_a_token_of_base_vexxy_says_who_somebody_is() -> None:
    found = checking(secrets=[SECRET]).verify(token(good()))
    assert (found.user_id, found.organization_id) == (USER, ORGANIZATION)
    assert found.generation is None


def test_a_token_of_ours_holds_and_names_its_generation() -> None:
    tokens = checking(secrets=[SECRET])
    issued = tokens.issue(
        user_id=USER, organization_id=ORGANIZATION, email="a@example.com", generation=7
    )
    assert tokens.verify(issued.access_token).generation == 7
    content = jwt.decode(issued.access_token, SECRET, algorithms=["HS256"])
    assert {"sub", "org_id", "email", "is_admin", "exp", "iat"} <= content.keys()
    assert content["exp"] - content["iat"] == issued.expires_in_seconds == 3600


def test_while_a_secret_is_rotated_both_verify_and_the_first_signs() -> None:
    tokens = checking(secrets=[OTHER_SECRET, SECRET])
    for key in (SECRET, OTHER_SECRET):
        assert tokens.verify(token(good(), key=key)).user_id == USER
    issued = tokens.issue(
        user_id=USER, organization_id=ORGANIZATION, email="a@example.com", generation=0
    )
    jwt.decode(issued.access_token, OTHER_SECRET, algorithms=["HS256"])


def segment(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def forged(header: object, content: object, signature: str = "") -> str:
    return f"{segment(header)}.{segment(content)}.{signature}"


def altered() -> str:
    header, _, signature = token(good()).split(".")
    return f"{header}.{segment(good(sub=str(ids.new_id())))}.{signature}"


FORGERIES = {
    "signed with another secret": token(good(), key=OTHER_SECRET),
    "signed by nobody": forged({"alg": "none", "typ": "JWT"}, good()),
    "signed by nobody, in capitals": forged({"alg": "NONE"}, good()),
    "without an algorithm": forged({"typ": "JWT"}, good(), "AAAA"),
    "with a list of algorithms": forged({"alg": ["HS256"]}, good(), "AAAA"),
    "with a number as key id": forged({"alg": "HS256", "kid": 1}, good(), "AAAA"),
    "with other claims than were signed": altered(),
    "without its signature": token(good()).rsplit(".", 1)[0] + ".",
    "with HS512, which is not accepted": token(
        good(), key=SECRET + SECRET, algorithm="HS512"
    ),
    "with an extension nobody knows": token(good(), headers={"crit": ["x"], "x": 1}),
    "expired": token(good(exp=int(time.time()) - 60)),
    "from the future": token(good(iat=int(time.time()) + 600)),
    "not valid yet": token(good(nbf=int(time.time()) + 600)),
    "without an end": token(good(exp=None)),
    "without an instant of issue": token(good(iat=None)),
    "without a subject": token(good(sub=None)),
    "without an organization": token(good(org_id=None)),
    "of a subject that is no id": token(good(sub="admin")),
    "of an organization that is no id": token(good(org_id="*")),
    "of a list of organizations": token(good(org_id=[str(ORGANIZATION)])),
    "for somebody else's audience": token(good(aud="another service")),
    "with a generation that is no number": token(good(vexxy_gen="0")),
    "with a generation that is true": token(good(vexxy_gen=True)),
    "with an end that is a word": token(good(exp="soon")),
    "empty": "",
    "no token at all": "Bearer",
    "a million dots": "." * 1_000_000,
    "not ASCII": "ä.ö.ü",
    "not JSON inside": "AAAA.BBBB.CCCC",
    "a list inside": forged([], [], "AAAA"),
}


@pytest.mark.parametrize("text", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_token_does_not_hold_that_is(text: str) -> None:
    tokens = checking(secrets=[SECRET], public_keys=[public_pem(RSA)])
    with pytest.raises(NotSignedIn):
        tokens.verify(text)


@given(st.text() | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,40}"))
def test_no_text_does_anything_but_be_refused(text: str) -> None:
    with pytest.raises(NotSignedIn):
        checking(secrets=[SECRET]).verify(text)


def test_a_public_key_is_no_shared_secret() -> None:
    """The confusion of algorithms: HMAC with what everybody may know."""
    tokens = checking(secrets=[SECRET], public_keys=[public_pem(RSA)])
    header, content = segment({"alg": "HS256", "typ": "JWT"}), segment(good())
    for shared in (public_pem(RSA), public_pem(RSA).strip()):
        signing = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
        signature = signing.sign(f"{header}.{content}".encode(), shared.encode())
        text = f"{header}.{content}." + jwt.utils.base64url_encode(signature).decode()
        with pytest.raises(NotSignedIn):
            tokens.verify(text)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
def test_a_public_key_verifies_its_own_algorithm(key: PrivateKey, algorithm: str) -> None:
    tokens = checking(public_keys=[public_pem(key)])
    assert tokens.verify(token(good(), key=key, algorithm=algorithm)).user_id == USER
    with pytest.raises(NotSignedIn):
        tokens.verify(
            token(good(), key=rsa_key() if key is RSA else ec_key(), algorithm=algorithm)
        )


def test_a_key_is_used_for_no_other_algorithm_of_its_kind() -> None:
    tokens = checking(public_keys=[public_pem(RSA)])
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(NotSignedIn):
            tokens.verify(token(good(), key=RSA, algorithm=algorithm))


def test_with_public_keys_only_tokens_are_checked_and_not_signed() -> None:
    with pytest.raises(NoSigningKey):
        checking(public_keys=[public_pem(RSA)]).issue(
            user_id=USER, organization_id=ORGANIZATION, email="a@b.c", generation=0
        )


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
def test_a_private_key_signs_what_its_public_half_verifies(
    key: PrivateKey, algorithm: str
) -> None:
    tokens = checking(secrets=[SECRET], private_key=private_pem(key))
    issued = tokens.issue(
        user_id=USER, organization_id=ORGANIZATION, email="a@b.c", generation=0
    )
    jwt.decode(issued.access_token, key.public_key(), algorithms=[algorithm])
    assert tokens.verify(issued.access_token).user_id == USER


def test_issuer_and_audience_are_checked_where_they_are_set() -> None:
    tokens = checking(secrets=[SECRET], issuers=["core", "ours"], audiences=["vexxy"])
    assert tokens.verify(token(good(iss="core", aud="vexxy"))).user_id == USER
    assert tokens.verify(token(good(iss="ours", aud=["vexxy", "x"]))).user_id == USER
    for wrong in ({}, {"iss": "core"}, {"aud": "vexxy"}, {"iss": "cor", "aud": "vexxy"}):
        with pytest.raises(NotSignedIn):
            tokens.verify(token(good(**wrong)))
    issued = tokens.issue(
        user_id=USER, organization_id=ORGANIZATION, email="a@b.c", generation=0
    )
    assert tokens.verify(issued.access_token).user_id == USER


def test_clocks_may_differ_by_seconds_and_no_more() -> None:
    tokens = checking(secrets=[SECRET])
    now = int(time.time())
    assert tokens.verify(token(good(exp=now - 5, iat=now - 60))).user_id == USER
    assert tokens.verify(token(good(iat=now + 5))).user_id == USER


def test_a_signature_that_held_is_remembered_for_seconds() -> None:
    now = time.time()
    published = Published(jwk(RSA, kid="one"))
    tokens = Tokens(TokenSettings(), sources=[published], clock=lambda: now)
    text = token(good(), key=RSA, algorithm="RS256", headers={"kid": "one"})
    tokens.verify(text)
    tokens._published.clear()

    assert tokens.verify(text).user_id == USER
    now += REMEMBERED_SECONDS + 1
    with pytest.raises(NotSignedIn):
        tokens.verify(text)


def test_a_remembered_token_ends_when_it_says() -> None:
    now = time.time()
    tokens = Tokens(TokenSettings(secrets=[SECRET]), clock=lambda: now)
    text = token(good(exp=int(now) + 3))
    tokens.verify(text)
    now += 4
    assert tokens._held.get(b"") is None
    assert all(until <= now for until, _ in tokens._held._held.values())


class TestPublishedKeys:
    def keys(self, published: Published) -> tuple[PublishedKeys, list[float]]:
        now = [1000.0]
        return PublishedKeys(published, clock=lambda: now[0]), now

    def test_a_set_is_fetched_once(self) -> None:
        published = Published(jwk(RSA, kid="one"), jwk(EC, kid="two"))
        keys, _ = self.keys(published)
        assert {key.kid for key in keys.keys("one")} == {"one", "two"}
        keys.keys("two")
        assert published.fetched == 1

    def test_invented_key_ids_do_not_make_us_fetch(self) -> None:
        published = Published(jwk(RSA, kid="one"))
        keys, now = self.keys(published)
        for number in range(100):
            keys.keys(f"invented {number}")
        assert published.fetched == 1
        now[0] += PAUSE_SECONDS
        keys.keys("invented")
        assert published.fetched == 2

    def test_a_token_by_shared_secret_makes_us_fetch_nothing(self) -> None:
        published = Published(jwk(RSA, kid="one"))
        tokens = Tokens(TokenSettings(secrets=[SECRET]), sources=[published])
        tokens.verify(token(good(), headers={"kid": "invented"}))
        assert published.fetched == 0

    def test_a_new_key_is_found_after_a_pause(self) -> None:
        published = Published(jwk(RSA, kid="one"))
        keys, now = self.keys(published)
        keys.keys("one")
        published.keys = [jwk(EC, kid="two")]
        now[0] += PAUSE_SECONDS
        assert {key.kid for key in keys.keys("two")} == {"two"}

    def test_a_source_that_fails_costs_nothing_for_a_day(self) -> None:
        published = Published(jwk(RSA, kid="one"))
        keys, now = self.keys(published)
        keys.keys("one")
        published.fails = True
        now[0] += STALE_SECONDS - 1
        assert keys.keys("one")
        now[0] += 2
        assert keys.keys("one") == ()

    def test_a_set_with_nothing_usable_replaces_nothing(self) -> None:
        published = Published(jwk(RSA, kid="one"))
        keys, now = self.keys(published)
        keys.keys("one")
        published.keys = []
        now[0] += STALE_SECONDS / 2
        assert keys.keys("one")


@pytest.mark.parametrize(
    "item",
    [
        {"kty": "oct", "k": "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I", "alg": "HS256"},
        jwk(RSA, use="enc"),
        jwk(RSA, alg="RS512"),
        jwk(rsa_key(1024)),
        {**jwk(EC), "crv": "P-384"},
        {**jwk(EC), "x": "AAAA"},
        {**jwk(RSA), "n": 5},
        {"kty": "RSA"},
        jwt.algorithms.RSAAlgorithm.to_jwk(RSA, as_dict=True),  # private
        {},
    ],
)
def test_a_published_key_is_passed_over_that_must_not_verify(item: dict[str, Any]) -> None:
    with pytest.raises(UnusableKey):
        rules.key_set(json.dumps({"keys": [item, 1, None]}).encode())


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"keys": 1}', b"[" * 100_000, b"\xff"]
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(UnusableKey):
        rules.key_set(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        public_pem(rsa_key(1024)),
        public_pem(ec_key(ec.SECP384R1())),
        private_pem(EC),
    ],
)
def test_a_public_key_is_refused_that_is(text: str) -> None:
    with pytest.raises(UnusableKey):
        rules.public_key(text)


@pytest.mark.parametrize(
    "secret",
    [
        "change-me-in-production-please-really",
        "your-secret-key-here-your-secret-key-here",
        "MyDefaultSecretForTheWholeCompany2024",
        "a" * 64,
        "abababababababababababababababababab",
    ],
)
def test_production_refuses_a_secret_that_others_would_guess(secret: str) -> None:
    with pytest.raises(WeakSecret) as caught:
        checking(secrets=[secret], production=True)
    assert secret not in str(caught.value) + str(caught.value.hint)
    checking(secrets=[secret])


@pytest.mark.parametrize("production", [True, False])
def test_no_secret_is_shorter_than_its_hash(production: bool) -> None:  # noqa: FBT001
    with pytest.raises(WeakSecret, match="shorter than 32 bytes"):
        checking(secrets=[SECRET, "short"], production=production)


def test_production_takes_random_secrets() -> None:
    for _ in range(200):
        secret = base64.b64encode(ids.new_id().bytes + ids.new_id().bytes).decode()
        checking(secrets=[secret], production=True)
        checking(secrets=[secret.encode().hex()], production=True)


def test_without_any_key_nothing_starts() -> None:
    with pytest.raises(UnusableKey):
        checking()
