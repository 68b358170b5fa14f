"""SQL of reset links."""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from vexxy.identity.models import PasswordReset, User
from vexxy.kit import ids


class Open(NamedTuple):
    """A link that still holds, and whose it is."""

    user_id: UUID
    organization_id: UUID
    email: str


def add_reset(
    session: Session,
    *,
    user_id: UUID,
    organization_id: UUID,
    digest: bytes,
    seconds: int,
) -> None:
    """Store a link by its digest, in place of those of the user that ended."""
    session.execute(
        delete(PasswordReset).where(
            PasswordReset.user_id == user_id, PasswordReset.expires_at < func.now()
        )
    )
    statement = insert(PasswordReset).values(
        id=ids.new_id(),
        organization_id=organization_id,
        user_id=user_id,
        digest=digest,
        expires_at=func.now() + timedelta(seconds=seconds),
    )
    session.execute(statement)


def lock_open(session: Session, digest: bytes) -> Open | None:
    """Return the link and its active user, locked: of two uses at once one waits."""
    query = (
        select(User.id, User.organization_id, User.email)
        .join(PasswordReset, PasswordReset.user_id == User.id)
        .where(
            PasswordReset.digest == digest,
            PasswordReset.used_at.is_(None),
            PasswordReset.expires_at > func.now(),
            User.is_active,
        )
        .with_for_update()
    )
    row = session.execute(query).one_or_none()
    return None if row is None else Open(*row)


def use_all(session: Session, user_id: UUID) -> None:
    """Mark every link of a user as used: the one that was, and those that lie about."""
    session.execute(
        update(PasswordReset)
        .where(PasswordReset.user_id == user_id, PasswordReset.used_at.is_(None))
        .values(used_at=func.now())
    )
