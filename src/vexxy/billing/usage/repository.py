"""SQL of events and their totals.

Columns travel as one text each, a line a row: the database splits them in C, which is
several times faster than a list that the driver writes element by element. No value may
hold a line break; `rules` and `wire` see to it.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from vexxy.billing.types import Aggregation
from vexxy.billing.usage.types import Batch, Counted, Day, Days, Difference, Told

# The writer of an organization, until the transaction ends. In a statement of its own, so
# that the next one sees what the writer before has committed.
_LOCK: Final = text(
    "select pg_advisory_xact_lock(1040, hashtext(cast(:organization_id as text)))"
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
UNIQUE_VIOLATION: Final = "23505"
_KNOWN: Final = text(
    "select e.key, e.id, e.metric, e.quantity, e.occurred_at, e.properties, e.counts,"
    " e.corrects from unnest(cast(string_to_array(:keys, E'\\n') as uuid[])) as told (key)"
    " join billing_usage_events e"
    " on e.organization_id = :organization_id and e.key = told.key"
)
# Sorted, because neighbors in the index are then written together.
_INSERT: Final = text("""
insert into billing_usage_events (organization_id, key, id, metric, quantity, occurred_at,
  source, distinct_key, properties, reason)
select :organization_id, key, id, metric, quantity, occurred_at, :source, distinct_key,
  properties, cast(:reason as text)
from unnest(
  string_to_array(:ids, E'\\n'), cast(string_to_array(:keys, E'\\n') as uuid[]),
  string_to_array(:metrics, E'\\n'),
  cast(string_to_array(:quantities, E'\\n') as numeric(20, 4)[]),
  cast(string_to_array(:instants, E'\\n') as timestamptz[]),
  cast(string_to_array(:distinct, E'\\n', '') as uuid[]),
  cast(string_to_array(:properties, E'\\n') as jsonb[])
) as told (id, key, metric, quantity, occurred_at, distinct_key, properties)
order by key
""")

_TOTALS_COLUMNS: Final = """
  (organization_id, metric, day, events, quantity_sum, quantity_max, quantity_last,
   last_occurred_at, last_id, distinct_values, lag_seconds_max)
"""

# Added up by the caller, who has them at hand; days in one order whoever writes.
_ADD: Final = text(f"""
with valued as (
  insert into billing_usage_values (organization_id, metric, day, value)
  select :organization_id, metric, day, value
  from jsonb_to_recordset(cast(:values as jsonb))
    as told (metric text, day date, value uuid)
  order by metric, day, value
  on conflict do nothing returning metric, day
)
insert into billing_usage_daily_totals as t {_TOTALS_COLUMNS}
select :organization_id, metric, day, events, sum, max, last, last_at, last_id,
  (select count(*) from valued v where v.metric = d.metric and v.day = d.day),
  greatest(extract(epoch from now() - first_at), 0)
from jsonb_to_recordset(cast(:days as jsonb)) as d (metric text, day date, events bigint,
  sum numeric, max numeric, last numeric, last_at timestamptz, last_id text,
  first_at timestamptz)
order by metric, day
on conflict (organization_id, metric, day) do update set
  events = t.events + excluded.events,
  quantity_sum = t.quantity_sum + excluded.quantity_sum,
  quantity_max = greatest(t.quantity_max, excluded.quantity_max),
  (quantity_last, last_occurred_at, last_id) = (select * from (values
    (t.quantity_last, t.last_occurred_at, t.last_id),
    (excluded.quantity_last, excluded.last_occurred_at, excluded.last_id)
    ) as one (quantity, occurred_at, id) order by occurred_at desc, id desc limit 1),
  distinct_values = t.distinct_values + excluded.distinct_values,
  lag_seconds_max = greatest(t.lag_seconds_max, excluded.lag_seconds_max),
  recorded_at = now()
