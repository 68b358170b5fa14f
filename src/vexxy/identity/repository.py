"""SQL that finds out who a caller is; one statement a request."""

from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import BYTEA
from sqlalchemy.dialects.postgresql import UUID as UUID_
from sqlalchemy.orm import Session

_USER_COLUMNS: Final = (
    "u.id, u.organization_id, u.email, u.name, u.role, u.is_active, u.is_admin,"
    " u.token_generation, u.tokens_valid_from"
)
# Text, so that a driver-level path may send the same statements.
USER_SQL: Final = (
    f"select {_USER_COLUMNS} from users u"  # noqa: S608  constants
    " where u.id = :user_id and u.organization_id = :organization_id"
)
KEY_SQL: Final = (
    f"select {_USER_COLUMNS}, k.id as key_id, k.scopes,"  # noqa: S608  constants
    " k.revoked_at is null and (k.expires_at is null or k.expires_at > now())"
    " as key_holds,"
    " k.last_used_at is null or k.last_used_at < now() - interval '5 minutes'"
    " as key_unseen"
    " from api_keys k join users u"
    " on u.id = k.user_id and u.organization_id = k.organization_id"
    " where k.digest = :digest and k.organization_id = :organization_id"
)
# Nobody waits for another request that is about to write the same.
_SEEN_SQL: Final = text(
    "update api_keys set last_used_at = now() where id ="
    " (select id from api_keys where id = :key_id for update skip locked)"
).bindparams(bindparam("key_id", type_=UUID_()))


class UserRow(NamedTuple):
    """A user as `USER_SQL` returns them, in its order."""

    id: UUID
    organization_id: UUID
    email: str
    name: str
    role: str
    is_active: bool
    is_admin: bool
    token_generation: int
    tokens_valid_from: datetime | None


class KeyRow(NamedTuple):
    """A key and its user as `KEY_SQL` returns them, in its order."""

    user: UserRow
    key_id: UUID
    scopes: list[str]
    key_holds: bool
    key_unseen: bool


def _statement(sql: str, **types: object) -> TextClause:
    return text(sql).bindparams(
        *(bindparam(name, type_=kind) for name, kind in types.items())  # type: ignore[arg-type]
    )


_USER: Final = _statement(USER_SQL, user_id=UUID_(), organization_id=UUID_())
_KEY: Final = _statement(KEY_SQL, digest=BYTEA(), organization_id=UUID_())


def find_user(session: Session, *, user_id: UUID, organization_id: UUID) -> UserRow | None:
    """Return the user, if they are of this organization."""
    values = {"user_id": user_id, "organization_id": organization_id}
    row = session.execute(_USER, values).one_or_none()
    return None if row is None else UserRow(*row)


def find_key(session: Session, *, digest: bytes, organization_id: UUID) -> KeyRow | None:
    """Return the key and its user, if both are of this organization."""
    values = {"digest": digest, "organization_id": organization_id}
    row = session.execute(_KEY, values).one_or_none()
    if row is None:
        return None
    width = len(UserRow._fields)
    return KeyRow(UserRow(*row[:width]), *row[width:])


def touch_key(session: Session, key_id: UUID) -> None:
    """Note that a key is in use; called at most every few minutes a key."""
    session.execute(_SEEN_SQL, {"key_id": key_id})
