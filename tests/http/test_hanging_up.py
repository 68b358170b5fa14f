"""A client that goes away before it is answered."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from vexxy.http import access
from vexxy.http.access import Access
from vexxy.kit import metrics


class Counts:
    """Keeps what is counted, by metric and status."""

    def __init__(self) -> None:
        self.statuses: list[str] = []

    def count(
        self, counter: metrics.Counter, amount: float, labels: dict[str, str]
    ) -> None:
        if counter is metrics.HTTP_REQUESTS:
            self.statuses.append(labels["status"])

    def observe(self, *_: object) -> None:
        pass


async def _reads(scope: Scope, receive: Receive, send: Send) -> None:
    await Request(scope, receive, send).body()


def test_a_client_that_hangs_up_is_no_failure_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts, failed, sent = Counts(), [], []
    monkeypatch.setattr(metrics._installed, "recorder", counts)
    monkeypatch.setattr(access.log, "exception", lambda *a, **_: failed.append(a))
    messages = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/x",
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(Access(_reads)(scope, receive, send))

    assert (counts.statuses, failed, sent) == (["499"], [], [])
