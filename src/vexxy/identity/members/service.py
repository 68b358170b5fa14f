"""Members: listing, changing, inviting, joining."""

import secrets
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.identity import rules as identity_rules
from vexxy.identity.accounts import repository as accounts
from vexxy.identity.accounts import service as account_service
from vexxy.identity.accounts.types import Origin
from vexxy.identity.errors import (
    EmailTaken,
    LastOwner,
    LinkExpired,
    NoSuchInvitation,
    NoSuchMember,
)
from vexxy.identity.members import repository, rules
from vexxy.identity.members.types import (
    Acceptance,
    Change,
    Invitation,
    MadeInvitation,
    Member,
)
from vexxy.identity.passwords import rules as password_rules
from vexxy.identity.ports import Tools
from vexxy.identity.throttle import rules as counters
from vexxy.identity.throttle import service as throttle
from vexxy.identity.types import (
    Account,
    Identity,
    Letter,
    Permission,
    Role,
    SignedIn,
)
from vexxy.kit.db import Database

TOKEN_BYTES: Final = 32
# As many as get a letter about what concerns all who govern.
PERMITTED_MAX: Final = 100

# Asked for an organization before a user of it is added; refuses by raising.
Admission = Callable[[UUID], object]


def change(
    session: Session, identity: Identity, user_id: UUID, *, to: Change, actor: Actor
) -> Member:
    """Change a member's role, deactivate or reactivate them; return them.

    Who is deactivated loses every token and API key at once. Who is deactivated or gets
    another role loses the invitations they made, which could otherwise bring back what
    was just taken from them.

    Raises:
        NoSuchMember: No user of the caller's organization.
        NotYours: It concerns an owner, and the caller is none.
        LastOwner: Nobody would own the organization.
    """
    repository.lock_organization(session, identity.organization_id)
    before = repository.lock_member(session, identity.organization_id, user_id)
    if before is None:
        raise NoSuchMember
    rules.check_change(identity.role, before, to)
    after = apply(session, identity.organization_id, before, to=to)
    if after != before:
        audit.record(session, changed(identity.organization_id, before, after, actor=actor))
    return after


def apply(session: Session, organization_id: UUID, before: Member, *, to: Change) -> Member:
    """Make a change whose maker was found to be allowed to; the organization is locked.

    Raises:
        LastOwner: Nobody would own the organization.
    """
    if rules.ends_an_owner(before, to) and (
        repository.count_owners(session, organization_id) <= 1
    ):
        raise LastOwner
    return enact(session, before, to=to)


def enact(session: Session, before: Member, *, to: Change) -> Member:
    """Make a change, whether or not somebody still owns the organization afterwards."""
    role, is_active = rules.after(before, to)
    after = Member(before.id, before.email, before.name, role, is_active, before.created_at)
    if after == before:
        return before
    repository.set_member(session, before.id, role=role, is_active=is_active)
    accounts.revoke_invitations_by(session, before.id)
    if not is_active:
        accounts.next_generation(session, before.id)
        accounts.revoke_keys(session, before.id)
    return after


def changed(organization_id: UUID, before: Member, after: Member, *, actor: Actor) -> Act:
    """Return the act of a change, with the fields that are others now."""
    if before.is_active and not after.is_active:
        action = "member.deactivated"
    elif after.is_active and not before.is_active:
        action = "member.reactivated"
    else:
        action = "member.role_changed"
    return Act(
        action=action,
        actor=actor,
        organization_id=organization_id,
        resource_type="user",
        resource_id=before.id,
        before={"role": before.role, "is_active": before.is_active},
        after={"role": after.role, "is_active": after.is_active},
    )


def list_members(
    session: Session, identity: Identity, *, limit: int, offset: int
) -> tuple[int, Sequence[Member]]:
    """Return how many members the caller's organization has, and a page of them."""
    return repository.list_members(
        session, identity.organization_id, limit=limit, offset=offset
    )


def count_seats(session: Session, organization_id: UUID) -> int:
    """Return how many active users an organization has."""
    return repository.count_active(session, organization_id)


def count_offered(session: Session, organization_id: UUID, *, besides: str) -> int:
    """Return how many people but one could join by an invitation that holds.

    Raises:
        UnusableAddress: The one that is left out is no address.
    """
    address = identity_rules.normal_email(besides)
    return repository.count_invited(session, organization_id, other_than=address)


def find_active(session: Session, organization_id: UUID, user_id: UUID) -> bool | None:
    """Return whether a user of the organization is active, None where there is none."""
    return repository.find_active(session, organization_id, user_id)


def list_permitted(
    session: Session, organization_id: UUID, permission: Permission
) -> Sequence[Member]:
    """Return the active members whose role permits something, at most 100."""
    roles = [
        role.value
        for role, permitted in identity_rules.PERMISSIONS.items()
        if permission in permitted
    ]
    return repository.list_active(session, organization_id, roles, limit=PERMITTED_MAX)


def rename(session: Session, identity: Identity, name: str, *, actor: Actor) -> Account:
    """Give the caller's organization another name."""
    before = repository.rename_organization(session, identity.organization_id, name)
    if before != name:
        audit.record(
            session,
            Act(
                action="organization.renamed",
                actor=actor,
                organization_id=identity.organization_id,
                resource_type="organization",
                resource_id=identity.organization_id,
                before={"name": before},
                after={"name": name},
            ),
        )
    return accounts.get_account(session, identity.user_id)