""")  # noqa: S608  names of ours

# What counts: neither what a correction replaces nor a correction that leaves nothing.
_EFFECTIVE: Final = """
effective as (
  select e.*, (e.occurred_at at time zone 'UTC')::date as day
  from billing_usage_events e
  where e.organization_id = :organization_id and e.counts
    and e.occurred_at >= cast(:start as date)::timestamp at time zone 'UTC'
    and e.occurred_at < cast(:end as date)::timestamp at time zone 'UTC'
    and (cast(:metric as text) is null or e.metric = :metric)
    and not exists (select 1 from billing_usage_events c
      where c.organization_id = :organization_id and c.corrects = e.key)
), latest as (
  select distinct on (metric, day) metric, day, quantity, occurred_at, id from effective
  order by metric, day, occurred_at desc, id desc
), counted as (
  select metric, day, count(*) as events, sum(quantity) as quantity_sum,
    max(quantity) as quantity_max, count(distinct distinct_key) as distinct_values,
    greatest(max(extract(epoch from recorded_at - occurred_at)), 0) as lag_seconds
  from effective group by metric, day
)
"""

_RECOUNT: Final = text(f"""
with {_EFFECTIVE}, valued as (
  insert into billing_usage_values (organization_id, metric, day, value)
  select distinct cast(:organization_id as uuid), metric, day, distinct_key
  from effective where distinct_key is not null order by 2, 3, 4
)
insert into billing_usage_daily_totals {_TOTALS_COLUMNS}
select :organization_id, metric, day, c.events, c.quantity_sum, c.quantity_max, l.quantity,
  l.occurred_at, l.id, c.distinct_values, c.lag_seconds
from counted c join latest l using (metric, day) order by metric, day
""")  # noqa: S608  names of ours

_WHERE_DAYS: Final = (
    "organization_id = :organization_id and day >= :start and day < :end"
    " and (cast(:metric as text) is null or metric = :metric)"
)
_FORGET: Final = tuple(
    text(f"delete from {table} where {_WHERE_DAYS}")  # noqa: S608  names of ours
    for table in ("billing_usage_values", "billing_usage_daily_totals")
)

_SHAPE: Final = (
    "(events, trim_scale(quantity_sum), trim_scale(quantity_max),"
    " trim_scale(quantity_last), last_occurred_at, last_id, distinct_values)::text"
)
_DIFFERENCES: Final = text(f"""
with {_EFFECTIVE}, again as (
  select metric, day, {_SHAPE} as shape from (
    select metric, day, events, quantity_sum, quantity_max, l.quantity as quantity_last,
      l.occurred_at as last_occurred_at, l.id as last_id, distinct_values
    from counted join latest l using (metric, day)) as c
), stored as (
  select metric, day, {_SHAPE} as shape from billing_usage_daily_totals where {_WHERE_DAYS}
)
select metric, day, s.shape as stored, a.shape as counted
from stored s full join again a using (metric, day)
where s.shape is distinct from a.shape order by metric, day limit :limit
""")  # noqa: S608  names of ours

_DAY: Final = (
    "select metric, day, events, quantity_sum as sum, quantity_max as max,"
    " quantity_last as last, distinct_values, lag_seconds_max, recorded_at"
    " from billing_usage_daily_totals"
)
_TOTAL: Final[Mapping[Aggregation, Any]] = {
    aggregation: text(
        f"select {expression} from billing_usage_daily_totals"  # noqa: S608  of ours
        " where organization_id = :organization_id and metric = :metric"
        " and day >= :start and day < :end" + ending
    )
    for aggregation, expression, ending in (
        (Aggregation.SUM, "sum(quantity_sum)", ""),
        (Aggregation.MAX, "max(quantity_max)", ""),
        (Aggregation.LAST, "quantity_last", " order by day desc limit 1"),
    )
} | {
    Aggregation.UNIQUE: text(
        "select count(distinct value) from billing_usage_values"
        " where organization_id = :organization_id and metric = :metric"
        " and day >= :start and day < :end"
    )
}


def _asked(days: Days) -> dict[str, Any]:
    return {
        "organization_id": days.organization_id,
        "start": days.start,
        "end": days.end,
        "metric": days.metric,
    }


def lock(session: Session, organization_id: UUID) -> None:
    """Make the session the organization's one writer of usage until it ends."""
    session.execute(_LOCK, {"organization_id": organization_id})


