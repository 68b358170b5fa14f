"""Recording what was used, and reading it.

Every decision about quotas reads `total`, which asks the database; what is kept in memory
to be shown (`shown`) is no part of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.types import Aggregation
from vexxy.billing.usage import repository, rules
from vexxy.billing.usage.errors import (
    Erased,
    InvalidEvents,
    NotKept,
)
from vexxy.billing.usage.types import (
    Batch,
    Conflict,
    Day,
    Days,
    Difference,
    Event,
    Recorded,
    Source,
    Told,
)
from vexxy.kit import clock, metrics
from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable

EXPORT_PAGE: Final = 500
DIFFERENCES_MAX: Final = 100
DAYS_MAX: Final = 1000
_NO_KEY: Final = UUID(int=0)
_LONG_AGO: Final = date(1, 1, 1)


def record(
    session: Session,
    organization_id: UUID,
    events: Sequence[Event],
    *,
    source: Source = Source.SERVICE,
    unique: frozenset[str] = frozenset(),
) -> Recorded:
    """Count events of this product's own making, in the transaction of what they count.

    Whoever calls is then the organization's one writer of usage until the transaction
    ends. The money lock, where it is taken, is taken before.

    Args:
        session: Bound to the organization.
        organization_id: Whose use it is.
        events: May be empty.
        source: Who tells.
        unique: Those of the metrics that are aggregated as `unique`.

    Raises:
        InvalidEvents: An id or a quantity cannot be; nothing was stored.
    """
    if not events:
        return Recorded(0, 0)
    _check(events)
    batch = rules.batch(events, unique=unique)
    return record_batches(session, organization_id, [batch], source=source)[0]


def _check(events: Sequence[Event]) -> None:
    found = []
    for index, event in enumerate(events):
        if fault := rules.id_fault(event.id):
            found.append({"loc": ["body", index, "id"], "message": fault})
        if rules.quantity_text(format(event.quantity, "f")) is None:
            place = ["body", index, "quantity"]
            found.append({"loc": place, "message": rules.QUANTITY_MESSAGE})
    if found:
        raise InvalidEvents(found, count=len(found))


def record_batches(
    session: Session,
    organization_id: UUID,
    batches: Sequence[Batch],
    *,
    source: Source,
    reason: str | None = None,
) -> list[Recorded]:
    """Count checked batches of one organization together; return what became of each.

    Of events with one id the first counts: the one that is stored, else the first of the
    first batch.
    """
    whole = rules.joined(batches)
    repository.lock(session, organization_id)
    told = Told(source, reason)
    again: dict[int, bool] = {}
    fresh: Sequence[int] = range(len(whole.ids))
    # First as if nothing of it were known, as it mostly is: to look for ten thousand keys
    # beforehand takes as long as half of storing them.
    alone = len(set(whole.keys)) == len(whole.keys)
    if not (alone and repository.inserted(session, organization_id, whole, told=told)):
        known = repository.known(session, organization_id, whole.keys)
        fresh, again = _sorted_out(whole, known)
        new = rules.picked(whole, fresh)
        if fresh and not repository.inserted(session, organization_id, new, told=told):
            raise Unavailable("the events were told twice at once", hint="try again")
    if fresh:
        counted = rules.counted(rules.picked(whole, fresh))
        repository.add(session, organization_id, counted)
    _observe(whole, len(fresh), len(again))
    return list(_shares(batches, again))


def _sorted_out(
    whole: Batch, known: Mapping[str, Row[Any]]
) -> tuple[Sequence[int], dict[int, bool]]:
    """Return the rows that count, and the others with whether their content differs."""
    first: dict[str, int] = {}
    again: dict[int, bool] = {}
    for row, key in enumerate(whole.keys):
        stored = known.get(key)
        if stored is not None:
            again[row] = rules.content(whole, row) != _content(stored)
        elif key in first:
            again[row] = rules.content(whole, row) != rules.content(whole, first[key])
        else:
            first[key] = row
    return list(first.values()), again


def _content(stored: Row[Any]) -> tuple[object, ...]:
    return (stored.metric, stored.quantity, stored.occurred_at, stored.properties)


def _shares(batches: Sequence[Batch], again: Mapping[int, bool]) -> Iterator[Recorded]:
    """Yield what became of each batch, from the rows of all of them."""
    start = 0
    for batch in batches:
        rows = range(start, start + len(batch.ids))
        start = rows.stop
        if not again:
            yield Recorded(len(rows), 0)
            continue
        mine = [row for row in rows if row in again]
        conflicts = [
            Conflict(row - rows.start, batch.ids[row - rows.start])
            for row in mine
            if again[row]
        ]
        yield Recorded(len(rows) - len(mine), len(mine), conflicts)


def _observe(whole: Batch, accepted: int, duplicates: int) -> None:
    metrics.USAGE_EVENTS.count(accepted, outcome="accepted")
    metrics.USAGE_EVENTS.count(duplicates, outcome="duplicate")
    if accepted:
        # Of the batch, its oldest: one look a batch, and the one that matters.
        lag = (clock.instant() - min(whole.instants)).total_seconds()
        metrics.USAGE_LAG_SECONDS.observe(max(lag, 0.0))


def note_reported(
    session: Session,
    organization_id: UUID,
    recorded: Recorded,
    *,
    actor: Actor,
    action: str = "usage.reported",
    reason: str | None = None,
) -> None:
    """Keep who reported how much, in the transaction that counts it."""
    state: dict[str, object] = {
        "accepted": recorded.accepted,
        "duplicates": recorded.duplicates,
        "conflicts": [conflict.id for conflict in recorded.conflicts],
    }
    if reason is not None:
        state["reason"] = reason
    audit.record(
        session,
        Act(action, actor, organization_id, "usage_event", after=state),
    )


def backfill(
    session: Session,
    organization_id: UUID,
    batch: Batch,
    *,
    reason: str,
    actor: Actor,
) -> Recorded:
    """Count events that are told later than events may be; for operators.

    Args:
        session: As SYSTEM: it has to know which days are still kept.
        organization_id: Whose use it was.
        batch: Checked but for its days.
        reason: For the record of acts; it stands on every event as well.
        actor: Who does it.

    Raises:
        NotKept: One is of a day whose events are gone; whether it was counted before
            cannot be known.
    """
    _check_kept(session, rules.day_of(min(batch.instants)))
    recorded = record_batches(
        session, organization_id, [batch], source=Source.BACKFILL, reason=reason
    )[0]
    note_reported(
        session,
        organization_id,
        recorded,
        actor=actor,
        action="usage.backfilled",
        reason=reason,
    )
    return recorded


def kept_since(session: Session) -> date | None:
    """Return the first day whose events are all kept, None for every day; as SYSTEM."""
    return repository.kept_since(session)


def _check_kept(session: Session, day: date) -> None:
    kept_since = repository.kept_since(session)
    if kept_since is not None and day < kept_since:
        raise NotKept(kept_since)


def total(
    session: Session,
    organization_id: UUID,
    metric: str,
    *,
    aggregation: Aggregation,
    start_day: date,
    end_day: date,
) -> Decimal:
    """Return what was used from the start day (UTC) to the day before the end day.

    Read from the totals of days, so what it costs does not grow with the events. What
    was committed before it is called is in it, and what this transaction recorded.
    """
    days = Days(organization_id, start_day, end_day, metric)
    return repository.total(session, aggregation, days)


def read(
    session: Session, days: Days, aggregation: Aggregation
) -> tuple[Decimal, tuple[Day, ...]]:
    """Return one metric over days and by day, the oldest first."""
    found = repository.list_days_after(session, days, (_LONG_AGO, ""), limit=DAYS_MAX)
    return repository.total(session, aggregation, days), tuple(found)


def list_days(
    session: Session, days: Days, *, limit: int, offset: int
) -> tuple[int, list[Day]]:
    """Return how many days of metrics there are and a page of them, newest first."""
    found = repository.list_days(session, days, limit=limit, offset=offset)
    return repository.count_days(session, days), found


def export_days(database: Database, days: Days) -> Iterator[Day]:
    """Yield days, the oldest first, in memory that does not grow with them.

    Each page is read in a transaction of its own.
    """
    after = (_LONG_AGO, "")
    while True:
        with database.transaction(days.organization_id) as session:
            page = repository.list_days_after(session, days, after, limit=EXPORT_PAGE)
        yield from page
        if len(page) < EXPORT_PAGE:
            return
        after = (page[-1].day, page[-1].metric)


def export_events(database: Database, days: Days) -> Iterator[tuple[str, ...]]:
    """Yield the events that are kept of these days as texts, in bounded memory.

    Their order says nothing. Each page is read in a transaction of its own.
    """
    key = _NO_KEY
    while True:
        with database.transaction(days.organization_id) as session:
            page = repository.list_events_after(session, days, key, limit=EXPORT_PAGE)
        yield from (row[:-1] for row in page)
        if len(page) < EXPORT_PAGE:
            return
        key = UUID(page[-1][-1])


def check(session: Session, days: Days) -> list[Difference]:
    """Return days whose totals are not what their events say; at most 100.

    Args:
        session: As SYSTEM.
        days: Those whose events are no longer kept are left out, and so are all of an
            erased organization, of which totals stay.
    """
    if repository.is_erased(session, days.organization_id):
        return []
    return repository.list_differences(
        session, _kept_part(session, days), limit=DIFFERENCES_MAX
    )


def rebuild(session: Session, days: Days, *, actor: Actor) -> list[Difference]:
    """Count days again from their events; return where totals were other, at most 100.

    Args:
        session: As SYSTEM.
        days: Every metric of them, or one.
        actor: Who does it; recorded where something changed.

    Raises:
        NotKept: Events of these days are gone; their totals stay as they are.
        Erased: Events of the organization are gone; the same.
    """
    _check_kept(session, days.start)
    if repository.is_erased(session, days.organization_id):
        raise Erased(days.organization_id)
    # As a writer: nothing is added meanwhile.
    repository.lock(session, days.organization_id)
    found = repository.list_differences(session, days, limit=DIFFERENCES_MAX)
    if found:
        repository.recount(session, days)
        audit.record(
            session,
            Act(
                "usage.rebuilt",
                actor,
                days.organization_id,
                "usage_totals",
                before={f"{one.day} {one.metric}": one.stored for one in found},
                after={f"{one.day} {one.metric}": one.counted for one in found},
            ),
        )
    return found


def first_day(session: Session, organization_id: UUID) -> date | None:
    """Return the first day with totals whose events are all kept, None without one.

    Args:
        session: As SYSTEM.
        organization_id: Whose days.
    """
    first = repository.first_day(session, organization_id)
    kept_since = repository.kept_since(session)
    return first if first is None or kept_since is None else max(first, kept_since)


def _kept_part(session: Session, days: Days) -> Days:
    kept_since = repository.kept_since(session)
    if kept_since is None or kept_since <= days.start:
        return days
    return replace(days, start=min(kept_since, days.end))
