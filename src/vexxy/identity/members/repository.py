"""SQL of members and invitations."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, insert, select, update
from sqlalchemy.orm import Session

from vexxy.identity import models
from vexxy.identity.members.types import Invitation, Member
from vexxy.identity.models import Organization, User
from vexxy.identity.types import Role
from vexxy.kit import ids

_MEMBER = (User.id, User.email, User.name, User.role, User.is_active, User.created_at)
_INVITATION = (
    models.Invitation.id,
    models.Invitation.email,
    models.Invitation.role,
    models.Invitation.invited_by,
    models.Invitation.created_at,
    models.Invitation.expires_at,
)


def lock_organization(session: Session, organization_id: UUID) -> None:
    """Lock an organization until the transaction ends.

    Two owners who remove each other at once queue here, and the second finds out that
    they would be the last. Rows that name the organization may be added meanwhile: whoever
    adds one and then waits for the organization's money must not be waited for here.
    """
    query = select(Organization.id).where(Organization.id == organization_id)
    session.execute(query.with_for_update(key_share=True))


def count_owners(session: Session, organization_id: UUID) -> int:
    """Return how many active owners an organization has."""
    query = select(func.count()).where(
        User.organization_id == organization_id,
        User.role == Role.OWNER.value,
        User.is_active,
    )
    return session.scalars(query).one()


def count_active(session: Session, organization_id: UUID) -> int:
    """Return how many active users an organization has."""
    query = select(func.count()).where(
        User.organization_id == organization_id, User.is_active
    )
    return session.scalars(query).one()


def find_active(session: Session, organization_id: UUID, user_id: UUID) -> bool | None:
    """Return whether a user of the organization is active, None where there is none."""
    query = select(User.is_active).where(
        User.id == user_id, User.organization_id == organization_id
    )
    return session.scalars(query).one_or_none()


def list_active(
    session: Session, organization_id: UUID, roles: Sequence[str], *, limit: int
) -> Sequence[Member]:
    """Return active members in these roles, oldest first."""
    query = (
        select(*_MEMBER)
        .where(
            User.organization_id == organization_id, User.is_active, User.role.in_(roles)
        )
        .order_by(User.created_at, User.id)
    )
    return [_member(row) for row in session.execute(query.limit(limit))]


def list_members(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> tuple[int, Sequence[Member]]:
    """Return how many members there are, and a page of them, oldest first."""
    mine = User.organization_id == organization_id
    total = session.scalars(select(func.count()).select_from(User).where(mine)).one()
    query = select(*_MEMBER).where(mine).order_by(User.created_at, User.id)
    rows = session.execute(query.limit(limit).offset(offset))
    return total, [_member(row) for row in rows]


def lock_member(session: Session, organization_id: UUID, user_id: UUID) -> Member | None:
    """Return a member, locked until the transaction ends."""
    query = select(*_MEMBER).where(
        User.id == user_id, User.organization_id == organization_id
    )
    row = session.execute(query.with_for_update()).one_or_none()
    return None if row is None else _member(row)


def find_member_by_email(
    session: Session, organization_id: UUID, email: str
) -> Member | None:
    """Return the member with an address in its normal form."""
    query = select(*_MEMBER).where(
        User.organization_id == organization_id, func.lower(User.email) == email
    )
    row = session.execute(query).one_or_none()
    return None if row is None else _member(row)


def set_member(session: Session, user_id: UUID, *, role: Role, is_active: bool) -> None:
    """Store a member's role and whether they are active."""
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(role=role.value, is_active=is_active, updated_at=func.now())
    )


def add_invitation(
    session: Session, values: dict[str, object], *, seconds: int
) -> Invitation:
    """Insert an invitation that holds for some seconds."""
    statement = (
        insert(models.Invitation)
        .values(
            id=ids.new_id(), expires_at=func.now() + timedelta(seconds=seconds), **values
        )
        .returning(*_INVITATION)
    )
    return _invitation(session.execute(statement).one())


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return (
        models.Invitation.accepted_at.is_(None),
        models.Invitation.revoked_at.is_(None),
    )


def list_invitations(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> tuple[int, Sequence[Invitation]]:
    """Return how many invitations could still be accepted, and a page, newest first."""
    conditions = (
        models.Invitation.organization_id == organization_id,
        models.Invitation.expires_at > func.now(),
        *_is_open(),
    )
    total = session.scalars(
        select(func.count()).select_from(models.Invitation).where(*conditions)
    ).one()
    query = (
        select(*_INVITATION)
        .where(*conditions)
        .order_by(models.Invitation.created_at.desc(), models.Invitation.id)
    )
    rows = session.execute(query.limit(limit).offset(offset))
    return total, [_invitation(row) for row in rows]


def count_invited(session: Session, organization_id: UUID, *, other_than: str) -> int:
    """Return how many addresses but one have an offer that could still be accepted."""
    query = select(func.count(models.Invitation.email.distinct())).where(
        models.Invitation.organization_id == organization_id,
        models.Invitation.expires_at > func.now(),
        models.Invitation.email != other_than,
        *_is_open(),
    )
    return session.scalars(query).one()


def find_inviting(session: Session, digest: bytes) -> UUID | None:
    """Return the organization of an invitation that holds; nothing is locked."""
    query = select(models.Invitation.organization_id).where(
        models.Invitation.digest == digest,
        models.Invitation.expires_at > func.now(),
        *_is_open(),
    )
    return session.scalars(query).one_or_none()


def revoke_invitations(
    session: Session,
    organization_id: UUID,
    *,
    invitation_id: UUID | None = None,
    email: str | None = None,
) -> Sequence[Invitation]:
    """Revoke the open invitations with this id or to this address; return them."""
    statement = update(models.Invitation).where(
        models.Invitation.organization_id == organization_id, *_is_open()
    )
    if invitation_id is not None:
        statement = statement.where(models.Invitation.id == invitation_id)
    if email is not None:
        statement = statement.where(models.Invitation.email == email)
    rows = session.execute(statement.values(revoked_at=func.now()).returning(*_INVITATION))
    return [_invitation(row) for row in rows]


def accept(session: Session, digest: bytes) -> tuple[UUID, Invitation] | None:
    """Mark the invitation as accepted, once; None where it does not hold."""
    statement = (
        update(models.Invitation)
        .where(
            models.Invitation.digest == digest,
            models.Invitation.expires_at > func.now(),
            *_is_open(),
        )
        .values(accepted_at=func.now())
        .returning(models.Invitation.organization_id, *_INVITATION)
    )
    row = session.execute(statement).one_or_none()
    return None if row is None else (row[0], _invitation(row[1:]))


def rename_organization(session: Session, organization_id: UUID, name: str) -> str:
    """Store another name; return the one before."""
    query = select(Organization.name).where(Organization.id == organization_id)
    before = session.scalars(query.with_for_update()).one()
    session.execute(
        update(Organization)
        .where(Organization.id == organization_id)
        .values(name=name, updated_at=func.now())
    )
    return before


def _member(row: Sequence[object]) -> Member:
    user_id, email, name, role, *rest = row
    return Member(user_id, email, name, Role(str(role)), *rest)  # type: ignore[arg-type]


def _invitation(row: Sequence[object]) -> Invitation:
    invitation_id, email, role, *rest = row
    return Invitation(invitation_id, email, Role(str(role)), *rest)  # type: ignore[arg-type]
