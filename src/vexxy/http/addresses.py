"""Who is at the other end: the peer, or whom a proxy of ours names."""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from vexxy.kit.errors import InvalidInput

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ADDRESS: Final = "vexxy.client_address"
# A chain of proxies is short; what is longer was made to be expensive.
HOPS_MAX: Final = 16
# The part of an IPv6 address that one customer of a provider holds.
IPV6_CUSTOMER_BITS: Final = 64


class Client(NamedTuple):
    """Where a request came from and how.

    Attributes:
        address: An IP address, or empty where the peer has none (a Unix socket).
        scheme: `http` or `https`, as the client spoke it.
    """

    address: str
    scheme: str


def networks(names: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that were named, a single address being one of itself.

    Raises:
        InvalidInput: One is neither an address nor a network.
    """
    try:
        return tuple(ipaddress.ip_network(name, strict=False) for name in names)
    except ValueError as error:
        raise InvalidInput(
            f"TRUSTED_PROXIES: {error}", hint="name addresses or networks: 10.0.0.0/8"
        ) from error


def client(
    peer: Client, proxies: Sequence[Network], *, forwarded: Sequence[str], proto: str
) -> Client:
    """Return who sent the request.

    The header counts only when a configured proxy sent it, and in it only what
    configured proxies wrote: from the right, up to the first that is none of ours.
    """
    if not _among(peer.address, proxies):
        return peer
    scheme = proto if proto in {"http", "https"} else peer.scheme
    found = peer.address
    for hop in list(reversed(forwarded))[:HOPS_MAX]:
        address = _parsed(hop)
        if address is None:
            break
        found = str(address)
        if not _among(found, proxies):
            break
    return Client(found, scheme)


def bucket(address: str) -> str:
    """Return what one client is counted under: IPv6 by the customer's network."""
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        network = ipaddress.ip_network((parsed, IPV6_CUSTOMER_BITS), strict=False)
        return str(network)
    return address


def _parsed(text: str) -> Address | None:
    text = text.strip().removeprefix("[").partition("]")[0].partition("%")[0]
    if text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def _among(text: str, proxies: Sequence[Network]) -> bool:
    address = _parsed(text) if proxies else None
    return address is not None and any(address in network for network in proxies)


class Addresses:
    """Puts the client's address into the scope, for limits, audit and logs."""

    def __init__(self, app: ASGIApp, *, proxies: Sequence[Network]) -> None:
        self._app = app
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Name the client, then go on."""
        if scope["type"] == "http":
            peer = scope.get("client") or ("", 0)
            found = Client(str(peer[0]), scope.get("scheme", "http"))
            if self._proxies:
                hops, proto = _forwarded(scope)
                found = client(found, self._proxies, forwarded=hops, proto=proto)
            scope[ADDRESS] = found.address
            scope["scheme"] = found.scheme
        await self._app(scope, receive, send)


def _forwarded(scope: Scope) -> tuple[list[str], str]:
    hops: list[str] = []
    proto = ""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            hops += value.decode("latin-1").split(",")
        elif name == b"x-forwarded-proto":
            proto = value.decode("latin-1").strip().lower()
    return hops, proto
