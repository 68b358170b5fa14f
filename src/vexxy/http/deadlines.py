"""No client waits for ever: an answer that has not begun in time is given up."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vexxy.http import problems
from vexxy.http.errors import ANSWERS
from vexxy.kit import errors

MESSAGE: Final = (
    "no answer within the time limit; what was asked may still be done: "
    "look before trying again, or try again with the same Idempotency-Key"
)


class Deadlines:
    """Answers 504 where an answer has not begun in time.

    The work is not broken off in its middle: a thread cannot be stopped, and the
    database ends its own statements in time. A stream that has begun may go on.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer that it took too long."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        race = _Race(scope, receive, send)
        timer = asyncio.get_running_loop().call_later(self._seconds, race.expire)
        race.timer = timer
        try:
            await self._app(scope, race.receive, race.send)
        finally:
            timer.cancel()
            if race.expired is not None:
                await race.expired


class _Race:
    """The application and the clock, both wanting to answer first."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._started = False
        self.expired: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def expire(self) -> None:
        """Answer for the application, which has not begun to."""
        if not self._started:
            self.expired = asyncio.create_task(
                problems.answer(
                    self._scope, self._send, ANSWERS[errors.TimedOut], message=MESSAGE
                )
            )

    async def receive(self) -> Message:
        """Return what the client sends, or that it is gone once it was answered."""
        if self.expired is not None:
            return {"type": "http.disconnect"}
        return await self._receive()

    async def send(self, message: Message) -> None:
        """Pass on what came in time; say nothing of what came too late."""
        if self.expired is not None:
            return
        if not self._started and self.timer is not None:
            self._started = True
            self.timer.cancel()
        await self._send(message)
