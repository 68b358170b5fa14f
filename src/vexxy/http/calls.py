"""API calls: counted in the process, written every second, held to their quota.

Every authenticated request is one `api_calls`. Counting costs an addition; once a second
what was counted is written as one event an organization, under an id that stays the same
until it is known to be written. A process that is killed loses what it had not written,
about a second of calls, in the customer's favor.

Whether a call may pass is decided from what the last write found and what was counted
since. That cannot let pass what is over: beyond a *soft* cap a call passes anyway, for its
price or until an instant that was fixed when the grace began, and that instant is known
here a day before it matters. A refusal is never taken from memory that is older than a
second, and for a *hard* cap nothing is: each call is then decided and counted in a
transaction of its own. Where a soft cap cannot be read the call passes and is counted
(`vexxy_quota_unread_total`); where a hard one cannot, the answer is 503.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from vexxy.billing.enforcement import rules
from vexxy.billing.enforcement import service as enforcement
from vexxy.billing.enforcement.errors import QuotaReached
from vexxy.billing.enforcement.ports import Use
from vexxy.billing.enforcement.types import Line, Outcome, Policy, Standing
from vexxy.billing.subscriptions.errors import OrganizationClosed
from vexxy.billing.types import Cap
from vexxy.billing.usage.types import Event
from vexxy.bootstrap import Service
from vexxy.http import quotas
from vexxy.kit import clock, ids, logging, metrics
from vexxy.kit.errors import Unavailable, VexxyError

log: Final = logging.logger(__name__)
METRIC: Final = enforcement.API_CALLS
EVERY_SECONDS: Final = 1.0
# How old what is known may be, with a limit and without; nothing refused is this old.
KNOWN_SECONDS: Final = 60.0
UNLIMITED_SECONDS: Final = 300.0
REFUSAL_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 600.0
READS_MAX: Final = 4
CLOSING_SECONDS: Final = 10.0
# Always answered, though counted: getting a larger quota, and telling of what was used.
OPEN: Final = ("/api/v1/billing/", "/api/v1/usage/", "/api/v1/auth/")


class Book(Protocol):
    """Where calls are written down, and what holds for them."""

    def add(self, organization_id: UUID, event: Event, /) -> Line:
        """Count a batch, once however often it is told; return how the metric stands."""

    def look(self, organization_id: UUID, now: datetime, /) -> Line:
        """Return how the metric stands."""

    def spend(self, organization_id: UUID, now: datetime, /) -> Standing:
        """Decide about one call and count it.

        Raises:
            QuotaReached: It may not pass.
        """

    @property
    def policy(self) -> Policy:
        """What the catalog says of every metric."""


class Written:
    """The database, one organization a transaction.

    Through connections of their own (those of background work): a request holds one of
    its kind already, and must not wait for a second.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def policy(self) -> Policy:
        """What the catalog says of every metric."""
        return enforcement.policy(self._service.plans)

    def add(self, organization_id: UUID, event: Event, /) -> Line:
        """Count a batch."""
        plans = self._service.plans
        with self._service.worker.transaction(organization_id) as session:
            return enforcement.add(session, event, organization_id, plans=plans)

    def look(self, organization_id: UUID, now: datetime, /) -> Line:
        """Return how the metric stands."""
        plans = self._service.plans
        with self._service.worker.transaction(organization_id) as session:
            return enforcement.look(session, organization_id, METRIC, plans=plans, now=now)

    def spend(self, organization_id: UUID, now: datetime, /) -> Standing:
        """Decide about one call and count it."""
        plans = self._service.plans
        with self._service.worker.transaction(organization_id) as session:
            use = Use(organization_id, METRIC)
            return enforcement.spend(session, use, plans=plans, now=now)


@dataclass(slots=True)
class _Entry:
    """What a process knows of one organization.

    Attributes:
        waiting: Counted, and not in a batch yet.
        batch: On its way to the database; kept as it is until it is there.
        line: How the metric stood when it was last read or written.
    """

    waiting: int = 0
    first_at: datetime | None = None
    batch: Event | None = None
    line: Line | None = None
    read_at: float = 0.0
    called_at: float = 0.0

    def unwritten(self) -> int:
        """Return how many calls `line` does not know of."""
        return self.waiting + (int(self.batch.quantity) if self.batch else 0)


@dataclass(slots=True)
class _State:
    entries: dict[UUID, _Entry] = field(default_factory=dict)
    batches: int = 0
    closing: bool = False
    thread: threading.Thread | None = None


