"""SQL of accounts."""

from typing import Final
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from vexxy.identity.accounts.types import Stored
from vexxy.identity.models import ApiKey, Invitation, Organization, User
from vexxy.identity.types import Account, Role

_STORED: Final = (
    User.id,
    User.organization_id,
    User.hashed_password,
    User.is_active,
    User.token_generation,
)


def find_stored(session: Session, email: str) -> Stored | None:
    """Return the account with the address, which is in its normal form."""
    query = select(*_STORED).where(func.lower(User.email) == email)
    row = session.execute(query).one_or_none()
    return None if row is None else Stored(*row)


def get_stored(session: Session, user_id: UUID) -> Stored:
    """Return the account of a user that exists."""
    query = select(*_STORED).where(User.id == user_id)
    return Stored(*session.execute(query).one())


def lock_stored(session: Session, user_id: UUID) -> Stored:
    """Return the account of a user that exists, locked until the transaction ends."""
    query = select(*_STORED).where(User.id == user_id).with_for_update()
    return Stored(*session.execute(query).one())


def get_account(session: Session, user_id: UUID) -> Account:
    """Return a user that exists, and their organization."""
    query = (
        select(
            User.id,
            User.email,
            User.name,
            User.role,
            User.is_active,
            User.is_admin,
            User.created_at,
            Organization.id,
            Organization.name,
            Organization.slug,
        )
        .join(Organization, Organization.id == User.organization_id)
        .where(User.id == user_id)
    )
    user, email, name, role, *rest = session.execute(query).one()
    return Account(user, email, name, Role(role), *rest)


def add_organization(
    session: Session, organization_id: UUID, *, name: str, slug: str
) -> None:
    """Insert an organization of our own."""
    session.execute(insert(Organization).values(id=organization_id, name=name, slug=slug))


def add_user(session: Session, values: dict[str, object]) -> bool:
    """Insert a user; False where the e-mail address has an account already."""
    statement = (
        postgresql.insert(User)
        .values(values)
        .on_conflict_do_nothing(index_elements=[text("lower(email)")])
        .returning(User.id)
    )
    return session.scalars(statement).one_or_none() is not None


def set_password(session: Session, user_id: UUID, hashed_password: str) -> None:
    """Replace the hash, and nothing else."""
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(hashed_password=hashed_password, updated_at=func.now())
    )


def next_generation(session: Session, user_id: UUID) -> int:
    """Make every token that was issued so far worthless; return the new generation."""
    statement = (
        update(User)
        .where(User.id == user_id)
        .values(
            token_generation=User.token_generation + 1,
            tokens_valid_from=func.clock_timestamp(),
            updated_at=func.now(),
        )
        .returning(User.token_generation)
    )
    return session.scalars(statement).one()


def revoke_keys(session: Session, user_id: UUID) -> int:
    """Revoke every API key of a user; return how many still held."""
    statement = (
        update(ApiKey)
        .where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey.id)
    )
    return len(session.scalars(statement).all())


def revoke_invitations_by(session: Session, user_id: UUID) -> int:
    """Revoke the open invitations that a user made; return how many."""
    statement = (
        update(Invitation)
        .where(
            Invitation.invited_by == user_id,
            Invitation.accepted_at.is_(None),
            Invitation.revoked_at.is_(None),
        )
        .values(revoked_at=func.now())
        .returning(Invitation.id)
    )
    return len(session.scalars(statement).all())


def find_organization_name(session: Session, organization_id: UUID) -> str | None:
    """Return what the organization is called, None where the session sees none."""
    query = select(Organization.name).where(Organization.id == organization_id)
    return session.scalars(query).one_or_none()
