"""Asks one server as fast as it answers, over connections that stay open."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple, cast

import uvloop


class Load(NamedTuple):
    """What came back.

    Attributes:
        per_second: Answers a second.
        p99_milliseconds: What the slowest of a hundred waited.
        statuses: How often each status came.
    """

    per_second: float
    p99_milliseconds: float
    statuses: dict[int, int]


class Connection(asyncio.Protocol):
    """One request after the other; counts answers by their Content-Length."""

    def __init__(self, request: Callable[[], bytes], until: float) -> None:
        self._request = request
        self._until = until
        self._left = b""
        self._asked = 0.0
        self._transport: asyncio.Transport | None = None
        self.statuses: dict[int, int] = {}
        self.seconds: list[float] = []
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # uvloop's own class, which is no subclass of what it behaves like.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked = time.perf_counter()
        self._transport.write(self._request())

    def data_received(self, data: bytes) -> None:
        """Count an answer that is whole, and ask again."""
        self._left += data
        head, found, rest = self._left.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(rest) < length:
            return
        self._left = b""
        status = int(head[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        now = time.perf_counter()
        self.seconds.append(now - self._asked)
        if now < self._until:
            self._ask()
        else:
            assert self._transport is not None
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell that this one has finished."""
        if not self.done.done():
            self.done.set_result(exc)


def get(path: str, headers: dict[str, str]) -> Callable[[], bytes]:
    """Return what makes a GET request."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: bench",
        *(f"{k}: {v}" for k, v in headers.items()),
    ]
    whole = "\r\n".join([*lines, "", ""]).encode()
    return lambda: whole


def post(path: str, body: bytes, headers: dict[str, str]) -> Callable[[], bytes]:
    """Return what makes a POST request of JSON."""
    sent = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: bench",
        *(f"{k}: {v}" for k, v in sent.items()),
    ]
    whole = "\r\n".join([*lines, "", ""]).encode() + body
    return lambda: whole


def run(
    port: int, request: Callable[[], bytes], *, seconds: float, connections: int = 16
) -> Load:
    """Ask for so many seconds; return what came back."""
    return uvloop.run(_run(port, request, seconds=seconds, connections=connections))


async def _run(
    port: int, request: Callable[[], bytes], *, seconds: float, connections: int
) -> Load:
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    made = [
        (
            await loop.create_connection(
                lambda: Connection(request, begun + seconds), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.done for connection in made))
    took = time.perf_counter() - begun
    waits = sorted(wait for connection in made for wait in connection.seconds)
    statuses: dict[int, int] = {}
    for connection in made:
        for status, count in connection.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return Load(
        per_second=len(waits) / took,
        p99_milliseconds=waits[int(len(waits) * 0.99)] * 1000,
        statuses=statuses,
    )
