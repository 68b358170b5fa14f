"""Values of what was used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from vexxy.billing.types import Aggregation

Property = str | int | float | bool | None


class Source(StrEnum):
    """Who told of an event.

    `api` is the organization itself, `core` base VEXxy, `service` this product, which
    counts some metrics itself.
    """

    API = "api"
    CORE = "core"
    SERVICE = "service"
    BACKFILL = "backfill"
    CORRECTION = "correction"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was used at an instant.

    Attributes:
        id: Chosen by whoever tells; the same id of an organization counts once.
        quantity: In the metric's unit, never negative, at most four decimals.
        properties: What else is known; `value` is what a `unique` metric counts.
    """

    id: str
    metric: str
    quantity: Decimal
    occurred_at: datetime
    properties: Mapping[str, Property] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """Which instants an event may have, seen from when it is told."""

    late: timedelta = timedelta(days=35)
    ahead: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Batch:
    """Checked events as columns, in one order: how the database takes them.

    Attributes:
        keys: Of the ids, see `rules.key`.
        instants: In UTC.
        distinct: Digests of what `unique` metrics count, empty texts elsewhere.
    """

    ids: Sequence[str]
    keys: Sequence[str]
    metrics: Sequence[str]
    quantities: Sequence[str]
    instants: Sequence[datetime]
    distinct: Sequence[str]
    properties: Sequence[str]


@dataclass(frozen=True, slots=True)
class Told:
    """What holds for all events of a batch: who told them and, by hand, why."""

    source: Source
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """What events add to the totals of their days, and to the values of `unique` metrics.

    Attributes:
        days: Rows with the names that the database reads them by.
        values: The same.
    """

    days: Sequence[Mapping[str, object]]
    values: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Conflict:
    """An event whose id was taken by one with other content; the first one counts."""

    index: int
    id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a batch.

    Attributes:
        accepted: How many counted.
        duplicates: How many had been counted before, those in conflict among them.
    """

    accepted: int
    duplicates: int
    conflicts: Sequence[Conflict] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """What replaces an event.

    Attributes:
        id: Its own, of the same kind as events have.
        corrects: The id of the event that counts no longer.
        quantity: What counts in its place, None where nothing does.
        reason: For the record of acts.
    """

    id: str
    corrects: str
    quantity: Decimal | None
    reason: str


@dataclass(frozen=True, slots=True)
class Corrected:
    """What a correction did; told again it does nothing and `replayed` says so."""

    metric: str
    occurred_at: datetime
    quantity_before: Decimal
    quantity_after: Decimal | None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """One metric on one day (UTC), by every aggregation.

    Attributes:
        last: The quantity of the latest event, by instant and then id.
        distinct_values: How many values a `unique` metric had.
        lag_seconds_max: The longest that an event took from happening to being told.
    """

    metric: str
    day: date
    events: int
    sum: Decimal
    max: Decimal
    last: Decimal
    distinct_values: int
    lag_seconds_max: float
    recorded_at: datetime

    def total(self, aggregation: Aggregation) -> Decimal:
        """Return the day's number of a metric that is aggregated so."""
        match aggregation:
            case Aggregation.SUM:
                return self.sum
            case Aggregation.MAX:
                return self.max
            case Aggregation.LAST:
                return self.last
            case Aggregation.UNIQUE:
                return Decimal(self.distinct_values)


@dataclass(frozen=True, slots=True)
class Days:
    """Days of an organization: `start` is included, `end` is not."""

    organization_id: UUID
    start: date
    end: date
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """Where stored totals are not what the events say; None where there is no row."""

    metric: str
    day: date
    stored: str | None
    counted: str | None
