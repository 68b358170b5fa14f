"""SQL of API keys."""

from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from vexxy.identity.keys.types import Key
from vexxy.identity.models import ApiKey


def count_holding(session: Session, user_id: UUID) -> int:
    """Return how many keys of a user have not been revoked or expired."""
    query = select(func.count()).where(
        ApiKey.user_id == user_id,
        ApiKey.revoked_at.is_(None),
        ApiKey.expires_at.is_(None) | (ApiKey.expires_at > func.now()),
    )
    return session.scalars(query).one()


def add_key(session: Session, row: ApiKey) -> Key:
    """Insert a key; return it as it is listed."""
    session.add(row)
    session.flush()
    return _key(row)


def list_keys(
    session: Session, *, user_id: UUID | None, limit: int, offset: int
) -> tuple[int, list[Key]]:
    """Return how many keys there are, and a page of them, newest first.

    Args:
        session: Bound to one organization.
        user_id: Whose, or None for everybody's.
        limit: Most keys returned.
        offset: How many are passed over.
    """
    of_user = ApiKey.user_id == user_id if user_id is not None else ApiKey.id.is_not(None)
    total = session.scalars(select(func.count()).select_from(ApiKey).where(of_user)).one()
    query = (
        select(ApiKey)
        .where(of_user)
        .order_by(ApiKey.created_at.desc(), ApiKey.id)
        .limit(limit)
        .offset(offset)
    )
    return total, [_key(row) for row in session.scalars(query)]


def revoke(session: Session, key_id: UUID, *, user_id: UUID | None) -> Key | None:
    """Revoke a key; None where there is none that holds (of this user, if one is named)."""
    statement = (
        update(ApiKey)
        .where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
        .values(revoked_at=func.now())
        .returning(ApiKey)
    )
    if user_id is not None:
        statement = statement.where(ApiKey.user_id == user_id)
    row = session.scalars(statement).one_or_none()
    return None if row is None else _key(row)


def _key(row: ApiKey) -> Key:
    return Key(
        id=row.id,
        user_id=row.user_id,
        name=row.name,
        prefix=row.prefix,
        scopes=row.scopes,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
