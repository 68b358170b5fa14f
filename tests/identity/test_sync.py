"""Base VEXxy speaks about its own, and about nobody else."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.identity.test_members import again
from tests.identity.test_sign_in import acts, an_address, registered
from tests.service_values import a_user, an_organization
from vexxy.audit import types as audit
from vexxy.identity.errors import (
    EmailTaken,
    ForeignTenant,
    LastOwner,
    NoSuchOrganization,
    NotSignedIn,
    UnusableAddress,
)
from vexxy.identity.sync import service
from vexxy.identity.sync.types import CoreOrganization, CoreUser, Synced
from vexxy.identity.types import Permission, Role
from vexxy.kit import ids
from vexxy.kit.db import Database

CORE = audit.system("base_vexxy")


def organization(system: Database, told: CoreOrganization) -> Synced:
    with system.transaction() as session:
        return service.organization(session, told, actor=CORE)


def user(system: Database, told: CoreUser) -> Synced:
    with system.transaction() as session:
        return service.user(session, told, actor=CORE)


def a_core_user(organization_id: UUID) -> CoreUser:
    return CoreUser(ids.new_id(), organization_id, an_address(), "Ada")


@pytest.fixture
def home(db_system: Database) -> UUID:
    told = CoreOrganization(ids.new_id(), "Example")
    assert organization(db_system, told) == Synced(told.id, created=True, changed=True)
    return told.id


def row(system: Database, user_id: UUID) -> dict[str, object]:
    with system.transaction() as session:
        query = text("select * from users where id = :id")
        return dict(session.execute(query, {"id": user_id}).mappings().one())


def test_a_synced_user_signs_in_with_base_vexxys_token(
    db_system: Database, db_request: Database, home: UUID
) -> None:
    told = a_core_user(home)
    assert user(db_system, told) == Synced(told.id, created=True, changed=True)
    who = again(db_request, home, told.id)
    assert (who.email, who.role) == (told.email, Role.ANALYST)


def test_the_same_told_twice_changes_nothing(db_system: Database, home: UUID) -> None:
    told = a_core_user(home)
    user(db_system, told)
    before = acts(db_system, home)
    assert user(db_system, told) == Synced(told.id, created=False, changed=False)
    assert organization(db_system, CoreOrganization(home, "Example")).changed is False
    assert acts(db_system, home) == before


def test_what_is_told_at_once_is_stored_once(db_system: Database) -> None:
    home = CoreOrganization(ids.new_id(), "Example")
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: organization(db_system, home), range(6)))
    assert sum(one.created for one in done) == 1
    told = a_core_user(home.id)
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda _: user(db_system, told), range(6)))
    assert sum(one.created for one in done) == 1
    assert acts(db_system, home.id) == ["organization.synced", "member.synced"]


def test_nobody_becomes_an_operator_by_it(
    db_system: Database, db_request: Database, home: UUID
) -> None:
    told = replace(a_core_user(home), is_admin=True, role=Role.OWNER)
    user(db_system, told)
    user(db_system, replace(told, role=None))
    assert row(db_system, told.id)["is_admin"] is False
    who = again(db_request, home, told.id)
    assert Permission.OPERATIONS_MANAGE not in who.permissions


def test_an_operator_is_not_unmade_by_it(db_system: Database, home: UUID) -> None:
    told = a_core_user(home)
    user(db_system, told)
    with db_system.transaction() as session:
        session.execute(
            text("update users set is_admin = true where id = :id"), {"id": told.id}
        )
    user(db_system, replace(told, is_admin=False, name="Other"))
    assert row(db_system, told.id)["is_admin"] is True


def test_an_organization_founded_here_is_not_base_vexxys(db_system: Database) -> None:
    ours = registered(db_system).account
    with pytest.raises(ForeignTenant):
        organization(db_system, CoreOrganization(ours.organization_id, "Taken over"))
    with pytest.raises(ForeignTenant):
        user(db_system, a_core_user(ours.organization_id))
    assert acts(db_system, ours.organization_id) == ["organization.registered"]


def test_a_user_of_another_organization_is_not_taken(
    db_system: Database, home: UUID
) -> None:
    ours = registered(db_system).account
    elsewhere = CoreOrganization(ids.new_id(), "Elsewhere")
    organization(db_system, elsewhere)
    theirs = a_core_user(elsewhere.id)
    user(db_system, theirs)
    local = a_user(db_system, an_organization(db_system))
    for user_id in (ours.user_id, theirs.id, local):
        before = row(db_system, user_id)
        with pytest.raises(ForeignTenant):
            user(db_system, replace(a_core_user(home), id=user_id))
        assert row(db_system, user_id) == before


@pytest.mark.parametrize("exists", [True, False])
def test_an_address_of_somebody_else_is_not_taken(
    db_system: Database, home: UUID, *, exists: bool
) -> None:
    """Whoever got an address could have the password reset."""
    victim = registered(db_system).account
    told = a_core_user(home)
    if exists:
        user(db_system, told)
    with pytest.raises(EmailTaken):
        user(db_system, replace(told, email=victim.email.upper()))
    assert row(db_system, victim.user_id)["organization_id"] == victim.organization_id


def test_a_user_follows_base_vexxy(db_system: Database, home: UUID) -> None:
    told = a_core_user(home)
    user(db_system, told)
    after = replace(told, email=an_address(), name="Countess", role=Role.ADMIN)
    assert user(db_system, after) == Synced(told.id, created=False, changed=True)
    found = row(db_system, told.id)
    assert [found[name] for name in ("email", "name", "role")] == [
        after.email,
        "Countess",
        "admin",
    ]


def test_an_organization_is_told_of_before_its_users(db_system: Database) -> None:
    with pytest.raises(NoSuchOrganization):
        user(db_system, a_core_user(ids.new_id()))


def test_what_is_no_address_is_refused(db_system: Database, home: UUID) -> None:
    with pytest.raises(UnusableAddress):
        user(db_system, replace(a_core_user(home), email="nobody"))


def test_who_left_is_out_at_once(
    db_system: Database, db_request: Database, home: UUID
) -> None:
    """Even the last owner: a departed person must not keep a token to be polite."""
    told = replace(a_core_user(home), role=Role.OWNER)
    user(db_system, told)
    assert again(db_request, home, told.id)
    user(db_system, replace(told, is_active=False))
    with pytest.raises(NotSignedIn):
        again(db_request, home, told.id)


def test_who_was_deactivated_here_is_not_brought_back_by_silence(
    db_system: Database, home: UUID
) -> None:
    told = a_core_user(home)
    user(db_system, replace(told, is_active=False))
    user(db_system, told)
    assert row(db_system, told.id)["is_active"] is False
    user(db_system, replace(told, is_active=True))
    assert row(db_system, told.id)["is_active"] is True


def test_the_last_owner_is_not_demoted(db_system: Database, home: UUID) -> None:
    told = replace(a_core_user(home), role=Role.OWNER)
    user(db_system, told)
    with pytest.raises(LastOwner):
        user(db_system, replace(told, role=Role.VIEWER))


def test_who_founded_nothing_has_no_password(db_system: Database, home: UUID) -> None:
    told = a_core_user(home)
    user(db_system, told)
    assert row(db_system, told.id)["hashed_password"] is None
