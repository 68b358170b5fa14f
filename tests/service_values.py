"""Rows that service tests start from."""

from uuid import UUID

from vexxy.identity.models import Organization, User
from vexxy.kit import ids
from vexxy.kit.db import Database


def an_organization(system: Database, *, name: str = "Example") -> UUID:
    """Store an organization; return its id."""
    organization_id = ids.new_id()
    with system.transaction() as session:
        session.add(
            Organization(id=organization_id, name=name, slug=f"org-{organization_id.hex}")
        )
    return organization_id


def a_user(
    system: Database,
    organization_id: UUID,
    *,
    role: str = "owner",
    is_admin: bool = False,
    is_active: bool = True,
) -> UUID:
    """Store a user without a password; return their id."""
    user_id = ids.new_id()
    with system.transaction() as session:
        session.add(
            User(
                id=user_id,
                organization_id=organization_id,
                email=f"{user_id.hex}@example.com",
                name="Somebody",
                hashed_password=None,
                role=role,
                is_admin=is_admin,
                is_active=is_active,
            )
        )
    return user_id
