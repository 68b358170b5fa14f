"""Reset links: once, for a while, and only for who may have one."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.identity.test_sign_in import an_address, an_origin, registered, sign_in, who
from tests.identity_values import tools
from tests.service_values import a_user, an_organization
from vexxy.audit import types as audit
from vexxy.identity.errors import (
    LinkExpired,
    NoSuchMember,
    NotSignedIn,
    TooManyAttempts,
    WeakPassword,
    WrongCredentials,
)
from vexxy.identity.recovery import service
from vexxy.identity.types import Letter, Limits
from vexxy.kit.db import Database
from vexxy.kit.errors import ExternalFailure

NEW = "five more unrelated words"


class Box:
    """Where letters go."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)


def token_of(link: str) -> str:
    return link.rpartition("#token=")[2].split()[0]


def a_link(system: Database, email: str) -> str:
    with system.transaction() as session:
        link = service.make_link(session, tools(), email, actor=audit.system("operator"))
    return token_of(link)


def use(system: Database, token: str, password: str = NEW) -> None:
    with system.transaction() as session:
        service.use(session, tools(), token=token, password=password, origin=an_origin())


def test_a_link_sets_a_new_password_once(db_system: Database) -> None:
    email = registered(db_system).account.email
    token = a_link(db_system, email)
    use(db_system, token)
    assert sign_in(db_system, email, NEW)
    with pytest.raises(WrongCredentials):
        sign_in(db_system, email)
    with pytest.raises(LinkExpired):
        use(db_system, token, "six or seven other words")
    assert sign_in(db_system, email, NEW)


def test_of_two_who_use_a_link_at_once_one_wins(db_system: Database) -> None:
    token = a_link(db_system, registered(db_system).account.email)

    def attempt(number: int) -> bool:
        try:
            use(db_system, token, f"{NEW} {number}")
        except LinkExpired:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1


def test_a_used_link_ends_tokens_and_every_other_link(
    db_system: Database, db_request: Database
) -> None:
    signed_in = registered(db_system)
    one, other = (a_link(db_system, signed_in.account.email) for _ in range(2))
    use(db_system, one)
    with pytest.raises(NotSignedIn):
        who(db_request, signed_in)
    with pytest.raises(LinkExpired):
        use(db_system, other)


def test_a_used_link_opens_an_account_that_was_tried_too_often(
    db_system: Database,
) -> None:
    email = registered(db_system).account.email
    for _ in range(Limits().per_account):
        with pytest.raises(WrongCredentials):
            sign_in(db_system, email, "wrong password")
    with pytest.raises(TooManyAttempts):
        sign_in(db_system, email)
    use(db_system, a_link(db_system, email))
    assert sign_in(db_system, email, NEW)


def test_a_link_ends_by_itself(db_system: Database) -> None:
    token = a_link(db_system, registered(db_system).account.email)
    with db_system.transaction() as session:
        session.execute(text("update password_resets set expires_at = now()"))
    with pytest.raises(LinkExpired):
        use(db_system, token)


@pytest.mark.parametrize("token", ["", "x", "' or 1=1 --", "A" * 43])
def test_an_invented_link_sets_nothing(db_system: Database, token: str) -> None:
    with pytest.raises(LinkExpired):
        use(db_system, token)


def test_a_weak_password_does_not_use_the_link_up(db_system: Database) -> None:
    token = a_link(db_system, registered(db_system).account.email)
    with pytest.raises(WeakPassword):
        use(db_system, token, "password123")
    use(db_system, token)


def test_a_link_of_somebody_deactivated_sets_nothing(db_system: Database) -> None:
    account = registered(db_system).account
    token = a_link(db_system, account.email)
    deactivate(db_system, account.user_id)
    with pytest.raises(LinkExpired):
        use(db_system, token)
    with pytest.raises(NoSuchMember):
        a_link(db_system, account.email)


def deactivate(system: Database, user_id: UUID) -> None:
    with system.transaction() as session:
        query = text("update users set is_active = false where id = :id")
        session.execute(query, {"id": user_id})


def test_the_text_of_a_link_is_stored_nowhere(db_system: Database) -> None:
    token = a_link(db_system, registered(db_system).account.email)
    for table in ("password_resets", "billing_audit_log"):
        with db_system.transaction() as session:
            rows = session.execute(text(f"select t::text from {table} t"))  # noqa: S608
            assert not any(token in row[0] for row in rows)


def ask(system: Database, box: Box, email: str) -> None:
    service.ask(system, tools(mail=box), email, origin=an_origin())


def test_who_asks_is_sent_a_link_that_works(db_system: Database) -> None:
    account, box = registered(db_system).account, Box()
    ask(db_system, box, account.email.upper())
    [letter] = box.letters
    assert letter.to == account.email
    use(db_system, token_of(letter.text))
    assert sign_in(db_system, account.email, NEW)


def test_nobody_else_is_sent_anything(db_system: Database) -> None:
    box = Box()
    gone = registered(db_system).account
    deactivate(db_system, gone.user_id)
    core = a_user(db_system, an_organization(db_system))
    for email in (an_address(), gone.email, f"{core.hex}@example.com", "nobody", ""):
        ask(db_system, box, email)
    assert box.letters == []


class Shut:
    """A mail server that takes nothing."""

    def send(self, letter: Letter) -> None:
        raise ExternalFailure("shut")


def test_a_mail_server_that_is_shut_disturbs_nobody(db_system: Database) -> None:
    email = registered(db_system).account.email
    service.ask(db_system, tools(mail=Shut()), email, origin=an_origin())


def test_a_box_is_not_filled_with_letters(db_system: Database) -> None:
    email, box = registered(db_system).account.email, Box()
    for _ in range(10):
        ask(db_system, box, email)
    assert len(box.letters) == Limits().resets_per_account


def test_without_mail_asking_makes_no_link(db_system: Database) -> None:
    account = registered(db_system).account
    service.ask(db_system, tools(), account.email, origin=an_origin())
    with db_system.transaction() as session:
        query = text("select count(*) from password_resets where user_id = :id")
        assert session.scalars(query, {"id": account.user_id}).one() == 0