def known(
    session: Session, organization_id: UUID, keys: Sequence[str]
) -> dict[str, Row[Any]]:
    """Return the events of these keys; the caller is the organization's writer."""
    values = {"organization_id": organization_id, "keys": "\n".join(keys)}
    return {row.key.hex: row for row in session.execute(_KNOWN, values)}


def inserted(session: Session, organization_id: UUID, batch: Batch, *, told: Told) -> bool:
    """Store events; say whether none of them was known, for otherwise nothing is stored."""
    values = {
        "organization_id": organization_id,
        "source": told.source.value,
        "reason": told.reason,
        "ids": "\n".join(batch.ids),
        "keys": "\n".join(batch.keys),
        "metrics": "\n".join(batch.metrics),
        "quantities": "\n".join(batch.quantities),
        "instants": _lines(batch.instants),
        "distinct": "\n".join(batch.distinct),
        "properties": "\n".join(batch.properties),
    }
    point = session.begin_nested()
    try:
        session.execute(_INSERT, values)
    except IntegrityError as error:
        point.rollback()
        if getattr(error.orig, "sqlstate", None) != UNIQUE_VIOLATION:
            raise
        return False
    point.commit()
    return True


def _lines(instants: Sequence[datetime]) -> str:
    """Return instants a line each; by way of JSON, which is written in C."""
    return msgspec.json.encode(instants).decode()[2:-2].replace('","', "\n")


def add(session: Session, organization_id: UUID, counted: Counted) -> None:
    """Add to the totals of days."""
    values = {
        "organization_id": organization_id,
        "days": msgspec.json.encode(counted.days).decode(),
        "values": msgspec.json.encode(counted.values).decode(),
    }
    session.execute(_ADD, values)


_CORRECT: Final = text(
    "insert into billing_usage_events (organization_id, key, id, metric, quantity,"
    " occurred_at, source, counts, distinct_key, corrects, reason, properties)"
    " select organization_id, :key, :id, metric, coalesce(cast(:quantity as numeric), 0),"
    " occurred_at, 'correction', cast(:quantity as numeric) is not null, distinct_key,"
    " key, :reason, properties from billing_usage_events"
    " where organization_id = :organization_id and key = :corrects"
)
_CORRECTOR: Final = text(
    "select id from billing_usage_events"
    " where organization_id = :organization_id and corrects = :corrects"
)


def insert_correction(session: Session, organization_id: UUID, **values: object) -> None:
    """Store a correction; what it does not say is as in the event that it replaces."""
    session.execute(_CORRECT, {"organization_id": organization_id, **values})


def find_corrector(session: Session, organization_id: UUID, key: str) -> str | None:
    """Return the id of what replaces an event, None where nothing does."""
    values = {"organization_id": organization_id, "corrects": UUID(hex=key)}
    return session.scalars(_CORRECTOR, values).one_or_none()


def recount(session: Session, days: Days) -> None:
    """Replace totals by what the events say; the caller is the organization's writer."""
    for statement in (*_FORGET, _RECOUNT):
        session.execute(statement, _asked(days))


def list_differences(session: Session, days: Days, *, limit: int) -> list[Difference]:
    """Return days whose stored totals are not what the events say."""
    rows = session.execute(_DIFFERENCES, {**_asked(days), "limit": limit})
    return [Difference(*row) for row in rows]


def first_day(session: Session, organization_id: UUID) -> date | None:
    """Return the first day with totals, None where there is none."""
    query = text(
        "select min(day) from billing_usage_daily_totals"
        " where organization_id = :organization_id"
    )
    values = {"organization_id": organization_id}
    found: date | None = session.execute(query, values).scalar_one()
    return found


def total(session: Session, aggregation: Aggregation, days: Days) -> Decimal:
    """Return one metric's number over days."""
    found = session.execute(_TOTAL[aggregation], _asked(days)).scalar()
    return Decimal(found or 0)


