"""Batches of one organization that wait at the same moment become one commit.

A commit that survives a crash costs the same for one event and for ten thousand, and an
organization has one writer at a time anyway. So whatever arrives while a commit is under
way is written by the next one. Nobody is answered before the commit that holds theirs.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from vexxy.audit.types import Actor
from vexxy.billing.usage import service
from vexxy.billing.usage.types import Batch, Recorded, Source
from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable, VexxyError

# Of one commit: beyond it a larger one is hardly faster and keeps everybody waiting.
EVENTS_MAX: Final = 10_000
Lane = tuple[UUID, Source]
Failure = VexxyError | DBAPIError
Noted = Callable[[Session, UUID], object]


@dataclass(frozen=True, slots=True)
class Report:
    """A batch and who told it."""

    batch: Batch
    actor: Actor


@dataclass(frozen=True, slots=True)
class _Waiting:
    report: Report
    answer: "asyncio.Future[Recorded]"


class Lanes:
    """Writes batches from an event loop; one a process.

    Args:
        database: As REQUEST: each commit is bound to the organization of its lane.
        noted: Called in every transaction that counted something: what follows from use
            is none of this slice's business.
    """

    def __init__(self, database: Database, *, noted: Noted) -> None:
        self._database = database
        self._noted = noted
        self._lanes: dict[Lane, deque[_Waiting]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def record(
        self, organization_id: UUID, report: Report, *, source: Source
    ) -> Recorded:
        """Return what became of a batch, once it is committed.

        Raises:
            Unavailable: PostgreSQL is away or busy; nothing of the batch is stored.
        """
        waiting = _Waiting(report, asyncio.get_running_loop().create_future())
        lane = (organization_id, source)
        if lane in self._lanes:
            self._lanes[lane].append(waiting)
        else:
            self._lanes[lane] = deque([waiting])
            task = asyncio.create_task(self._drain(lane))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await waiting.answer

    async def _drain(self, lane: Lane) -> None:
        queue = self._lanes[lane]
        taken: list[_Waiting] = []
        try:
            while queue:
                taken = _taken(queue)
                for part, found in await asyncio.to_thread(self._committed, lane, taken):
                    _tell(part, found)
                taken = []
        finally:
            del self._lanes[lane]
            # Only where this was ended from outside, or is at fault itself.
            for left in (*taken, *queue):
                _tell(left, Unavailable("the events were not stored", hint="try again"))

    def _committed(
        self, lane: Lane, taken: Sequence[_Waiting]
    ) -> list[tuple[_Waiting, Recorded | Failure]]:
        """Commit all of them at once; where that fails, each by itself."""
        try:
            recorded = self._commit(lane, [waiting.report for waiting in taken])
        except (VexxyError, DBAPIError) as error:
            if len(taken) == 1:
                return [(taken[0], error)]
            return [pair for one in taken for pair in self._committed(lane, [one])]
        return list(zip(taken, recorded, strict=True))

    def _commit(self, lane: Lane, reports: Sequence[Report]) -> list[Recorded]:
        organization_id, source = lane
        with self._database.transaction(organization_id) as session:
            found = service.record_batches(
                session,
                organization_id,
                [report.batch for report in reports],
                source=source,
            )
            for report, recorded in zip(reports, found, strict=True):
                service.note_reported(
                    session, organization_id, recorded, actor=report.actor
                )
            if any(recorded.accepted for recorded in found):
                self._noted(session, organization_id)
        return found


def _taken(queue: "deque[_Waiting]") -> list[_Waiting]:
    """Take the first, and those behind it that fit into one commit with it."""
    taken = [queue.popleft()]
    count = len(taken[0].report.batch.ids)
    while queue and count + len(queue[0].report.batch.ids) <= EVENTS_MAX:
        taken.append(queue.popleft())
        count += len(taken[-1].report.batch.ids)
    return taken


def _tell(waiting: _Waiting, found: Recorded | Failure) -> None:
    if waiting.answer.done():
        return
    if isinstance(found, Recorded):
        waiting.answer.set_result(found)
    else:
        waiting.answer.set_exception(found)
