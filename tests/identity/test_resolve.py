"""The token says who; the database says what they may do, at every request."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import ProgrammingError

from tests.identity_values import OTHER_SECRET, claims, token, tools
from tests.service_values import a_user, an_organization
from vexxy.audit import types as audit
from vexxy.identity import service
from vexxy.identity.errors import NotSignedIn, NotYours, SignInNeeded, TooManyKeys
from vexxy.identity.keys import rules as key_rules
from vexxy.identity.keys import service as keys
from vexxy.identity.keys.types import NewKey
from vexxy.identity.types import Identity, Permission, Role
from vexxy.kit import ids
from vexxy.kit.db import Database

TOOLS = tools()
ACTOR = audit.system("tests")


def identify(
    database: Database, *, bearer: str | None = None, key: str | None = None
) -> Identity:
    authorization = None if bearer is None else f"Bearer {bearer}"
    principal = service.authenticate(TOOLS, authorization=authorization, api_key=key)
    with database.transaction(principal.organization_id) as session:
        return service.resolve(session, principal)


def refused(database: Database, **shown: str) -> None:
    with pytest.raises(NotSignedIn):
        identify(database, **shown)


def change(system: Database, user_id: UUID, assignment: str) -> None:
    with system.transaction() as session:
        session.execute(
            text(f"update users set {assignment} where id = :id"),  # noqa: S608
            {"id": user_id},
        )


def a_key(
    request: Database, organization_id: UUID, user_id: UUID, wanted: NewKey | None = None
) -> str:
    who = identify(request, bearer=token(claims(user_id, organization_id)))
    with request.transaction(organization_id) as session:
        return keys.make(session, who, wanted or NewKey("CI"), actor=ACTOR).text


@pytest.fixture
def home(db_system: Database) -> UUID:
    return an_organization(db_system)


@pytest.fixture
def user(db_system: Database, home: UUID) -> UUID:
    return a_user(db_system, home, role="admin")


def test_a_token_of_base_vexxy_gets_what_the_database_says(
    db_request: Database, home: UUID, user: UUID
) -> None:
    """Not what it says itself: it claims to be an operator."""
    who = identify(
        db_request, bearer=token(claims(user, home, is_admin=True, role="owner"))
    )
    assert (who.user_id, who.organization_id, who.role) == (user, home, Role.ADMIN)
    assert not who.is_admin
    assert Permission.OPERATIONS_MANAGE not in who.permissions


def test_a_token_that_names_another_organization_is_worth_nothing(
    db_system: Database, db_request: Database, user: UUID
) -> None:
    elsewhere = an_organization(db_system)
    refused(db_request, bearer=token(claims(user, elsewhere)))
    refused(db_request, bearer=token(claims(user, ids.new_id())))


def test_a_token_of_nobody_is_worth_nothing(db_request: Database, home: UUID) -> None:
    refused(db_request, bearer=token(claims(ids.new_id(), home)))


def test_a_forged_token_is_worth_nothing(
    db_request: Database, home: UUID, user: UUID
) -> None:
    refused(db_request, bearer=token(claims(user, home), key=OTHER_SECRET))


@pytest.mark.parametrize(
    ("authorization", "api_key"),
    [
        *((None, None), ("", None), ("Bearer", None), ("Bearer ", None), ("Basic x", None)),
        *((None, ""), (None, "vxy_"), ("Bearer vxy_x", None), (None, "Bearer x")),
    ],
)
def test_without_credentials_nobody_is_anybody(
    authorization: str | None, api_key: str | None
) -> None:
    with pytest.raises(NotSignedIn):
        service.authenticate(TOOLS, authorization=authorization, api_key=api_key)


def test_two_credentials_at_once_are_refused(
    db_request: Database, home: UUID, user: UUID
) -> None:
    key = a_key(db_request, home, user)
    refused(db_request, bearer=token(claims(user, home)), key=key)


def test_deactivation_holds_from_the_next_request_on(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    bearer, key = token(claims(user, home)), a_key(db_request, home, user)
    assert identify(db_request, bearer=bearer)
    assert identify(db_request, key=key)
    change(db_system, user, "is_active = false")
    refused(db_request, bearer=bearer)
    refused(db_request, key=key)


def test_another_role_holds_from_the_next_request_on(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    bearer = token(claims(user, home))
    wanted = NewKey("all", [Permission.MEMBERS_MANAGE, Permission.ANALYSIS_READ])
    key = a_key(db_request, home, user, wanted)
    change(db_system, user, "role = 'viewer'")
    expected = {Permission.ANALYSIS_READ}
    assert identify(db_request, bearer=bearer).permissions == expected
    assert identify(db_request, key=key).permissions == expected


def test_a_token_of_an_earlier_generation_is_worth_nothing(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    issued = TOOLS.tokens.issue(
        user_id=user, organization_id=home, email="a@b.c", generation=0
    )
    assert identify(db_request, bearer=issued.access_token)
    change(db_system, user, "token_generation = 1")
    refused(db_request, bearer=issued.access_token)


def test_a_token_of_base_vexxy_ends_with_a_log_out_everywhere(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    bearer = token(claims(user, home))
    change(db_system, user, "tokens_valid_from = now()")
    refused(db_request, bearer=bearer)


def test_only_the_database_makes_an_operator(
    db_system: Database, db_request: Database, home: UUID
) -> None:
    operator = a_user(db_system, home, role="viewer", is_admin=True)
    who = identify(db_request, bearer=token(claims(operator, home)))
    assert who.permissions == {Permission.ANALYSIS_READ, Permission.OPERATIONS_MANAGE}


@pytest.mark.parametrize("statement", ["update users set is_admin = true", "insert"])
def test_a_request_cannot_make_an_operator(
    db_request: Database, home: UUID, user: UUID, statement: str
) -> None:
    """Whatever code runs in it: the database refuses."""
    if statement == "insert":
        statement = (
            "insert into users (id, organization_id, email, name, role, is_admin)"
            " values (gen_random_uuid(), (select vexxy_organization()), 'eve@example.com',"
            " 'Eve', 'viewer', true)"
        )
    with pytest.raises(ProgrammingError, match="operators are named by operators"):
        run(db_request, home, statement)


def run(database: Database, organization_id: UUID, statement: str) -> None:
    with database.transaction(organization_id) as session:
        session.execute(text(statement))


def test_a_key_is_its_user_with_its_scopes(
    db_request: Database, home: UUID, user: UUID
) -> None:
    wanted = NewKey("audit", [Permission.AUDIT_READ])
    who = identify(db_request, key=a_key(db_request, home, user, wanted))
    assert (who.user_id, who.permissions) == (user, {Permission.AUDIT_READ})
    assert who.api_key_id is not None


def test_a_key_can_be_sent_as_a_bearer_token(
    db_request: Database, home: UUID, user: UUID
) -> None:
    assert identify(db_request, bearer=a_key(db_request, home, user)).user_id == user


def test_a_key_under_another_organizations_name_is_worth_nothing(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    """The organization inside a key is a claim; its digest covers it."""
    from base64 import urlsafe_b64decode, urlsafe_b64encode  # noqa: PLC0415

    elsewhere = an_organization(db_system)
    key = a_key(db_request, home, user)
    content = urlsafe_b64decode(key.removeprefix("vxy_"))[:32] + elsewhere.bytes
    refused(db_request, key="vxy_" + urlsafe_b64encode(content).decode())


def test_a_key_may_not_have_more_than_its_maker(
    db_system: Database, db_request: Database, home: UUID
) -> None:
    viewer = a_user(db_system, home, role="viewer")
    for scope in set(Permission) - {Permission.ANALYSIS_READ}:
        with pytest.raises(NotYours):
            a_key(db_request, home, viewer, NewKey("more", [scope]))
    key = a_key(db_request, home, viewer)
    assert identify(db_request, key=key).permissions == {Permission.ANALYSIS_READ}


def test_an_expired_key_is_worth_nothing(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    key = a_key(db_request, home, user, NewKey("a day", expires_at=until))
    assert identify(db_request, key=key)
    with db_system.transaction() as session:
        session.execute(text("update api_keys set expires_at = now() - interval '1s'"))
    refused(db_request, key=key)


def test_a_revoked_key_is_worth_nothing(
    db_request: Database, home: UUID, user: UUID
) -> None:
    key = a_key(db_request, home, user)
    who = identify(db_request, key=key)
    assert who.api_key_id is not None
    with db_request.transaction(home) as session:
        keys.revoke(session, who, who.api_key_id, actor=ACTOR)
    refused(db_request, key=key)


def test_a_key_may_not_do_what_needs_a_person(
    db_request: Database, home: UUID, user: UUID
) -> None:
    who = identify(db_request, key=a_key(db_request, home, user))
    with pytest.raises(SignInNeeded):
        service.check_person(who)


def test_the_text_of_a_key_is_stored_nowhere(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    key = a_key(db_request, home, user)
    for table in ("api_keys", "billing_audit_log"):
        with db_system.transaction() as session:
            rows = session.execute(text(f"select t::text from {table} t"))  # noqa: S608
            assert not any(key[12:40] in row[0] for row in rows)


def test_use_of_a_key_is_noted_once_in_minutes(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    key = a_key(db_request, home, user)
    with statements(db_request) as sent:
        for _ in range(5):
            identify(db_request, key=key)
    assert sum("update api_keys" in sql for sql in sent) == 1

    with db_system.transaction() as session:
        session.execute(
            text("update api_keys set last_used_at = now() - interval '6 minutes'")
        )
    with statements(db_request) as sent:
        identify(db_request, key=key)
    assert sum("update api_keys" in sql for sql in sent) == 1


def test_a_caller_costs_one_statement(db_request: Database, home: UUID, user: UUID) -> None:
    bearer, key = token(claims(user, home)), a_key(db_request, home, user)
    identify(db_request, key=key)
    for shown in ({"bearer": bearer}, {"key": key}):
        with statements(db_request) as sent:
            identify(db_request, **shown)
        assert len([sql for sql in sent if "set_config" not in sql]) == 1


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_c: object, _k: object, sql: str, *_rest: object) -> None:
        sent.append(sql)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_user_has_so_many_keys_and_no_more(
    db_system: Database, db_request: Database, home: UUID, user: UUID
) -> None:
    for _ in range(key_rules.KEYS_MAX):
        a_key(db_request, home, user)
    with pytest.raises(TooManyKeys):
        a_key(db_request, home, user)


@pytest.mark.parametrize(
    "shown", [None, "", "wrong", "service key of tests number one ...,"]
)
@pytest.mark.parametrize(
    "configured", [(), ("service key of tests number one ....", "two")]
)
def test_who_shows_no_service_key_is_not_base_vexxy(
    configured: tuple[str, ...], shown: str | None
) -> None:
    with pytest.raises(NotSignedIn):
        service.check_service_key(configured, shown)


@pytest.mark.parametrize("shown", ["one of two keys", "the other of two"])
def test_while_a_service_key_is_rotated_both_hold(shown: str) -> None:
    service.check_service_key(("one of two keys", "the other of two"), shown)
