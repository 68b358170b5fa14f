"""The address the service listens on, held from first to last."""

import errno
import socket

from vexxy.serving.errors import AddressUnusable, PortTaken

# What waits here while an API process is started again is served, not refused.
BACKLOG = 1024


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, to be handed to the processes that serve.

    Raises:
        PortTaken: Something else listens there.
        AddressUnusable: It is no address of this machine, or not for this user.
    """
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (socket.gaierror, OverflowError) as error:
        raise AddressUnusable(host, port, reason=str(error)) from error
    # `localhost` often is ::1 first, and 127.0.0.1 is what people then open.
    found.sort(key=lambda one: one[0] != socket.AF_INET)
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(host, port) from error
        reason = error.strerror or str(error)
        raise AddressUnusable(host, port, reason=reason) from error
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address as a URL that this machine can open."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104  same
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