def spend_invitation(database: Database, tools: Tools, identity: Identity) -> None:
    """Count an invitation: our mail server must not become anybody's.

    Raises:
        TooManyAttempts: The caller's organization invited too many people.
    """
    limit = counters.invitation(tools.policy.limits, identity.organization_id)
    throttle.spend(database, [limit])


def invite(
    session: Session,
    tools: Tools,
    identity: Identity,
    *,
    email: str,
    role: Role,
    actor: Actor,
) -> MadeInvitation:
    """Offer somebody a place; an earlier offer to the address is withdrawn.

    Whether the address has an account elsewhere is not told: only who receives the
    letter may learn that.

    Raises:
        NotYours: An owner is invited by somebody who is none.
        EmailTaken: They are a member already.
        UnusableAddress: It is no address.
    """
    identity_rules.check_assignment(identity.role, before=None, after=role)
    address = identity_rules.normal_email(email)
    organization_id = identity.organization_id
    repository.lock_organization(session, organization_id)
    if repository.find_member_by_email(session, organization_id, address) is not None:
        raise EmailTaken
    repository.revoke_invitations(session, organization_id, email=address)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    made = repository.add_invitation(
        session,
        {
            "organization_id": organization_id,
            "email": address,
            "role": role.value,
            "digest": identity_rules.digest(token),
            "invited_by": identity.user_id,
        },
        seconds=tools.policy.invitation_seconds,
    )
    audit.record(
        session, _invitation_act("invitation.created", organization_id, made, actor=actor)
    )
    # Behind the number sign, which no browser sends to a server or a proxy's log.
    link = f"{tools.policy.public_url}/accept-invitation#token={token}"
    return MadeInvitation(made, token, link)


def letter(made: MadeInvitation) -> Letter:
    """Return what an invited person is sent, once the invitation is committed."""
    until = made.invitation.expires_at
    return Letter(
        to=made.invitation.email,
        subject="You are invited to VEXxy",
        text=(
            "You are invited to join an organization at VEXxy.\n\n"
            f"{made.link}\n\n"
            f"The invitation holds until {until:%Y-%m-%d %H:%M} UTC. If you do not know"
            " what this is about, ignore it.\n"
        ),
    )


def list_invitations(
    session: Session, identity: Identity, *, limit: int, offset: int
) -> tuple[int, Sequence[Invitation]]:
    """Return how many invitations could still be accepted, and a page of them."""
    return repository.list_invitations(
        session, identity.organization_id, limit=limit, offset=offset
    )


def revoke_invitation(
    session: Session, identity: Identity, invitation_id: UUID, *, actor: Actor
) -> None:
    """Withdraw an offer.

    Raises:
        NoSuchInvitation: None of the caller's organization that is open.
    """
    revoked = repository.revoke_invitations(
        session, identity.organization_id, invitation_id=invitation_id
    )
    if not revoked:
        raise NoSuchInvitation
    audit.record(
        session,
        _invitation_act(
            "invitation.revoked", identity.organization_id, revoked[0], actor=actor
        ),
    )


def accept(
    session: Session,
    tools: Tools,
    acceptance: Acceptance,
    *,
    origin: Origin,
    admission: Admission | None = None,
) -> SignedIn:
    """Create the invited user and sign them in; an invitation is accepted once.

    Args:
        session: Of the SYSTEM role.
        tools: For the password and the token.
        acceptance: The token, and who takes the place.
        origin: Where the request came from.
        admission: Asked whether the organization may have one more user, before anything
            is locked; what it raises leaves the invitation as it is.

    Raises:
        LinkExpired: Unknown, used, withdrawn or expired.
        EmailTaken: The address has an account; the invitation still holds.
        WeakPassword: The password would be guessed; the invitation still holds.
    """
    password_rules.check(acceptance.password, email="")
    hashed = tools.passwords.hash(acceptance.password)  # before a row is locked
    digest = identity_rules.digest(acceptance.token)
    inviting = repository.find_inviting(session, digest)
    if inviting is not None and admission is not None:
        admission(inviting)
    found = repository.accept(session, digest)
    if found is None:
        raise LinkExpired
    organization_id, invitation = found
    password_rules.check(acceptance.password, email=invitation.email)
    user_id = account_service.join(
        session,
        {
            "organization_id": organization_id,
            "email": invitation.email,
            "name": acceptance.name,
            "hashed_password": hashed,
            "role": invitation.role.value,
        },
    )
    actor = origin.actor(user_id)
    audit.record(
        session,
        _invitation_act("invitation.accepted", organization_id, invitation, actor=actor),
    )
    return account_service.signed_in(session, tools, user_id, generation=0)


def _invitation_act(
    action: str, organization_id: UUID, invitation: Invitation, *, actor: Actor
) -> Act:
    facts = {"email": invitation.email, "role": invitation.role}
    made = action == "invitation.created"
    return Act(
        action=action,
        actor=actor,
        organization_id=organization_id,
        resource_type="invitation",
        resource_id=invitation.id,
        before=None if made else facts,
        after=facts if made else None,
    )
