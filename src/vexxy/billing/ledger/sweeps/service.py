"""Ending what lapsed; two sweeps at once end nothing twice."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final
from uuid import UUID

from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.sweeps import repository
from vexxy.billing.ledger.sweeps.repository import DueHold
from vexxy.billing.ledger.types import Kind, Release
from vexxy.kit import clock, logging
from vexxy.kit.db import Database
from vexxy.kit.errors import TimedOut, Unavailable

PAGE: Final = 500
log: Final = logging.logger(__name__)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep ended.

    Attributes:
        holds: That it expired itself; who was faster is not counted.
        organizations: Those whose lapsed lots were booked as lost.
    """

    holds: int
    organizations: int


def sweep(
    database: Database,
    *,
    now: datetime | None = None,
    step: Callable[[], object] = lambda: None,
) -> Swept:
    """Expire every hold and every lot whose time is over.

    Each organization is a transaction of its own, under the lock of its account. Whoever
    settles a hold at this moment is before or after: the loser is told that it is over.

    Args:
        database: Of the SYSTEM role.
        now: The instant that decides what is over.
        step: Called between transactions; may raise to stop.
    """
    moment = now or clock.instant()
    holds = 0
    while True:
        with database.transaction() as session:
            due = repository.list_due_holds(session, now=moment, limit=PAGE)
        before = holds
        for organization_id, group in groupby(
            sorted(due, key=attrgetter("organization_id")), attrgetter("organization_id")
        ):
            step()
            requests = _releases(list(group))
            # Seen again for an hour: the next sweeps begin behind the mark.
            with _skipped(organization_id), database.transaction() as session:
                decided = ledger.book(session, organization_id, requests, now=moment)
                holds += sum(row.kind is Kind.EXPIRE_HOLD for row in decided.rows)
        reached_at = moment if len(due) < PAGE else due[-1].expires_at
        with database.transaction() as session:
            repository.mark_holds(session, reached_at)
        if len(due) < PAGE or holds == before:
            break
    return Swept(holds, _sweep_lots(database, moment, step))


def _releases(due: Sequence[DueHold]) -> list[Release]:
    return [
        Release(
            key=f"hold:{hold.id}:expire",
            hold_key=hold.key,
            expired=True,
            description="the hold was not ended in time",
        )
        for hold in due
    ]


def _sweep_lots(database: Database, now: datetime, step: Callable[[], object]) -> int:
    organizations = 0
    while True:
        with database.transaction() as session:
            due = repository.list_due_organizations(session, now=now, limit=PAGE)
        before = organizations
        for organization_id in due:
            step()
            with _skipped(organization_id), database.transaction() as session:
                organizations += bool(ledger.expire_lots(session, organization_id, now=now))
        if len(due) < PAGE or organizations == before:
            return organizations


@contextmanager
def _skipped(organization_id: UUID) -> Iterator[None]:
    """Let one organization whose account is busy for long not end the sweep of all."""
    try:
        yield
    except (TimedOut, Unavailable) as error:
        log.warning("sweep.skipped", organization_id=organization_id, reason=error.message)
