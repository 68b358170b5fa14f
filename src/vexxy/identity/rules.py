"""Decisions about people, as functions of values."""

import hashlib
import re
import unicodedata
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from vexxy.identity.errors import NotSignedIn, NotYours, UnusableAddress
from vexxy.identity.types import Claims, KeyProof, Permission, Role

EMAIL_CHARACTERS_MAX: Final = 254  # RFC 5321, section 4.5.3.1.3, less the brackets
_LOCAL_CHARACTERS_MAX: Final = 64
_LOCAL: Final = re.compile(r"[^\s@<>()\[\]\\,;:\"\x00-\x1f\x7f]+")
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
)

KEY_PREFIX: Final = "vxy_"
KEY_RANDOM_BYTES: Final = 32
_KEY_CHARACTERS: Final = 64  # of 48 bytes in base64
_SHOWN_CHARACTERS: Final = 8

_READ: Final = frozenset({Permission.ANALYSIS_READ})
_WORK: Final = _READ | {Permission.ANALYSIS_WRITE, Permission.BILLING_READ}
_GOVERN: Final = _WORK | {
    Permission.BILLING_MANAGE,
    Permission.MEMBERS_MANAGE,
    Permission.AUDIT_READ,
}
PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.OWNER: _GOVERN,
    Role.ADMIN: _GOVERN,
    Role.ANALYST: _WORK,
    Role.VIEWER: _READ,
}


def permissions(role: Role, *, is_admin: bool) -> frozenset[Permission]:
    """Return what somebody may do; operators of the service may operate it as well."""
    extra = {Permission.OPERATIONS_MANAGE} if is_admin else set()
    return PERMISSIONS[role] | extra


def check_assignment(by: Role, *, before: Role | None, after: Role | None) -> None:
    """Refuse a change of role that would raise somebody above the one who makes it.

    Args:
        by: The role of who makes the change.
        before: The role that is taken, None for a new member.
        after: The role that is given, None for a member who leaves.

    Raises:
        NotYours: Only owners make owners, and only owners change them.
    """
    if by is not Role.OWNER and Role.OWNER in {before, after}:
        raise NotYours("only an owner may do this to an owner")


def normal_email(text: str) -> str:
    """Return the address in the one form it is stored, found and limited by.

    The case of the local part is dropped as well: RFC 5321 lets a host tell `A@` from
    `a@`, none does, and two accounts that differ by case would be a trap.

    Raises:
        UnusableAddress: It is no address that mail could be sent to.
    """
    address = unicodedata.normalize("NFKC", text).strip().lower()
    local, at, domain = address.rpartition("@")
    try:
        host = domain.encode("idna").decode("ascii") if not domain.isascii() else domain
    except UnicodeError as error:
        raise UnusableAddress("this is no e-mail address") from error
    fits = (
        at
        and len(local) <= _LOCAL_CHARACTERS_MAX
        and address.isprintable()
        and _LOCAL.fullmatch(local)
        and _DOMAIN.fullmatch(host)
        and len(local) + 1 + len(host) <= EMAIL_CHARACTERS_MAX
    )
    if not fits:
        raise UnusableAddress("this is no e-mail address")
    return f"{local}@{host}"


def slug(name: str, organization_id: UUID) -> str:
    """Return a name for addresses: readable, and unique by a piece of the id."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-")
    return f"{words or 'organization'}-{organization_id.hex[:12]}"


def digest(secret: str) -> bytes:
    """Return what is stored of a random secret of 256 bits.

    One SHA-256 is right here: unlike a password such a secret cannot be guessed, so a
    slow hash would cost every request and protect nothing.
    """
    return hashlib.sha256(secret.encode()).digest()


def api_key(random: bytes, organization_id: UUID) -> str:
    """Return the text of an API key.

    It carries its organization, so that the database can be bound to it before the key
    is looked up: no look-up of keys ever sees two organizations.
    """
    return KEY_PREFIX + urlsafe_b64encode(random + organization_id.bytes).decode()


def key_proof(key: str) -> KeyProof:
    """Return what an API key proves, if the database knows its digest.

    Raises:
        NotSignedIn: It is no key of ours.
    """
    body = key.removeprefix(KEY_PREFIX)
    if not key.startswith(KEY_PREFIX) or len(body) != _KEY_CHARACTERS:
        raise NotSignedIn
    try:
        content = b64decode(body, altchars=b"-_", validate=True)
    except ValueError as error:
        raise NotSignedIn from error
    return KeyProof(UUID(bytes=content[KEY_RANDOM_BYTES:]), digest(key))


def shown_prefix(key: str) -> str:
    """Return the part of a key that may be listed: enough to recognize it."""
    return key[: len(KEY_PREFIX) + _SHOWN_CHARACTERS]


def token_holds(claims: Claims, *, generation: int, valid_from: datetime | None) -> bool:
    """Tell whether a token was issued after its user last logged out everywhere.

    A token without a generation is base VEXxy's; its instant of issue has whole seconds
    and must lie strictly after the log-out.
    """
    if claims.generation is not None:
        return claims.generation == generation
    return valid_from is None or claims.issued_at > valid_from.timestamp()