class Calls:
    """The calls of one process.

    Args:
        book: Where they are written down.
        monotonic: Seconds that only grow.
        now: The current instant.
    """

    def __init__(
        self,
        book: Book,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = clock.instant,
    ) -> None:
        self._book = book
        self._monotonic = monotonic
        self._now = now
        self._process = ids.new_id()
        self._state = _State()
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._reading = asyncio.Semaphore(READS_MAX)
        self._wake = threading.Event()

    async def spend(self, scope: Scope, organization_id: UUID) -> None:
        """Count a call of an organization, or refuse it.

        Raises:
            QuotaReached: The grace is over, or a hard cap is reached.
            Unavailable: A hard cap cannot be read.
        """
        if self._passes(scope, organization_id):
            return
        entry = self._entry(organization_id)
        if not self._fresh(entry, REFUSAL_SECONDS):
            # A few at once: whoever waits for a connection keeps a thread from others.
            async with self._reading:
                if not self._fresh(entry, REFUSAL_SECONDS):
                    await run_in_threadpool(self._read, organization_id, entry)
        line = entry.line
        if line is not None and line.quota.cap is Cap.HARD and line.quota.limit is not None:
            await self._spend_exactly(scope, organization_id)
            return
        refused = None if line is None else self._standing(entry, line)
        if refused is not None and refused.verdict.outcome is Outcome.REFUSED:
            quotas.say(scope, refused.headers)
            if not _open(scope):
                raise QuotaReached(refused)
        elif refused is not None:
            quotas.say(scope, refused.headers)
        self._count(organization_id, entry)

    def _passes(self, scope: Scope, organization_id: UUID) -> bool:
        """Count a call that certainly may pass; False where that has to be looked up."""
        entry = self._state.entries.get(organization_id)
        if entry is None or entry.line is None:
            return False
        line, age = entry.line, self._monotonic() - entry.read_at
        if self._now() >= line.window.end:
            return False
        if line.quota.limit is None:
            if age >= UNLIMITED_SECONDS:
                return False
        else:
            if age >= KNOWN_SECONDS or line.quota.cap is Cap.HARD:
                return False
            standing = self._standing(entry, line)
            if standing.verdict.outcome is Outcome.REFUSED:
                return False
            quotas.say(scope, standing.headers)
        self._count(organization_id, entry)
        return True

    def _standing(self, entry: _Entry, line: Line) -> Standing:
        used = line.used + entry.unwritten()
        verdict = rules.verdict(
            line.quota,
            used=used,
            reached=used + 1,
            grace=line.grace,
            policy=self._book.policy,
            now=self._now(),
        )
        return Standing(verdict, line.window, rules.headers(verdict, line.window))

    def _fresh(self, entry: _Entry, seconds: float) -> bool:
        if entry.line is None or self._now() >= entry.line.window.end:
            return False
        return self._monotonic() - entry.read_at < seconds

    async def _spend_exactly(self, scope: Scope, organization_id: UUID) -> None:
        try:
            standing = await run_in_threadpool(
                self._book.spend, organization_id, self._now()
            )
        except QuotaReached as error:
            quotas.say(scope, error.standing.headers)
            if not _open(scope):
                raise
        except Unavailable:
            metrics.QUOTA_UNREAD.count(metric=METRIC, outcome="refused")
            raise
        else:
            quotas.say(scope, standing.headers)

    def _read(self, organization_id: UUID, entry: _Entry) -> None:
        try:
            line = self._book.look(organization_id, self._now())
        except VexxyError as error:
            log.warning("quota.unread", metric=METRIC, reason=error.message)
            metrics.QUOTA_UNREAD.count(metric=METRIC, outcome="passed")
            return
        with self._lock:
            entry.line, entry.read_at = line, self._monotonic()

    def _entry(self, organization_id: UUID) -> _Entry:
        with self._lock:
            fresh = _Entry(called_at=self._monotonic())
            return self._state.entries.setdefault(organization_id, fresh)

    def _count(self, organization_id: UUID, entry: _Entry) -> None:
        with self._lock:
            # It may have been forgotten since it was found.
            entry = self._state.entries.setdefault(organization_id, entry)
            entry.called_at = self._monotonic()
            if not entry.waiting:
                entry.first_at = self._now()
            entry.waiting += 1
            state = self._state
            if state.thread is None and not state.closing:
                state.thread = threading.Thread(
                    target=self._run, name="api-calls", daemon=True
                )
                state.thread.start()

    def _run(self) -> None:
        """Write every second, until there is nothing to write or the process ends."""
        try:
            while not self._wake.wait(EVERY_SECONDS):
                self.flush()
                with self._lock:
                    if not self._state.entries:
                        return
        finally:
            # However it ends, the next call that is counted begins another one.
            with self._lock:
                self._state.thread = None

    def flush(self) -> None:
        """Write what was counted; what cannot be written stays for the next time."""
        with self._flushing:
            self._flush()

    def _flush(self) -> None:
        for organization_id, entry in list(self._state.entries.items()):
            with self._lock:
                batch = self._cut(entry)
                idle = self._monotonic() - entry.called_at >= IDLE_SECONDS
                if batch is None:
                    if idle:
                        del self._state.entries[organization_id]
                    continue
            told = False
            try:
                self._write(organization_id, entry, batch)
                told = True
            finally:
                if not told:
                    # What nobody foresaw keeps this one from being written, not the others.
                    with self._lock:
                        entries = self._state.entries
                        entries[organization_id] = entries.pop(organization_id, entry)

    def _cut(self, entry: _Entry) -> Event | None:
        if entry.batch is None and entry.waiting and entry.first_at is not None:
            self._state.batches += 1
            entry.batch = Event(
                f"{enforcement.RESERVED}{METRIC}:{self._process}:{self._state.batches}",
                METRIC,
                Decimal(entry.waiting),
                entry.first_at,
            )
            entry.waiting, entry.first_at = 0, None
        return entry.batch

    def _write(self, organization_id: UUID, entry: _Entry, batch: Event) -> None:
        line: Line | None = None
        try:
            line = self._book.add(organization_id, batch)
        except (IntegrityError, OrganizationClosed):
            # The organization is gone; nobody is left to count for.
            log.warning("api_calls.dropped", organization_id=organization_id)
        except (VexxyError, SQLAlchemyError) as error:
            log.warning("api_calls.unwritten", reason=type(error).__name__)
            metrics.API_CALLS_UNWRITTEN.count()
            return
        with self._lock:
            entry.batch = None
            if line is not None:
                entry.line, entry.read_at = line, self._monotonic()

    async def close(self) -> None:
        """Write what is left; nothing is counted afterwards by a thread of ours."""
        self._wake.set()
        with self._lock:
            self._state.closing = True
            thread = self._state.thread
        if thread is not None:
            await run_in_threadpool(thread.join, CLOSING_SECONDS)
        await run_in_threadpool(self.flush)


def _open(scope: Scope) -> bool:
    return str(scope["path"]).startswith(OPEN)
