"""SQL of what base VEXxy tells us."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.identity.models import Organization, User


class OrganizationRow(NamedTuple):
    """An organization as it is stored."""

    name: str
    synced_at: datetime | None
    closed_at: datetime | None


class UserRow(NamedTuple):
    """A user as they are stored."""

    organization_id: UUID
    email: str
    name: str
    synced_at: datetime | None


def add_organization(
    session: Session, *, organization_id: UUID, name: str, slug: str
) -> bool:
    """Insert an organization of base VEXxy; False where the id is taken."""
    statement = (
        insert(Organization)
        .values(id=organization_id, name=name, slug=slug, synced_at=func.now())
        .on_conflict_do_nothing(index_elements=[Organization.id])
        .returning(Organization.id)
    )
    return session.scalars(statement).one_or_none() is not None


def lock_organization(session: Session, organization_id: UUID) -> OrganizationRow | None:
    """Return an organization, locked until the transaction ends; see `members`."""
    query = (
        select(Organization.name, Organization.synced_at, Organization.closed_at)
        .where(Organization.id == organization_id)
        .with_for_update(key_share=True)
    )
    row = session.execute(query).one_or_none()
    return None if row is None else OrganizationRow(*row)


def set_organization(session: Session, organization_id: UUID, name: str) -> None:
    """Store what base VEXxy calls an organization."""
    session.execute(
        update(Organization)
        .where(Organization.id == organization_id)
        .values(name=name, synced_at=func.now(), updated_at=func.now())
    )


def add_user(session: Session, values: dict[str, object]) -> bool:
    """Insert a user of base VEXxy; False where the id or the address is taken."""
    statement = (
        insert(User)
        .values(hashed_password=None, synced_at=func.now(), **values)
        .on_conflict_do_nothing()
        .returning(User.id)
    )
    return session.scalars(statement).one_or_none() is not None


def lock_user(session: Session, user_id: UUID) -> UserRow | None:
    """Return a user, locked until the transaction ends."""
    query = (
        select(User.organization_id, User.email, User.name, User.synced_at)
        .where(User.id == user_id)
        .with_for_update()
    )
    row = session.execute(query).one_or_none()
    return None if row is None else UserRow(*row)


def is_address_taken(session: Session, email: str, *, by_other_than: UUID) -> bool:
    """Tell whether somebody else has an address in its normal form."""
    query = select(User.id).where(func.lower(User.email) == email, User.id != by_other_than)
    return session.scalars(query).first() is not None


def set_user(session: Session, user_id: UUID, *, email: str, name: str) -> None:
    """Store a user's address and name."""
    session.execute(
        update(User)
        .where(User.id == user_id)
        .values(email=email, name=name, synced_at=func.now(), updated_at=func.now())
    )
