"""One process that serves the API on a socket that the supervisor holds.

Arguments: pid of the parent, number of the socket's descriptor.
"""

import socket
import sys
from typing import Final

import uvicorn

from vexxy.serving import child
from vexxy.serving.connections import BoundedProtocol

# Streams of progress stay open for as long as they may.
GRACEFUL_SECONDS_MAX: Final = 5


def main(arguments: list[str]) -> None:
    """Serve until asked to end."""
    child.bind(int(arguments[0]))
    listener = socket.socket(fileno=int(arguments[1]))
    server = uvicorn.Server(
        uvicorn.Config(
            "vexxy.asgi:app",
            loop="uvloop",
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            server_header=False,
            # Addresses from headers are believed by our own middleware, or not at all.
            proxy_headers=False,
            log_config=None,
            timeout_graceful_shutdown=GRACEFUL_SECONDS_MAX,
        )
    )
    server.run(sockets=[listener])
    sys.exit(0 if server.started else 3)


if __name__ == "__main__":
    main(sys.argv[1:])
