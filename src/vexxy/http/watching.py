"""Rows watched for many streams by one task, which holds no thread between two looks."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Final, Generic, Self, TypeVar
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from vexxy.kit import logging
from vexxy.kit.db import Database
from vexxy.kit.errors import RateLimited, Unavailable

LOOK_SECONDS: Final = 0.5
HEARTBEAT_SECONDS: Final = 15.0
# Then the client comes back and proves again who it is.
STREAM_SECONDS_MAX: Final = 900.0
RETRY_SECONDS: Final = 10

T = TypeVar("T")
Read = Callable[[Session, Collection[UUID]], Mapping[UUID, T]]
log = logging.logger(__name__)


class Watch(Generic[T]):
    """Looks at rows twice a second, as long as anybody wants to hear of one.

    Every look is a short transaction for one organization, bound as a request's is: a
    stream can show nothing that its caller could not read.

    Args:
        database: Of the request role.
        read: Returns the state of rows by id.
        limit: Most streams of one organization at once, in this process.
    """

    def __init__(self, database: Database, read: Read[T], *, limit: int) -> None:
        self._database = database
        self._read = read
        self._limit = limit
        self._streams: set[Stream[T]] = set()
        self._count: Counter[UUID] = Counter()
        self._task: asyncio.Task[None] | None = None

    def open(self, organization_id: UUID, row_id: UUID) -> "Stream[T]":
        """Return a stream of the row, to be entered.

        Raises:
            RateLimited: The organization has as many as it may.
        """
        if self._count[organization_id] >= self._limit:
            raise RateLimited(
                f"{self._limit} streams are open, and no more may be at once",
                retry_after_seconds=RETRY_SECONDS,
            )
        return Stream(self, organization_id, row_id)

    def join(self, stream: "Stream[T]") -> bool:
        """Begin to tell a stream; False for one of many that were opened at once."""
        if self._count[stream.organization_id] >= self._limit:
            return False
        self._streams.add(stream)
        self._count[stream.organization_id] += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return True

    def leave(self, stream: "Stream[T]") -> None:
        """Tell it no more."""
        if stream not in self._streams:
            return
        self._streams.remove(stream)
        self._count[stream.organization_id] -= 1
        if self._count[stream.organization_id] <= 0:
            del self._count[stream.organization_id]

    async def _run(self) -> None:
        while self._streams:
            await asyncio.sleep(LOOK_SECONDS)
            wanted: dict[UUID, set[UUID]] = defaultdict(set)
            for stream in self._streams:
                wanted[stream.organization_id].add(stream.row_id)
            for organization_id, ids in wanted.items():
                await self._tell(organization_id, ids)

    async def _tell(self, organization_id: UUID, ids: Collection[UUID]) -> None:
        try:
            found = await run_in_threadpool(self._look, organization_id, ids)
        except (Unavailable, SQLAlchemyError) as error:
            # Whoever listens is told at the next look.
            log.warning("watch.failed", error=type(error).__name__)
            return
        for stream in tuple(self._streams):
            if stream.organization_id == organization_id and stream.row_id in found:
                stream.put(found[stream.row_id])

    def _look(self, organization_id: UUID, ids: Collection[UUID]) -> Mapping[UUID, T]:
        with self._database.transaction(organization_id) as session:
            return self._read(session, ids)


class Stream(Generic[T]):
    """The states of one row as they come; None where for a while none came."""

    def __init__(self, watch: Watch[T], organization_id: UUID, row_id: UUID) -> None:
        self.organization_id = organization_id
        self.row_id = row_id
        self._watch = watch
        # Only the latest counts: a slow reader is told less often, not later.
        self._latest: T | None = None
        self._arrived = asyncio.Event()
        self._ends = time.monotonic() + STREAM_SECONDS_MAX

    def put(self, state: T) -> None:
        """Tell it a state; the same as before is not told again."""
        if state != self._latest:
            self._latest = state
            self._arrived.set()

    async def __aenter__(self) -> Self:
        if not self._watch.join(self):
            self._ends = 0.0
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._watch.leave(self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T | None:
        if time.monotonic() > self._ends:
            raise StopAsyncIteration
        try:
            await asyncio.wait_for(self._arrived.wait(), HEARTBEAT_SECONDS)
        except TimeoutError:
            return None
        self._arrived.clear()
        return self._latest
