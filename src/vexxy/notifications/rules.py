"""Signatures (Standard Webhooks 1.0), waits, and which addresses are ever called."""

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from vexxy.notifications.errors import EndpointInvalid

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  a prefix, no secret
SECRET_BYTES: Final = 32
SECRET_BYTES_MIN: Final = 24
RETRIES_MAX: Final = 5
RETRY_SECONDS_MAX: Final = 3600
URL_LENGTH_MAX: Final = 2000

TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
# Addresses that a translator of a network may turn into inner IPv4 ones (RFC 8215,
# RFC 2765), and site-local ones (RFC 3879); Python calls them global.
NOT_PUBLIC: Final = tuple(
    ipaddress.IPv6Network(name)
    for name in ("64:ff9b:1::/48", "::ffff:0:0:0/96", "fec0::/10")
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def signature(
    secrets: Sequence[str], *, message_id: str, timestamp: int, body: bytes
) -> str:
    """Return the header `webhook-signature`: one signature for each secret in force.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_sign(secret, signed)}" for secret in secrets)


def _sign(secret: str, signed: bytes) -> str:
    digest = hmac.new(key_of(secret), signed, hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def key_of(secret: str) -> bytes:
    """Return the bytes of a secret, `whsec_` and base64.

    Raises:
        EndpointInvalid: It is not written so, or too short to protect anything.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EndpointInvalid("a webhook secret is whsec_ and base64") from error
    if len(key) < SECRET_BYTES_MIN:
        raise EndpointInvalid(f"a webhook secret has at least {SECRET_BYTES_MIN} bytes")
    return key


def retry_seconds(attempt: int) -> int:
    """Return the wait after a failed attempt, counted from 1: 1 s doubled, up to 1 h."""
    return int(min(2 ** (attempt - 1), RETRY_SECONDS_MAX))


def check_url(url: str, *, plain_allowed: bool) -> str:
    """Return the address if it may be registered.

    Which machine it leads to is looked at each time it is called: names move.

    Raises:
        EndpointInvalid: No https address, or one with a password or fragment.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise EndpointInvalid(f"not an address: {error}") from error
    schemes = {"https", "http"} if plain_allowed else {"https"}
    if len(url) > URL_LENGTH_MAX or parts.scheme not in schemes or not parts.hostname:
        raise EndpointInvalid("an endpoint is an https address of at most 2000 characters")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise EndpointInvalid("an endpoint's address has no user, password or fragment")
    if port == 0 or not url.isascii() or any(one.isspace() for one in url):
        raise EndpointInvalid("an endpoint's address is plain ASCII without blanks")
    return url


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that a translator of the network would call (RFC 6052)."""
    if address not in TRANSLATED:
        return None
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def is_callable(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Return whether an address may be called: public, or in a network that is set.

    Everything else (loopback, private, link-local with its metadata services, shared,
    reserved, multicast) could be a machine of ours.
    """
    found: Address = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        if found.teredo is not None or any(found in one for one in NOT_PUBLIC):
            return False
        found = found.ipv4_mapped or found.sixtofour or _translated(found) or found
    if any(found in network for network in allowed if network.version == found.version):
        return True
    return found.is_global and not found.is_multicast
