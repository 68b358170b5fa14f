"""Roles, addresses and keys, as functions of values."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexxy.identity import rules
from vexxy.identity.errors import Busy, NotSignedIn, NotYours, UnusableAddress, WeakPassword
from vexxy.identity.passwords import rules as password_rules
from vexxy.identity.passwords.service import Passwords
from vexxy.identity.sync import rules as sync_rules
from vexxy.identity.sync.types import CoreUser
from vexxy.identity.throttle import rules as counters
from vexxy.identity.types import Claims, Limits, Permission, Role
from vexxy.kit import ids

P = Permission
MATRIX = {
    Role.OWNER: set(P) - {P.OPERATIONS_MANAGE},
    Role.ADMIN: set(P) - {P.OPERATIONS_MANAGE},
    Role.ANALYST: {P.ANALYSIS_READ, P.ANALYSIS_WRITE, P.BILLING_READ},
    Role.VIEWER: {P.ANALYSIS_READ},
}


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("is_admin", [False, True])
def test_a_role_has_its_permissions_and_no_other(
    role: Role, permission: Permission, *, is_admin: bool
) -> None:
    expected = permission in MATRIX[role] or (
        is_admin and permission is P.OPERATIONS_MANAGE
    )
    assert (permission in rules.permissions(role, is_admin=is_admin)) is expected


@pytest.mark.parametrize("by", Role)
@pytest.mark.parametrize("before", [None, *Role])
@pytest.mark.parametrize("after", [None, *Role])
def test_only_owners_touch_owners(
    by: Role, before: Role | None, after: Role | None
) -> None:
    concerns_owner = Role.OWNER in {before, after}
    if concerns_owner and by is not Role.OWNER:
        with pytest.raises(NotYours):
            rules.check_assignment(by, before=before, after=after)
    else:
        rules.check_assignment(by, before=before, after=after)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("  ada@example.com\n", "ada@example.com"),
        ("ada+vexxy@example.com", "ada+vexxy@example.com"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada\N{FULLWIDTH COMMERCIAL AT}example.com", "ada@example.com"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_an_address_has_one_form(text: str, normal: str) -> None:
    assert rules.normal_email(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "ada", "ada@", "@example.com", "a da@example.com", "ada@exa mple.com"),
        *("ada@-example.com", "ada@example..com", f"{'a' * 65}@example.com", "a@b\x00.c"),
        *(f"a@{'b.' * 130}c", "a@b@c\n", "ada@example.com,eve@example.com", "\ud800@b.c"),
        *("<ada@example.com>", "ada@example.com\r\nBcc: eve@example.com", "a\x00@b.c"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UnusableAddress):
        rules.normal_email(text)


@given(st.text(max_size=300) | st.emails())
def test_the_form_of_an_address_is_its_own_form(text: str) -> None:
    try:
        normal = rules.normal_email(text)
    except UnusableAddress:
        return
    assert rules.normal_email(normal) == normal
    assert not set(normal) & set(" \n\r\t\x00,<>")


@given(st.binary(min_size=32, max_size=32), st.uuids())
def test_a_key_names_its_organization_and_is_known_by_its_digest(
    random: bytes, organization_id: object
) -> None:
    text = rules.api_key(random, organization_id)  # type: ignore[arg-type]
    proof = rules.key_proof(text)
    assert proof.organization_id == organization_id
    assert proof.digest == rules.digest(text)
    assert rules.shown_prefix(text) == text[:12]


@given(st.text() | st.from_regex(r"vxy_[\w=+/-]{0,70}", fullmatch=True))
def test_what_is_no_key_is_refused(text: str) -> None:
    try:
        proof = rules.key_proof(text)
    except NotSignedIn:
        return
    assert len(text) == 68
    assert len(proof.digest) == 32


@pytest.mark.parametrize("name", ["", "Ünïted & Söns", "日本", "a" * 200, "---", "A  B"])
def test_a_slug_can_stand_in_an_address(name: str) -> None:
    slug = rules.slug(name, ids.new_id())
    assert slug.isascii()
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not slug.startswith("-")


def test_a_token_of_ours_holds_in_its_generation_only() -> None:
    claims = Claims(ids.new_id(), ids.new_id(), issued_at=100, expires_at=200, generation=3)
    assert rules.token_holds(claims, generation=3, valid_from=datetime.now(UTC))
    assert not rules.token_holds(claims, generation=4, valid_from=None)
    assert not rules.token_holds(claims, generation=2, valid_from=None)


@pytest.mark.parametrize(
    ("issued_at", "holds"), [(99, False), (100, False), (101, True), (10**30, True)]
)
def test_a_token_of_base_vexxy_holds_if_it_is_younger_than_the_log_out(
    issued_at: int, *, holds: bool
) -> None:
    claims = Claims(ids.new_id(), ids.new_id(), issued_at=issued_at, expires_at=10**31)
    logged_out = datetime.fromtimestamp(100.5, UTC)
    assert rules.token_holds(claims, generation=9, valid_from=logged_out) is holds
    assert rules.token_holds(claims, generation=9, valid_from=None)


@pytest.mark.parametrize(
    "password",
    [
        *("short", "x" * 257, "aaaaaaaaaaaaaaa", "Password123", "1234567890"),
        *("ada.lovelace@example.com", "Ada.Lovelace", "abcabcabcabcabc"),
    ],
)
def test_a_password_is_refused_that_would_be_guessed(password: str) -> None:
    with pytest.raises(WeakPassword) as caught:
        password_rules.check(password, email="ada.lovelace@example.com")
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    "password", ["four unrelated plain words", "日本語日本語のパスワード", "x y z w " * 30]
)
def test_a_long_password_needs_no_special_characters(password: str) -> None:
    password_rules.check(password, email="ada@example.com")


def test_a_hash_tells_its_password_and_its_age() -> None:
    today, earlier = Passwords(memory_kib=16, passes=1), Passwords(memory_kib=8, passes=1)
    hashed = earlier.hash("four unrelated plain words")
    assert hashed.startswith("$argon2id$")
    assert hashed != earlier.hash("four unrelated plain words")
    assert today.matches("four unrelated plain words", hashed)
    assert not today.matches("four unrelated plain word", hashed)
    assert today.outdated(hashed)
    assert not earlier.outdated(hashed)


@pytest.mark.parametrize("hashed", [None, "", "!", "$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA"])
def test_no_password_matches_what_is_no_hash(hashed: str | None) -> None:
    assert not Passwords(memory_kib=8, passes=1).matches("", hashed)


def test_who_comes_while_many_sign_in_is_turned_away() -> None:
    """Goal: signing in never holds every thread of a server. Method: hold all places."""
    crowded = Passwords(memory_kib=8, passes=1, at_once=1, waiting=0)
    hashed = crowded.hash("four unrelated plain words")
    with crowded._place():
        with pytest.raises(Busy):
            crowded.matches("four unrelated plain words", hashed)
        with pytest.raises(Busy):
            crowded.hash("four unrelated plain words")
    assert crowded.matches("four unrelated plain words", hashed)


def test_the_parameters_are_those_that_owasp_recommends() -> None:
    assert "$m=47104,t=1,p=1$" in Passwords().hash("four unrelated plain words")


def test_counters_tell_neither_accounts_nor_addresses() -> None:
    limits = Limits()
    names = {
        counters.account(limits, "ada@example.com").name,
        counters.account(limits, "bob@example.com").name,
        counters.address(limits, "192.0.2.1").name,
        counters.registration(limits, "192.0.2.1").name,
        counters.reset(limits, "ada@example.com").name,
    }
    assert len(names) == 5
    assert all(len(name) == 32 for name in names)


def test_an_ipv6_customer_has_one_counter() -> None:
    limits = Limits()
    one = counters.address(limits, "2001:db8:1:2::1")
    assert one == counters.address(limits, "2001:db8:1:2:ffff::9")
    assert one != counters.address(limits, "2001:db8:1:3::1")
    assert counters.address(limits, "::ffff:192.0.2.1") == counters.address(
        limits, "192.0.2.1"
    )


R = Role


@pytest.mark.parametrize(
    ("role", "is_admin", "current", "expected"),
    [
        (R.VIEWER, True, R.OWNER, R.VIEWER),
        (R.OWNER, None, None, R.OWNER),
        (None, True, None, R.ADMIN),
        (None, None, None, R.ANALYST),
        (None, False, None, R.ANALYST),
        (None, False, R.ADMIN, R.ANALYST),
        (None, None, R.ADMIN, R.ADMIN),
        (None, True, R.VIEWER, R.ADMIN),
        (None, False, R.VIEWER, R.VIEWER),
        (None, False, R.OWNER, R.OWNER),
        (None, True, R.OWNER, R.OWNER),
    ],
)
def test_base_vexxys_word_becomes_a_role(
    role: Role | None, *, is_admin: bool | None, current: Role | None, expected: Role
) -> None:
    told = CoreUser(ids.new_id(), ids.new_id(), "a@b.c", "A", role, is_admin)
    assert sync_rules.role(told, current=current) is expected
