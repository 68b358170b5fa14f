"""Only the names that the operator gave this service are answered."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from vexxy.http import problems
from vexxy.http.access import QUIET
from vexxy.http.errors import ANSWERS
from vexxy.kit import errors


class Hosts:
    """Refuses a request whose Host is none of ours; `*.example.org` allows all below."""

    def __init__(self, app: ASGIApp, *, allowed: Sequence[str]) -> None:
        self._app = app
        self._exact = frozenset(
            name.lower() for name in allowed if not name.startswith("*.")
        )
        self._below = tuple(name[1:].lower() for name in allowed if name.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, or refuse it."""
        # Probes name an address, and Prometheus whatever its configuration says.
        if scope["type"] != "http" or scope["path"] in QUIET or self._is_ours(_host(scope)):
            await self._app(scope, receive, send)
            return
        await problems.answer(
            scope,
            send,
            ANSWERS[errors.InvalidInput],
            message="this service has another name",
            details={"errors": [{"loc": ["header", "host"], "message": "unknown host"}]},
        )

    def _is_ours(self, host: str) -> bool:
        return host in self._exact or (bool(self._below) and host.endswith(self._below))


def _host(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"host":
            text = str(value.decode("latin-1")).lower().rstrip(".")
            return text if text.endswith("]") else text.rpartition(":")[0] or text
    return ""
