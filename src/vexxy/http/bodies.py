"""The refusal of a body that is too large, in the shape that every error has.

Counting is the framework's (`max_body_size` of a route): by what arrives, whatever
Content-Length said. Where the header alone is too large it answers in plain text, and
that answer is replaced here.
"""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vexxy.http import problems
from vexxy.http.errors import ANSWERS
from vexxy.kit import errors

BYTES_MAX: Final = 1024 * 1024
MESSAGE: Final = "the body is larger than this route takes"
PLAIN: Final = b"text/plain"


class Bodies:
    """Replaces the framework's own 413."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; watch for that one answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        replaced = False

        async def watched(message: Message) -> None:
            nonlocal replaced
            if replaced:
                return
            if message["type"] == "http.response.start" and _is_plain_413(message):
                replaced = True
                await problems.answer(
                    scope, send, ANSWERS[errors.TooLarge], message=MESSAGE
                )
                return
            await send(message)

        await self._app(scope, receive, watched)


def _is_plain_413(message: Message) -> bool:
    if message["status"] != ANSWERS[errors.TooLarge].status:
        return False
    return any(
        name.lower() == b"content-type" and value.startswith(PLAIN)
        for name, value in message.get("headers", ())
    )
