"""Answers of middleware, in the shape that every error has."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.types import Scope, Send

from vexxy.http import errors
from vexxy.http.errors import Answer


async def answer(
    scope: Scope,
    send: Send,
    problem: Answer,
    *,
    message: str,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Send the problem as the whole answer."""
    request_id = str(scope.get("vexxy.request_id", ""))
    content = msgspec.json.encode(
        errors.body(problem, message, request_id=request_id, details=details)
    )
    lines = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    for name, value in (headers or {}).items():
        lines.append((name.lower().encode(), value.encode()))
    await send(
        {"type": "http.response.start", "status": int(problem.status), "headers": lines}
    )
    body = b"" if scope["method"] == "HEAD" else content
    await send({"type": "http.response.body", "body": body})
