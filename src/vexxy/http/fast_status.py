"""The status of an analysis, read in one round trip (ADR 0020).

Only what succeeds is answered here. Whatever is unusual (no credentials, none that hold,
no such analysis, too many requests, a quota, a database that is away) goes on to the
ordinary route, which knows what to say; so the two can differ in nothing but speed.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple, cast
from uuid import UUID

from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Receive, Scope, Send

from vexxy.analysis.submission import service as submission
from vexxy.analysis.submission.types import Progress
from vexxy.bootstrap import Service
from vexxy.http import fast_caller
from vexxy.identity import service as identity
from vexxy.identity.types import Claims, Permission, Principal
from vexxy.kit import logging
from vexxy.kit.errors import VexxyError
from vexxy.kit.reads import Reads

if TYPE_CHECKING:
    from vexxy.analysis.submission.models import AnalysisRow
    from vexxy.http.calls import Calls
    from vexxy.http.rates import Rates

ROUTE: Final = "/api/v1/analysis/{job_id}/status"
PATH: Final = re.compile(
    "/api/v1/analysis/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/status"
)
CREDENTIALS: Final = (b"authorization", b"x-api-key")
# Proofs that held; the database is asked about their users at every request.
REMEMBERED_MAX: Final = 10_000
REMEMBERED_SECONDS: Final = 10.0

Write = Callable[[Progress], bytes]
Shown = tuple[str | None, str | None]


class StatusRow(NamedTuple):
    """What the function returns of an analysis, in its order."""

    id: UUID | None
    status: str
    progress_percent: int
    current_phase: str | None
    created_at: datetime
    started_at: datetime | None
    estimated_duration_minutes: int
    completed_at: datetime | None
    error_message: str | None
    revision: int


class FastStatus:
    """Answers `GET /analysis/{job_id}/status` before the router is asked.

    Args:
        app: What serves everything else, and this where it is unusual.
        service: The adapters.
        reads: Connections of the event loop.
        write: The ordinary route's model as JSON.
    """

    def __init__(
        self, app: ASGIApp, *, service: Service, reads: Reads, write: Write
    ) -> None:
        self._app = app
        self._tools = service.identity
        self._reads = reads
        self._write = write
        self._proofs = _Proofs()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or leave it to the ordinary route."""
        if scope["type"] == "http" and scope["method"] == "GET":
            match = PATH.fullmatch(scope["path"])
            content = await self._content(scope, match[1]) if match else None
            if content is not None:
                await _answer(scope, send, content)
                return
        await self._app(scope, receive, send)

    async def _content(self, scope: Scope, analysis_id: str) -> bytes | None:
        try:
            principal = await self._principal(_shown(scope))
            ask = fast_caller.asked(principal)
            row = await self._reads.row(fast_caller.QUERY, *ask, UUID(analysis_id))
            if row is None:
                return None
            values = tuple(row.values())
            who = fast_caller.caller(principal, values)
            found = StatusRow(*values[fast_caller.CALLER_COLUMNS :])
            if found.id is None or Permission.ANALYSIS_READ not in who.permissions:
                return None
            state = scope["app"].state
            rates: Rates = state.rates
            await rates.spend(who.organization_id)
            calls: Calls = state.calls
            await calls.spend(scope, who.organization_id)
        except VexxyError:
            return None
        logging.note(organization_id=who.organization_id, user_id=who.user_id)
        # The same fields by the same names; no entity of the ORM is needed to read them.
        return self._write(submission.progress_of(cast("AnalysisRow", found)))

    async def _principal(self, shown: Shown) -> Principal:
        known = self._proofs.find(shown)
        if known is not None:
            return known
        # In a thread: a key may have to be fetched, and checking a signature takes time.
        found = await run_in_threadpool(
            identity.authenticate, self._tools, authorization=shown[0], api_key=shown[1]
        )
        self._proofs.keep(shown, found)
        return found


class _Proofs:
    """What credentials proved by themselves a moment ago."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Shown, tuple[float, Principal]] = OrderedDict()

    def find(self, shown: Shown) -> Principal | None:
        """Return what they proved, while that may still be believed."""
        found = self._kept.get(shown)
        if found is None or time.monotonic() >= found[0]:
            return None
        principal = found[1]
        if isinstance(principal, Claims) and principal.expires_at <= time.time():
            return None
        return principal

    def keep(self, shown: Shown, principal: Principal) -> None:
        """Remember them for a moment."""
        self._kept[shown] = (time.monotonic() + REMEMBERED_SECONDS, principal)
        self._kept.move_to_end(shown)
        if len(self._kept) > REMEMBERED_MAX:
            self._kept.popitem(last=False)


def _shown(scope: Scope) -> Shown:
    """Return the credentials; the first of each, as the ordinary route reads them."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in CREDENTIALS:
            found.setdefault(name, value.decode("latin-1"))
    return found.get(CREDENTIALS[0]), found.get(CREDENTIALS[1])


async def _answer(scope: Scope, send: Send, content: bytes) -> None:
    scope["vexxy.route"] = ROUTE
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})
