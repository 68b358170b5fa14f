"""Signing in, as somebody would who guesses."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import event, text

from tests.identity_values import CHEAP, PASSWORD, public_pem, rsa_key, tools
from tests.service_values import a_user, an_organization
from vexxy.audit import types as audit
from vexxy.identity import service as identity
from vexxy.identity.accounts import service
from vexxy.identity.accounts.types import Credentials, Origin, Registration
from vexxy.identity.errors import (
    EmailTaken,
    NoSigningKey,
    NotSignedIn,
    RegistrationClosed,
    TooManyAttempts,
    UnusableAddress,
    WeakPassword,
    WrongCredentials,
    WrongPassword,
)
from vexxy.identity.keys import service as keys
from vexxy.identity.keys.types import NewKey
from vexxy.identity.passwords.service import Passwords
from vexxy.identity.ports import Tools
from vexxy.identity.throttle import rules as counters
from vexxy.identity.throttle import service as throttle
from vexxy.identity.tokens.service import Tokens
from vexxy.identity.tokens.types import TokenSettings
from vexxy.identity.types import Identity, Limits, Role, SignedIn
from vexxy.kit import ids
from vexxy.kit.db import Database

TOOLS = tools()
ACTOR = audit.system("tests")


def an_address() -> str:
    return f"{ids.new_id().hex}@example.com"


def an_origin() -> Origin:
    """Somebody from an address that nobody else of these tests has."""
    number = ids.new_id().int
    return Origin(f"2001:db8:{number % 65536:x}:{number // 65536 % 65536:x}::1", "curl")


def registered(system: Database, email: str | None = None) -> SignedIn:
    wanted = Registration(email or an_address(), PASSWORD, "Ada", "Example")
    with system.transaction() as session:
        return service.register(session, TOOLS, wanted, origin=an_origin())


def sign_in(
    system: Database,
    email: str,
    password: str = PASSWORD,
    *,
    origin: Origin | None = None,
    using: Tools = TOOLS,
) -> SignedIn:
    shown = Credentials(email, password)
    return service.sign_in(system, using, shown, origin=origin or an_origin())


def who(request: Database, signed_in: SignedIn) -> Identity:
    principal = identity.authenticate(
        TOOLS, authorization=f"Bearer {signed_in.token.access_token}", api_key=None
    )
    with request.transaction(principal.organization_id) as session:
        return identity.resolve(session, principal)


def acts(system: Database, organization_id: UUID) -> list[str]:
    query = text(
        "select action from billing_audit_log where organization_id = :id order by position"
    )
    with system.transaction() as session:
        return list(session.scalars(query, {"id": organization_id}))


def test_who_registers_owns_an_organization(
    db_system: Database, db_request: Database
) -> None:
    found = registered(db_system, "Ada.1@Example.com")
    caller = who(db_request, found)
    assert (caller.email, caller.role) == ("ada.1@example.com", Role.OWNER)
    assert not caller.is_admin
    assert acts(db_system, caller.organization_id) == ["organization.registered"]


@pytest.mark.parametrize("again", ["ada.2@example.com", "ADA.2@EXAMPLE.COM"])
def test_an_address_has_one_account(db_system: Database, again: str) -> None:
    email = "ada.2@example.com"
    try:
        registered(db_system, email)
    except EmailTaken:
        assert again != email  # the account of the first case
    before = organizations(db_system)
    with pytest.raises(EmailTaken):
        registered(db_system, again)
    assert organizations(db_system) == before


def organizations(system: Database) -> int:
    with system.transaction() as session:
        return session.scalars(text("select count(*) from organizations")).one()


def test_of_two_who_register_an_address_at_once_one_wins(db_system: Database) -> None:
    email = an_address()

    def attempt(_number: int) -> bool:
        try:
            registered(db_system, email)
        except EmailTaken:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(attempt, range(6))) == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("changed", "error"),
    [({"email": "nobody"}, UnusableAddress), ({"password": "password123"}, WeakPassword)],
)
def test_a_registration_that_cannot_be_leaves_nothing(
    db_system: Database, changed: dict[str, str], error: type[Exception]
) -> None:
    before = organizations(db_system)
    values = {"email": an_address(), "password": PASSWORD, **changed}
    wanted = Registration(name="Ada", organization_name="Example", **values)
    with pytest.raises(error), db_system.transaction() as session:
        service.register(session, TOOLS, wanted, origin=an_origin())
    assert organizations(db_system) == before


def test_an_operator_can_close_registration(db_system: Database) -> None:
    wanted = Registration(an_address(), PASSWORD, "Ada", "Example")
    closed = tools(registration_open=False)
    with pytest.raises(RegistrationClosed), db_system.transaction() as session:
        service.register(session, closed, wanted, origin=an_origin())


def test_who_knows_the_password_signs_in(db_system: Database, db_request: Database) -> None:
    first = registered(db_system)
    again = sign_in(db_system, first.account.email.upper())
    assert who(db_request, again).user_id == first.account.user_id
    assert acts(db_system, first.account.organization_id)[-1] == "user.signed_in"


class Counted:
    """Password hashing that counts how often it was asked."""

    def __init__(self) -> None:
        self.verified = 0

    def hash(self, password: str) -> str:
        return CHEAP.hash(password)

    def matches(self, password: str, hashed: str | None) -> bool:
        self.verified += 1
        return CHEAP.matches(password, hashed)

    def outdated(self, hashed: str) -> bool:
        return CHEAP.outdated(hashed)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_c: object, _k: object, sql: str, *_rest: object) -> None:
        sent.append(sql)

    event.listen(database.engine, "before_cursor_execute", note)
    yield sent
    event.remove(database.engine, "before_cursor_execute", note)


def test_who_is_refused_learns_nothing(db_system: Database) -> None:
    """Goal: no oracle. Method: the same statements, one hash and one answer each.

    Time is what these cost; a clock in a test would measure the machine.
    """
    known = registered(db_system).account
    inactive = registered(db_system).account
    core = a_user(db_system, an_organization(db_system))
    with db_system.transaction() as session:
        session.execute(
            text("update users set is_active = false where id = :id"),
            {"id": inactive.user_id},
        )
    cases = {
        "wrong password": (known.email, "wrong password"),
        "unknown": (an_address(), PASSWORD),
        "inactive, right password": (inactive.email, PASSWORD),
        "of base VEXxy": (f"{core.hex}@example.com", PASSWORD),
        "no address at all": ("nobody", PASSWORD),
    }
    seen = set()
    for email, password in cases.values():
        hashing = Counted()
        using = Tools(tokens=TOOLS.tokens, passwords=hashing)
        with statements(db_system) as sent, pytest.raises(WrongCredentials) as caught:
            sign_in(db_system, email, password, using=using)
        answer = (caught.value.message, caught.value.hint, str(caught.value.details))
        seen.add((tuple(sent), hashing.verified, answer))
    assert len(seen) == 1
    assert next(iter(seen))[1] == 1


def test_where_nobody_signs_in_passwords_are_not_looked_at(db_system: Database) -> None:
    """Otherwise the right password would get another answer than a wrong one."""
    checking = Tokens(TokenSettings(public_keys=[public_pem(rsa_key())]))
    hashing = Counted()
    using = Tools(tokens=checking, passwords=hashing)
    for email in (registered(db_system).account.email, an_address()):
        with pytest.raises(NoSigningKey):
            sign_in(db_system, email, using=using)
    assert hashing.verified == 0


def test_a_refusal_is_recorded_where_there_is_an_account(db_system: Database) -> None:
    account = registered(db_system).account
    with pytest.raises(WrongCredentials):
        sign_in(db_system, account.email, "wrong password")
    assert acts(db_system, account.organization_id)[-1] == "user.sign_in_failed"


@pytest.mark.parametrize("exists", [True, False])
def test_an_account_is_tried_so_often_and_no_more(
    db_system: Database, *, exists: bool
) -> None:
    """From whatever address, whether or not it exists, and with the right password."""
    email = registered(db_system).account.email if exists else an_address()
    for _ in range(Limits().per_account):
        with pytest.raises(WrongCredentials):
            sign_in(db_system, email, "wrong password")
    with pytest.raises(TooManyAttempts) as caught:
        sign_in(db_system, email)
    assert 0 < caught.value.retry_after_seconds <= Limits().window_seconds


def test_an_address_tries_so_often_and_no_more(db_system: Database) -> None:
    using = tools(limits=Limits(per_address=5))
    origin = an_origin()
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            sign_in(db_system, an_address(), origin=origin, using=using)
    account = registered(db_system).account
    with pytest.raises(TooManyAttempts):
        sign_in(db_system, account.email, origin=origin, using=using)
    assert sign_in(db_system, account.email, using=using)


def test_guesses_made_at_once_cannot_all_pass(db_system: Database) -> None:
    email = registered(db_system).account.email

    def guess(number: int) -> bool:
        try:
            sign_in(db_system, email, f"guess number {number}")
        except TooManyAttempts:
            return False
        except WrongCredentials:
            return True
        return True

    with ThreadPoolExecutor(8) as pool:
        looked_at = sum(pool.map(guess, range(40)))
    assert looked_at == Limits().per_account


def test_an_own_account_does_not_buy_guesses_at_others(db_system: Database) -> None:
    """Signing in gives back its own attempt, not those made at others before it."""
    mine = registered(db_system).account.email
    using = tools(limits=Limits(per_address=4))
    origin = an_origin()
    for _ in range(4):
        with pytest.raises(WrongCredentials):
            sign_in(db_system, an_address(), origin=origin, using=using)
        try:
            sign_in(db_system, mine, origin=origin, using=using)
        except TooManyAttempts:
            break
    with pytest.raises(TooManyAttempts):
        sign_in(db_system, an_address(), origin=origin, using=using)


def test_signing_in_forgets_what_was_mistyped(db_system: Database) -> None:
    email = registered(db_system).account.email
    for _ in range(3):
        for _ in range(Limits().per_account - 1):
            with pytest.raises(WrongCredentials):
                sign_in(db_system, email, "wrong password")
        sign_in(db_system, email)


def test_an_office_signs_in_from_one_address(db_system: Database) -> None:
    using = tools(limits=Limits(per_address=2))
    origin = an_origin()
    for _ in range(5):
        email = registered(db_system).account.email
        assert sign_in(db_system, email, origin=origin, using=using)


def test_a_window_ends(db_system: Database) -> None:
    counter = counters.account(Limits(per_account=1), an_address())
    throttle.spend(db_system, [counter])
    with pytest.raises(TooManyAttempts):
        throttle.spend(db_system, [counter])
    with db_system.transaction() as session:
        session.execute(
            text(
                "update sign_in_attempts set window_ends_at = now() where counter = :name"
            ),
            {"name": counter.name},
        )
    throttle.spend(db_system, [counter])


def test_counters_that_ended_are_removed(db_system: Database) -> None:
    for _ in range(3):
        throttle.spend(db_system, [counters.account(Limits(), an_address())])
    with db_system.transaction() as session:
        session.execute(
            text("update sign_in_attempts set window_ends_at = now() - interval '1s'")
        )
    for _ in range(20):
        throttle.spend(db_system, [counters.account(Limits(), an_address())])
    with db_system.transaction() as session:
        query = text("select count(*) from sign_in_attempts where window_ends_at < now()")
        assert session.scalars(query).one() == 0


def test_a_hash_of_earlier_parameters_is_replaced(db_system: Database) -> None:
    account = registered(db_system).account
    stronger = Tools(tokens=TOOLS.tokens, passwords=Passwords(memory_kib=16, passes=2))
    sign_in(db_system, account.email, using=stronger)
    with db_system.transaction() as session:
        query = text("select hashed_password from users where id = :id")
        hashed = session.scalars(query, {"id": account.user_id}).one()
    assert "$m=16,t=2,p=1$" in hashed
    assert sign_in(db_system, account.email, using=stronger)


def change_password(
    request: Database, caller: Identity, *, current: str = PASSWORD, new: str
) -> str:
    with request.transaction(caller.organization_id) as session:
        issued = service.change_password(
            session, TOOLS, caller, current=current, new=new, actor=ACTOR
        )
    return issued.access_token


def test_a_changed_password_ends_every_token_but_the_one_it_answers(
    db_system: Database, db_request: Database
) -> None:
    first = registered(db_system)
    second = sign_in(db_system, first.account.email)
    caller = who(db_request, second)
    fresh = change_password(db_request, caller, new="five more unrelated words")
    for stale in (first, second):
        with pytest.raises(NotSignedIn):
            who(db_request, stale)
    principal = identity.authenticate(TOOLS, authorization=f"Bearer {fresh}", api_key=None)
    with db_request.transaction(caller.organization_id) as session:
        assert identity.resolve(session, principal).user_id == caller.user_id
    with pytest.raises(WrongCredentials):
        sign_in(db_system, caller.email)
    assert sign_in(db_system, caller.email, "five more unrelated words")


def test_a_stolen_token_changes_no_password(
    db_system: Database, db_request: Database
) -> None:
    caller = who(db_request, registered(db_system))
    with pytest.raises(WrongPassword):
        change_password(db_request, caller, current="a guess", new="five unrelated words")
    for _ in range(Limits().per_account):
        service.spend_proof(db_system, TOOLS, caller)
    with pytest.raises(TooManyAttempts):
        service.spend_proof(db_system, TOOLS, caller)


def test_a_new_password_is_as_good_as_the_first(
    db_system: Database, db_request: Database
) -> None:
    caller = who(db_request, registered(db_system))
    with pytest.raises(WeakPassword):
        change_password(db_request, caller, new="password123")


@pytest.mark.parametrize("revoke", [True, False])
def test_logging_out_everywhere_ends_tokens_and_keys_if_asked(
    db_system: Database, db_request: Database, *, revoke: bool
) -> None:
    signed_in = registered(db_system)
    caller = who(db_request, signed_in)
    with db_request.transaction(caller.organization_id) as session:
        key = keys.make(session, caller, NewKey("CI"), actor=ACTOR).text
    with db_request.transaction(caller.organization_id) as session:
        service.log_out_everywhere(session, caller, revoke_api_keys=revoke, actor=ACTOR)
    with pytest.raises(NotSignedIn):
        who(db_request, signed_in)
    principal = identity.authenticate(TOOLS, authorization=None, api_key=key)
    with db_request.transaction(caller.organization_id) as session:
        if revoke:
            with pytest.raises(NotSignedIn):
                identity.resolve(session, principal)
        else:
            assert identity.resolve(session, principal).api_key_id is not None
