"""From the credentials of a request to what its caller may do."""

import hmac
from collections.abc import Sequence

from sqlalchemy.orm import Session

from vexxy.audit.types import Actor, ActorType
from vexxy.identity import repository, rules
from vexxy.identity.errors import NotSignedIn, SignInNeeded
from vexxy.identity.ports import TokenAuthority, Tools
from vexxy.identity.repository import KeyRow, UserRow
from vexxy.identity.types import Claims, Identity, Permission, Principal, Role


def authenticate(
    tools: Tools, *, authorization: str | None, api_key: str | None
) -> Principal:
    """Return what the credentials prove by themselves; the database is not asked.

    A key may be sent as a bearer token or in its own header; both at once are refused,
    because which of them counts would be a guess.

    Raises:
        NotSignedIn: There are none, two, or some that do not hold.
    """
    if api_key is not None:
        if authorization is not None:
            raise NotSignedIn
        return rules.key_proof(api_key)
    scheme, _, token = (authorization or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise NotSignedIn
    return _proof(tools.tokens, token)


def _proof(tokens: TokenAuthority, token: str) -> Principal:
    if token.startswith(rules.KEY_PREFIX):
        return rules.key_proof(token)
    return tokens.verify(token)


def resolve(session: Session, principal: Principal) -> Identity:
    """Return who the caller is and what they may do, as the database says now.

    One statement. Deactivation, another role, a log-out everywhere and the revocation of
    a key all hold from the next request on.

    Args:
        session: Bound to the organization that the credentials name.
        principal: What the credentials prove.

    Raises:
        NotSignedIn: The user is gone, inactive, of another organization or logged out,
            or the key is revoked or expired.
    """
    if isinstance(principal, Claims):
        user = repository.find_user(
            session,
            user_id=principal.user_id,
            organization_id=principal.organization_id,
        )
        return by_token(principal, user)
    key = repository.find_key(
        session, digest=principal.digest, organization_id=principal.organization_id
    )
    identity = by_key(key)
    if key is not None and key.key_unseen:
        repository.touch_key(session, key.key_id)
    return identity


def by_token(claims: Claims, user: UserRow | None) -> Identity:
    """Return the user that a token names, if the row agrees with the token.

    Raises:
        NotSignedIn: It does not, or there is no row.
    """
    if user is None or not rules.token_holds(
        claims, generation=user.token_generation, valid_from=user.tokens_valid_from
    ):
        raise NotSignedIn
    return _identity(user)


def by_key(key: KeyRow | None) -> Identity:
    """Return the user of a key, with no more than the key's permissions.

    Raises:
        NotSignedIn: There is no such key, or it no longer holds.
    """
    if key is None or not key.key_holds:
        raise NotSignedIn
    whole = _identity(key.user)
    return Identity(
        user_id=whole.user_id,
        organization_id=whole.organization_id,
        email=whole.email,
        name=whole.name,
        role=whole.role,
        permissions=whole.permissions & frozenset(map(Permission, key.scopes)),
        is_admin=whole.is_admin,
        api_key_id=key.key_id,
    )


def _identity(user: UserRow) -> Identity:
    if not user.is_active:
        raise NotSignedIn
    role = Role(user.role)
    return Identity(
        user_id=user.id,
        organization_id=user.organization_id,
        email=user.email,
        name=user.name,
        role=role,
        permissions=rules.permissions(role, is_admin=user.is_admin),
        is_admin=user.is_admin,
    )


def check_person(identity: Identity) -> None:
    """Refuse a caller that acts through an API key.

    Raises:
        SignInNeeded: A stolen key must not make itself lasting.
    """
    if identity.api_key_id is not None:
        raise SignInNeeded


def check_service_key(keys: Sequence[str], shown: str | None) -> None:
    """Refuse a caller that is not base VEXxy.

    Every key is compared, in a time that does not tell how much of it was right.

    Raises:
        NotSignedIn: No key is configured, none was shown, or it is none of them.
    """
    given = (shown or "").encode()
    matches = [hmac.compare_digest(given, key.encode()) for key in keys if key]
    if not given or not any(matches):
        raise NotSignedIn


def actor(
    identity: Identity,
    *,
    ip_address: str | None,
    user_agent: str | None,
    request_id: str | None,
) -> Actor:
    """Return the caller as the record of acts names them."""
    return Actor(
        type=ActorType.USER,
        id=str(identity.user_id),
        ip_address=ip_address,
        user_agent=user_agent,
        api_key_id=identity.api_key_id,
        request_id=request_id,
    )