def count_days(session: Session, days: Days) -> int:
    """Return how many rows of days there are."""
    query = text(
        f"select count(*) from billing_usage_daily_totals where {_WHERE_DAYS}"  # noqa: S608
    )
    return int(session.execute(query, _asked(days)).scalar_one())


_PAGE: Final = text(
    f"{_DAY} where {_WHERE_DAYS} order by day desc, metric limit :limit offset :offset"
)
_AFTER: Final = text(
    f"{_DAY} where {_WHERE_DAYS} and (day, metric) > (:day, :after)"
    " order by day, metric limit :limit"
)


def list_days(session: Session, days: Days, *, limit: int, offset: int) -> list[Day]:
    """Return days, the newest first, then by metric."""
    values = {**_asked(days), "limit": limit, "offset": offset}
    return [Day(*row) for row in session.execute(_PAGE, values)]


def list_days_after(
    session: Session, days: Days, after: tuple[date, str], *, limit: int
) -> list[Day]:
    """Return days after a place, the oldest first, then by metric."""
    values = {**_asked(days), "day": after[0], "after": after[1], "limit": limit}
    return [Day(*row) for row in session.execute(_AFTER, values)]


_KEPT_SINCE: Final = text("select max(kept_since) from billing_usage_prunings")
_PRUNED: Final = text("insert into billing_usage_prunings (kept_since) values (:day)")
# Readers that count again share it; whoever moves the mark has it alone.
_PRUNING: Final = "(1040, 0)"
_SHARE: Final = text(f"select pg_advisory_xact_lock_shared{_PRUNING}")
_ALONE: Final = text(f"select pg_advisory_xact_lock{_PRUNING}")
_PRUNE: Final = text(
    "delete from billing_usage_events where ctid = any(array("
    " select ctid from billing_usage_events"
    " where occurred_at < cast(:day as date)::timestamp at time zone 'UTC' limit :limit))"
)


def is_erased(session: Session, organization_id: UUID) -> bool:
    """Return whether the organization's erasure was asked for: its events go."""
    query = text("select closed_at is not null from organizations where id = :id")
    return session.scalars(query, {"id": organization_id}).one_or_none() is True


def kept_since(session: Session) -> date | None:
    """Return the first day of which every event is kept, and hold it where it is."""
    session.execute(_SHARE)
    found: date | None = session.execute(_KEPT_SINCE).scalar_one()
    return found


def move_kept_since(session: Session, day: date) -> date:
    """Say that events before the day go; return the day that counts, never an earlier."""
    session.execute(_ALONE)
    before: date | None = session.execute(_KEPT_SINCE).scalar_one()
    if before is None or before < day:
        session.execute(_PRUNED, {"day": day})
        return day
    return before


def prune(session: Session, day: date, *, limit: int) -> int:
    """Remove so many events of before the day; return how many went."""
    result = session.execute(_PRUNE, {"day": day, "limit": limit})
    return int(result.rowcount)  # type: ignore[attr-defined]


_RFC3339: Final = '\'YYYY-MM-DD"T"HH24\\:MI\\:SS.US"Z"\''
_EVENTS_AFTER: Final = text(f"""
select id, metric, trim_scale(quantity)::text,
  to_char(occurred_at at time zone 'UTC', {_RFC3339}),
  to_char(recorded_at at time zone 'UTC', {_RFC3339}), source, counts::text,
  exists (select 1 from billing_usage_events c
    where c.organization_id = :organization_id and c.corrects = e.key)::text,
  coalesce(reason, ''), properties::text, key::text
from billing_usage_events e where organization_id = :organization_id and key > :key
  and occurred_at >= cast(:start as date)::timestamp at time zone 'UTC'
  and occurred_at < cast(:end as date)::timestamp at time zone 'UTC'
  and (cast(:metric as text) is null or metric = :metric)
order by key limit :limit
""")  # noqa: S608  names of ours


def list_events_after(
    session: Session, days: Days, key: UUID, *, limit: int
) -> list[tuple[str, ...]]:
    """Return events after a key as texts, with whether they were corrected; key last."""
    values = {**_asked(days), "key": key, "limit": limit}
    return [tuple(row) for row in session.execute(_EVENTS_AFTER, values)]
