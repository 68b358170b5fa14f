"""Members and invitations: nobody rises by themselves, somebody always owns."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.identity.test_sign_in import acts, an_address, an_origin, registered, sign_in
from tests.identity_values import PASSWORD, claims, token, tools
from tests.service_values import a_user, an_organization
from vexxy.audit import types as audit
from vexxy.identity import service as identity
from vexxy.identity.errors import (
    EmailTaken,
    LastOwner,
    LinkExpired,
    NoSuchInvitation,
    NoSuchMember,
    NotSignedIn,
    NotYours,
    WeakPassword,
)
from vexxy.identity.keys import service as keys
from vexxy.identity.keys.types import NewKey
from vexxy.identity.members import service
from vexxy.identity.members.types import Acceptance, Change, MadeInvitation, Member
from vexxy.identity.types import Identity, Role, SignedIn
from vexxy.kit.db import Database

TOOLS = tools()
ACTOR = audit.system("tests")


def as_member(system: Database, organization_id: UUID, role: str) -> Identity:
    return again(system, organization_id, a_user(system, organization_id, role=role))


def again(database: Database, organization_id: UUID, user_id: UUID) -> Identity:
    bearer = token(claims(user_id, organization_id))
    principal = identity.authenticate(TOOLS, authorization=f"Bearer {bearer}", api_key=None)
    with database.transaction(organization_id) as session:
        return identity.resolve(session, principal)


def change(request: Database, by: Identity, user_id: UUID, **to: object) -> Member:
    with request.transaction(by.organization_id) as session:
        wanted = Change(**to)  # type: ignore[arg-type]
        return service.change(session, by, user_id, to=wanted, actor=ACTOR)


def invite(
    request: Database, by: Identity, email: str, role: Role = Role.VIEWER
) -> MadeInvitation:
    with request.transaction(by.organization_id) as session:
        return service.invite(session, TOOLS, by, email=email, role=role, actor=ACTOR)


def accept(system: Database, token: str, password: str = PASSWORD) -> SignedIn:
    with system.transaction() as session:
        accepted = Acceptance(token, "Bob", password)
        return service.accept(session, TOOLS, accepted, origin=an_origin())


@pytest.fixture
def home(db_system: Database) -> UUID:
    return an_organization(db_system)


@pytest.fixture
def owner(db_system: Database, home: UUID) -> Identity:
    return as_member(db_system, home, "owner")


@pytest.fixture
def admin(db_system: Database, home: UUID) -> Identity:
    return as_member(db_system, home, "admin")


def test_members_are_listed_with_what_they_are(
    db_request: Database, owner: Identity, admin: Identity
) -> None:
    with db_request.transaction(owner.organization_id) as session:
        total, found = service.list_members(session, owner, limit=10, offset=0)
    assert total == 2
    assert {(member.id, member.role) for member in found} == {
        (owner.user_id, Role.OWNER),
        (admin.user_id, Role.ADMIN),
    }


@pytest.mark.parametrize("to", [{"role": Role.OWNER}, {"role": Role.VIEWER}])
def test_a_member_of_another_organization_does_not_exist(
    db_system: Database, db_request: Database, owner: Identity, to: dict[str, object]
) -> None:
    stranger = a_user(db_system, an_organization(db_system), role="viewer")
    with pytest.raises(NoSuchMember):
        change(db_request, owner, stranger, **to)


@pytest.mark.parametrize(
    "to", [{"role": Role.OWNER}, {"role": Role.VIEWER}, {"is_active": False}]
)
def test_an_admin_neither_makes_nor_unmakes_owners(
    db_system: Database,
    db_request: Database,
    owner: Identity,
    admin: Identity,
    to: dict[str, object],
) -> None:
    second = a_user(db_system, owner.organization_id, role="owner")
    victim = admin.user_id if to.get("role") is Role.OWNER else second
    with pytest.raises(NotYours):
        change(db_request, admin, victim, **to)


@pytest.mark.parametrize("to", [{"role": Role.ADMIN}, {"is_active": False}])
def test_the_last_owner_stays(
    db_request: Database, owner: Identity, to: dict[str, object]
) -> None:
    with pytest.raises(LastOwner):
        change(db_request, owner, owner.user_id, **to)


def test_an_inactive_owner_does_not_count(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    a_user(db_system, owner.organization_id, role="owner", is_active=False)
    with pytest.raises(LastOwner):
        change(db_request, owner, owner.user_id, role=Role.ADMIN)


def test_an_owner_may_step_down_for_another(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    a_user(db_system, owner.organization_id, role="owner")
    assert change(db_request, owner, owner.user_id, role=Role.VIEWER).role is Role.VIEWER


def test_owners_who_remove_each_other_at_once_leave_one(
    db_system: Database, db_request: Database
) -> None:
    """Goal: an organization is never without an owner. Method: race them, many times."""
    for _ in range(5):
        home = an_organization(db_system)
        owners = [as_member(db_system, home, "owner") for _ in range(4)]
        pairs = list(zip(owners, owners[1:] + owners[:1], strict=True))

        def remove(pair: tuple[Identity, Identity]) -> None:
            with contextlib.suppress(LastOwner):
                change(db_request, pair[0], pair[1].user_id, is_active=False)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(remove, pairs))
        with db_system.transaction() as session:
            query = text(
                "select count(*) from users where organization_id = :id and is_active"
            )
            assert session.scalars(query, {"id": home}).one() == 1


def test_who_is_deactivated_has_nothing_left(
    db_system: Database, db_request: Database, owner: Identity, admin: Identity
) -> None:
    with db_request.transaction(admin.organization_id) as session:
        key = keys.make(session, admin, NewKey("CI"), actor=ACTOR).text
    offer = invite(db_request, admin, an_address(), Role.ADMIN)
    change(db_request, owner, admin.user_id, is_active=False)

    with pytest.raises(NotSignedIn):
        again(db_request, owner.organization_id, admin.user_id)
    with pytest.raises(LinkExpired):
        accept(db_system, offer.token)
    change(db_request, owner, admin.user_id, is_active=True)
    principal = identity.authenticate(TOOLS, authorization=None, api_key=key)
    with (
        pytest.raises(NotSignedIn),
        db_request.transaction(owner.organization_id) as session,
    ):
        identity.resolve(session, principal)


def test_who_gets_another_role_loses_the_invitations_they_made(
    db_system: Database, db_request: Database, owner: Identity, admin: Identity
) -> None:
    offer = invite(db_request, admin, an_address(), Role.ADMIN)
    change(db_request, owner, admin.user_id, role=Role.VIEWER)
    with pytest.raises(LinkExpired):
        accept(db_system, offer.token)


def test_changes_are_recorded_and_what_changes_nothing_is_not(
    db_system: Database, db_request: Database, owner: Identity, admin: Identity
) -> None:
    steps: list[dict[str, object]] = [
        {"role": Role.ANALYST},
        {"role": Role.ANALYST},
        {},
        {"is_active": False},
        {"is_active": True},
    ]
    for to in steps:
        change(db_request, owner, admin.user_id, **to)
    assert acts(db_system, owner.organization_id) == [
        "member.role_changed",
        "member.deactivated",
        "member.reactivated",
    ]


def test_an_invited_person_joins_once(
    db_system: Database, db_request: Database, admin: Identity
) -> None:
    offer = invite(db_request, admin, "Bob.1@Example.com", Role.ANALYST)
    account = accept(db_system, offer.token).account
    assert account.organization_id == admin.organization_id
    assert (account.email, account.role) == ("bob.1@example.com", Role.ANALYST)
    assert sign_in(db_system, "bob.1@example.com")
    with pytest.raises(LinkExpired):
        accept(db_system, offer.token)
    assert acts(db_system, admin.organization_id)[:2] == [
        "invitation.created",
        "invitation.accepted",
    ]


def test_of_two_who_accept_at_once_one_joins(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    offer = invite(db_request, owner, an_address())

    def attempt(_number: int) -> bool:
        try:
            accept(db_system, offer.token)
        except LinkExpired:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(attempt, range(6))) == 1


def test_an_admin_invites_no_owner(db_request: Database, admin: Identity) -> None:
    with pytest.raises(NotYours):
        invite(db_request, admin, an_address(), Role.OWNER)


def test_an_invitation_ends_by_itself(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    offer = invite(db_request, owner, an_address())
    with db_system.transaction() as session:
        session.execute(text("update invitations set expires_at = now()"))
    with pytest.raises(LinkExpired):
        accept(db_system, offer.token)


def test_a_later_invitation_replaces_an_earlier_one(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    email = an_address()
    first = invite(db_request, owner, email, Role.ADMIN)
    second = invite(db_request, owner, email, Role.VIEWER)
    with pytest.raises(LinkExpired):
        accept(db_system, first.token)
    assert accept(db_system, second.token).account.role is Role.VIEWER


def test_a_withdrawn_invitation_is_accepted_by_nobody(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    offer = invite(db_request, owner, an_address())
    with db_request.transaction(owner.organization_id) as session:
        service.revoke_invitation(session, owner, offer.invitation.id, actor=ACTOR)
    with pytest.raises(LinkExpired):
        accept(db_system, offer.token)
    with (
        pytest.raises(NoSuchInvitation),
        db_request.transaction(owner.organization_id) as session,
    ):
        service.revoke_invitation(session, owner, offer.invitation.id, actor=ACTOR)


def test_another_organizations_invitation_does_not_exist(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    stranger = as_member(db_system, an_organization(db_system), "owner")
    offer = invite(db_request, stranger, an_address())
    with (
        pytest.raises(NoSuchInvitation),
        db_request.transaction(owner.organization_id) as session,
    ):
        service.revoke_invitation(session, owner, offer.invitation.id, actor=ACTOR)
    with db_request.transaction(owner.organization_id) as session:
        assert service.list_invitations(session, owner, limit=9, offset=0) == (0, [])
    assert accept(db_system, offer.token)


def test_inviting_tells_nothing_about_other_organizations(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    """An address with an account elsewhere is invited like any other."""
    elsewhere = registered(db_system).account
    offer = invite(db_request, owner, elsewhere.email)
    assert offer.invitation.email == elsewhere.email
    with pytest.raises(EmailTaken):
        accept(db_system, offer.token)


def test_a_member_is_not_invited_again(
    db_request: Database, owner: Identity, admin: Identity
) -> None:
    with pytest.raises(EmailTaken):
        invite(db_request, owner, admin.email.upper())


def test_a_weak_password_does_not_use_the_invitation_up(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    offer = invite(db_request, owner, an_address())
    with pytest.raises(WeakPassword):
        accept(db_system, offer.token, "password123")
    assert accept(db_system, offer.token)


def test_the_letter_brings_the_link(db_request: Database, owner: Identity) -> None:
    email = an_address()
    offer = invite(db_request, owner, email)
    letter = service.letter(offer)
    assert letter.to == email
    assert offer.link in letter.text
    assert f"#token={offer.token}" in offer.link


def test_an_organization_is_renamed_by_its_own_only(
    db_system: Database, db_request: Database, owner: Identity
) -> None:
    with db_request.transaction(owner.organization_id) as session:
        account = service.rename(session, owner, "Another name", actor=ACTOR)
    assert account.organization_name == "Another name"
    assert acts(db_system, owner.organization_id) == ["organization.renamed"]
