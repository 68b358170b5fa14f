"""Addresses, file names and links of evidence: values in, values out."""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from vexxy.evidence.errors import LinkRefused, UnknownContentType
from vexxy.evidence.types import EvidenceType, LinkGrant

# What may be handed out, and the extension of its file. Nothing a browser would run.
EXTENSIONS: Final[Mapping[str, str]] = {
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/gzip": "gz",
    "application/octet-stream": "bin",
    "text/plain": "txt",
    "text/csv": "csv",
}
# Longer than any transaction may be open between a blob and its row.
GARBAGE_AFTER: Final = timedelta(hours=24)
BYTES_MAX: Final = 1024**3
LINK_SECONDS_MAX: Final = 7 * 24 * 3600
_LINK: Final = struct.Struct(">16sQ32s")
_LINK_CHARS: Final = 4 * (-(-_LINK.size // 3))
_LINK_PURPOSE: Final = b"vexxy evidence link 1"


def check_content_type(content_type: str) -> None:
    """Refuse a content type that is not handed out.

    Raises:
        UnknownContentType: It is not one of `EXTENSIONS`.
    """
    if content_type not in EXTENSIONS:
        raise UnknownContentType(
            f"evidence of the type {content_type!r} is not kept",
            hint="one of " + ", ".join(sorted(EXTENSIONS)),
        )


def folder(organization_id: UUID) -> str:
    """Return the folder that holds all evidence of an organization."""
    return str(organization_id)


def address(organization_id: UUID, checksum: str, *, blob_id: UUID) -> str:
    """Return where content of an organization is stored.

    The organization is part of the address, so that nobody learns from a quick answer
    that a stranger has the same content. `blob_id` is new for each upload, so that a
    removal under way can never hit the bytes of a later one.
    """
    return f"{folder(organization_id)}/{checksum[:2]}/{checksum}/{blob_id}.zst"


def file_name(evidence_type: EvidenceType, content_type: str, *, checksum: str) -> str:
    """Return the name a download gets; made of our own words only."""
    return f"{evidence_type}-{checksum[:12]}.{EXTENSIONS.get(content_type, 'bin')}"


def expires_at(created_at: datetime, *, retention_days: int) -> datetime:
    """Return when evidence of this age may be removed."""
    return created_at + timedelta(days=retention_days)


def link_keys(secrets: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return keys for links, which open nothing else the secrets protect."""
    return tuple(
        hmac.new(secret, _LINK_PURPOSE, hashlib.sha256).digest() for secret in secrets
    )


def _signature(key: bytes, evidence_id: UUID, *, grant: bytes) -> bytes:
    message = _LINK_PURPOSE + evidence_id.bytes + grant
    return hmac.new(key, message, hashlib.sha256).digest()


def _text(packed: bytes) -> str:
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def sign(key: bytes, evidence_id: UUID, *, grant: LinkGrant) -> str:
    """Return the token of a download link, 75 characters that are safe in a URL."""
    organization = grant.organization_id.bytes
    expiry = int(grant.expires_at.timestamp())
    signed = organization + struct.pack(">Q", expiry)
    mac = _signature(key, evidence_id, grant=signed)
    return _text(_LINK.pack(organization, expiry, mac))


def verify(
    keys: Sequence[bytes], evidence_id: UUID, *, token: str, now: datetime
) -> LinkGrant:
    """Return what the token allows.

    Raises:
        LinkRefused: Altered, signed with none of the keys, for other evidence, or
            expired; which of them is not said.
    """
    try:
        packed = base64.b64decode(
            token.ljust(_LINK_CHARS, "=").encode("ascii"), altchars=b"-_", validate=True
        )
        organization, expiry, mac = _LINK.unpack(packed)
        # Two spare bits of the last character would let one link be written four ways.
        if _text(packed) != token:
            raise LinkRefused
    except (binascii.Error, struct.error, UnicodeEncodeError) as error:
        raise LinkRefused from error
    signed = organization + struct.pack(">Q", expiry)
    genuine = [
        hmac.compare_digest(mac, _signature(key, evidence_id, grant=signed)) for key in keys
    ]
    if not any(genuine) or expiry <= now.timestamp():
        raise LinkRefused
    return LinkGrant(
        organization_id=UUID(bytes=organization),
        expires_at=datetime.fromtimestamp(expiry, UTC),
    )
