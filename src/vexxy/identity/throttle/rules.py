"""What an attempt is counted under."""

import hashlib
import ipaddress
from typing import Final
from uuid import UUID

from vexxy.identity.throttle.types import Counter
from vexxy.identity.types import Limits

# The part of an IPv6 address that one customer of a provider holds.
_IPV6_CUSTOMER_BITS: Final = 64


def account(limits: Limits, email: str) -> Counter:
    """Return the counter of proofs of an account, whether or not it exists."""
    return _counter("account", email, limits.per_account, limits=limits)


def address(limits: Limits, client: str) -> Counter:
    """Return the counter of proofs from an address."""
    return _counter("address", _customer(client), limits.per_address, limits=limits)


def registration(limits: Limits, client: str) -> Counter:
    """Return the counter of organizations founded from an address."""
    limit = limits.registrations_per_address
    return _counter("registration", _customer(client), limit, limits=limits)


def reset(limits: Limits, email: str) -> Counter:
    """Return the counter of links asked for an e-mail address."""
    return _counter("reset", email, limits.resets_per_account, limits=limits)


def invitation(limits: Limits, organization_id: UUID) -> Counter:
    """Return the counter of invitations that an organization makes."""
    limit = limits.invitations_per_organization
    return _counter("invitation", str(organization_id), limit, limits=limits)


def _counter(kind: str, value: str, limit: int, *, limits: Limits) -> Counter:
    name = hashlib.sha256(f"{kind}\0{value}".encode(errors="replace")).digest()
    return Counter(name, limit, limits.window_seconds)


def _customer(client: str) -> str:
    """Return the address, of IPv6 the network that one customer holds."""
    try:
        parsed = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_CUSTOMER_BITS), strict=False))
    return str(parsed)
