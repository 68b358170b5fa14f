"""Keeping base VEXxy's organizations and users; sending the same twice changes nothing.

The service key proves that base VEXxy speaks, not that it is right: it may only speak
about what it brought here itself.
"""

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.identity import rules as identity_rules
from vexxy.identity.errors import (
    EmailTaken,
    ForeignTenant,
    NoSuchOrganization,
    TenantClosed,
)
from vexxy.identity.members import repository as members
from vexxy.identity.members import service as member_service
from vexxy.identity.members.types import Change
from vexxy.identity.sync import repository, rules
from vexxy.identity.sync.repository import UserRow
from vexxy.identity.sync.types import CoreOrganization, CoreUser, Synced


def organization(session: Session, told: CoreOrganization, *, actor: Actor) -> Synced:
    """Create or rename an organization of base VEXxy.

    Raises:
        ForeignTenant: The id is that of an organization that was founded here.
        TenantClosed: It was erased, or is being erased.
    """
    slug = identity_rules.slug(told.name, told.id)
    created = repository.add_organization(
        session, organization_id=told.id, name=told.name, slug=slug
    )
    before = repository.lock_organization(session, told.id)
    if before is None or before.synced_at is None:
        raise ForeignTenant("this organization was not founded by base VEXxy")
    if before.closed_at is not None:
        raise TenantClosed
    changed = created or before.name != told.name
    if changed:
        repository.set_organization(session, told.id, told.name)
        act = Act(
            action="organization.synced",
            actor=actor,
            organization_id=told.id,
            resource_type="organization",
            resource_id=told.id,
            before=None if created else {"name": before.name},
            after={"name": told.name},
        )
        audit.record(session, act)
    return Synced(told.id, created=created, changed=changed)


def user(session: Session, told: CoreUser, *, actor: Actor) -> Synced:
    """Create a user of base VEXxy, or bring what is stored of them up to date.

    Raises:
        NoSuchOrganization: Base VEXxy has told of no such organization.
        ForeignTenant: The organization or the user is not base VEXxy's, or the user is
            of another organization.
        EmailTaken: Somebody else has the address, in whatever organization.
        LastOwner: Nobody would own the organization.
        TenantClosed: The organization was erased, or is being erased.
    """
    email = identity_rules.normal_email(told.email)
    home = repository.lock_organization(session, told.organization_id)
    if home is None:
        raise NoSuchOrganization
    if home.synced_at is None:
        raise ForeignTenant("this organization was not founded by base VEXxy")
    if home.closed_at is not None:
        raise TenantClosed
    created = _created(session, told, email=email, actor=actor)
    if created:
        return Synced(told.id, created=True, changed=True)
    before = repository.lock_user(session, told.id)
    if before is None:
        raise EmailTaken
    if before.synced_at is None or before.organization_id != told.organization_id:
        raise ForeignTenant("this user is not one of base VEXxy in this organization")
    renamed = _renamed(session, told, before, email=email, actor=actor)
    changed = _governed(session, told, actor=actor)
    return Synced(told.id, created=False, changed=renamed or changed)


def _created(session: Session, told: CoreUser, *, email: str, actor: Actor) -> bool:
    role = rules.role(told, current=None)
    values = {
        "id": told.id,
        "organization_id": told.organization_id,
        "email": email,
        "name": told.name,
        "role": role.value,
        "is_active": told.is_active is not False,
    }
    if not repository.add_user(session, values):
        return False
    act = Act(
        action="member.synced",
        actor=actor,
        organization_id=told.organization_id,
        resource_type="user",
        resource_id=told.id,
        after={key: values[key] for key in ("email", "name", "role", "is_active")},
    )
    audit.record(session, act)
    return True


def _renamed(
    session: Session, told: CoreUser, before: UserRow, *, email: str, actor: Actor
) -> bool:
    if (before.email, before.name) == (email, told.name):
        return False
    if repository.is_address_taken(session, email, by_other_than=told.id):
        raise EmailTaken
    repository.set_user(session, told.id, email=email, name=told.name)
    act = Act(
        action="member.synced",
        actor=actor,
        organization_id=told.organization_id,
        resource_type="user",
        resource_id=told.id,
        before={"email": before.email, "name": before.name},
        after={"email": email, "name": told.name},
    )
    audit.record(session, act)
    return True


def _governed(session: Session, told: CoreUser, *, actor: Actor) -> bool:
    before = members.lock_member(session, told.organization_id, told.id)
    assert before is not None  # noqa: S101  locked by the caller
    change = Change(rules.role(told, current=before.role), told.is_active)
    if before.is_active and told.is_active is False:
        # Whoever left must be out at once, even if nobody owns the organization then.
        after = member_service.enact(session, before, to=change)
    else:
        after = member_service.apply(session, told.organization_id, before, to=change)
    if after == before:
        return False
    act = member_service.changed(told.organization_id, before, after, actor=actor)
    audit.record(session, act)
    return True
