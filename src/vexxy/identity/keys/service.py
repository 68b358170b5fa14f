"""Making, listing and revoking API keys."""

import secrets
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.identity import rules as identity_rules
from vexxy.identity.accounts import repository as accounts
from vexxy.identity.errors import NoSuchKey, TooManyKeys
from vexxy.identity.keys import repository, rules
from vexxy.identity.keys.types import Key, MadeKey, NewKey
from vexxy.identity.models import ApiKey
from vexxy.identity.types import Identity, Permission
from vexxy.kit import clock, ids


def make(session: Session, identity: Identity, wanted: NewKey, *, actor: Actor) -> MadeKey:
    """Make a key for the caller; its text is returned here and never again.

    Raises:
        NotYours: It would have a permission that the caller lacks.
        TooManyKeys: The caller has as many as one may have.
        UnusableKeyRequest: No scope, or an end that is no future instant.
    """
    rules.check_expiry(wanted.expires_at, now=clock.now())
    scopes = sorted(rules.scopes(wanted, identity.permissions))
    accounts.lock_stored(session, identity.user_id)  # two at once cannot both be the last
    if repository.count_holding(session, identity.user_id) >= rules.KEYS_MAX:
        raise TooManyKeys(
            f"you have {rules.KEYS_MAX} keys already", hint="revoke one that is not used"
        )
    text = identity_rules.api_key(
        secrets.token_bytes(identity_rules.KEY_RANDOM_BYTES), identity.organization_id
    )
    row = ApiKey(
        id=ids.new_id(),
        organization_id=identity.organization_id,
        user_id=identity.user_id,
        name=wanted.name,
        prefix=identity_rules.shown_prefix(text),
        digest=identity_rules.digest(text),
        scopes=[scope.value for scope in scopes],
        expires_at=wanted.expires_at,
    )
    key = repository.add_key(session, row)
    audit.record(session, _act("api_key.created", identity, key, actor=actor))
    return MadeKey(key, text)


def list_keys(
    session: Session, identity: Identity, *, limit: int, offset: int
) -> tuple[int, list[Key]]:
    """Return the caller's keys; everybody's to who manages members."""
    return repository.list_keys(
        session, user_id=_whose(identity), limit=limit, offset=offset
    )


def revoke(session: Session, identity: Identity, key_id: UUID, *, actor: Actor) -> None:
    """Revoke a key from the next request on.

    Raises:
        NoSuchKey: None that holds, or somebody else's.
    """
    key = repository.revoke(session, key_id, user_id=_whose(identity))
    if key is None:
        raise NoSuchKey
    audit.record(session, _act("api_key.revoked", identity, key, actor=actor))


def _whose(identity: Identity) -> UUID | None:
    everybody = Permission.MEMBERS_MANAGE in identity.permissions
    return None if everybody else identity.user_id


def _act(action: str, identity: Identity, key: Key, *, actor: Actor) -> Act:
    facts = {
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "expires_at": key.expires_at,
        "user_id": key.user_id,
    }
    revoked = action == "api_key.revoked"
    return Act(
        action=action,
        actor=actor,
        organization_id=identity.organization_id,
        resource_type="api_key",
        resource_id=key.id,
        before=facts if revoked else None,
        after=None if revoked else facts,
    )
