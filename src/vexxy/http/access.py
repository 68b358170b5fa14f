"""The outermost frame of a request: its id, its line in the log, its last resort."""

import time
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vexxy.http import headers, problems, quotas, request_ids
from vexxy.http.addresses import ADDRESS
from vexxy.http.errors import INTERNAL
from vexxy.kit import logging, metrics

log: Final = logging.logger(__name__)
REQUEST_ID: Final = "vexxy.request_id"
FAILED: Final = "the request failed; it is recorded under its request id"
# The status that nginx logs for a client that went away before the answer.
HUNG_UP: Final = 499
# Asked every few seconds by machines; a line each would be most of the log.
QUIET: Final = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})


class Access:
    """Names, times, counts and logs every request, and answers 500 for a fault."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; whatever happens, it is answered and told."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = next((v for name, v in scope["headers"] if name == b"x-request-id"), None)
        request_id = request_ids.accepted(sent)
        scope[REQUEST_ID] = request_id
        with logging.bound(request_id=request_id):
            answer = _Answer(scope, send, request_id.encode())
            try:
                await self._app(scope, receive, answer.send)
            except ClientDisconnect:
                # Nobody is left to answer, and it is no fault of ours.
                answer.status = answer.status or HUNG_UP
            except Exception:
                log.exception("request.failed", path=scope["path"])
                if not answer.status:
                    await problems.answer(scope, answer.send, INTERNAL, message=FAILED)
                elif not answer.complete:
                    # Half an answer is out: break the connection, do not mend it.
                    raise
            finally:
                answer.told()


class _Answer:
    """What went out, with the headers that every answer has."""

    __slots__ = ("_request_id", "_scope", "_send", "_started", "complete", "status")

    def __init__(self, scope: Scope, send: Send, request_id: bytes) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._started = time.perf_counter()
        self.status = 0
        self.complete = False

    async def send(self, message: Message) -> None:
        """Pass the message on; the first one gets our headers."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            lines = headers.secured(
                list(message.get("headers", ())), scheme=self._scope.get("scheme", "")
            )
            lines.append((b"x-request-id", self._request_id))
            lines += quotas.said(self._scope, self.status)
            message = {**message, "headers": lines}
        await self._send(message)
        if message["type"] == "http.response.body":
            self.complete = not message.get("more_body", False)

    def told(self) -> None:
        """Count the request and write its line."""
        scope, seconds = self._scope, time.perf_counter() - self._started
        method, route = _method(scope), route_of(scope)
        metrics.HTTP_REQUESTS.count(method=method, route=route, status=str(self.status))
        metrics.HTTP_SECONDS.observe(seconds, method=method, route=route)
        if scope["path"] in QUIET and self.status < 500:  # noqa: PLR2004  HTTP's own
            return
        log.info(
            "request",
            method=method,
            path=scope["path"],
            status=self.status,
            milliseconds=round(seconds * 1000, 1),
            address=scope.get(ADDRESS, ""),
        )


def _method(scope: Scope) -> str:
    """Return the method; a label per word that a client invents would fill the memory."""
    method = str(scope["method"])
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return method if method in known else "OTHER"


def route_of(scope: Scope) -> str:
    """Return the template of the route that served the request, never its path."""
    named = scope.get("vexxy.route")
    if isinstance(named, str):
        return named
    context = scope.get("fastapi", {}).get("effective_route_context")
    route = context or scope.get("route")
    return str(getattr(route, "path_format", None) or "unmatched")
