"""Which events count, as what, and on which day."""

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Final

import msgspec

from vexxy.billing.types import Aggregation
from vexxy.billing.usage.types import Batch, Counted, Day, Event, Property, Window
from vexxy.kit import clock

ID_CHARACTERS_MAX: Final = 128
# What this product counts itself is named so; nobody else may.
RESERVED: Final = "vexxy:"
KEY_BYTES: Final = 16
PROPERTIES_BYTES_MAX: Final = 2048
# The property that a metric of the aggregation `unique` counts.
VALUE: Final = "value"
# numeric(20, 4); digits beyond the fourth decimal would be a rounding of ours.
_DIGITS_MAX: Final = 20
_QUANTITY: Final = r"(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,4})?"
QUANTITY: Final = re.compile(_QUANTITY)
# Many of them, a line each.
QUANTITIES: Final = re.compile(rf"(?:{_QUANTITY}\n)+")
# Any number of JSON: Python's own reading takes `1_0` and ` 1` as well.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")
QUANTITY_MESSAGE: Final = (
    "must be a number from 0, below 10000000000000000, with at most 4 decimals"
)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
# A spreadsheet runs a cell that begins with one of these.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def key(event_id: str) -> str:
    """Return the 16 bytes that stand for the id in the database, as hexadecimal."""
    return hashlib.blake2b(event_id.encode(), digest_size=KEY_BYTES).hexdigest()


def id_fault(event_id: str) -> str | None:
    """Return what is wrong with an id, None where nothing is."""
    if not 1 <= len(event_id) <= ID_CHARACTERS_MAX:
        return f"must have 1 to {ID_CHARACTERS_MAX} characters"
    if not event_id.isprintable():
        return "must hold printable characters only"
    return None


def quantity_text(written: str) -> str | None:
    """Return a number as JSON writes it in the form that is stored, None if it cannot be.

    `1e3` and `2.50000` are numbers too; they only take longer.
    """
    if QUANTITY.fullmatch(written):
        return written
    if not _NUMBER.fullmatch(written):
        return None
    value = Decimal(written)
    if not value:
        return None if value.is_signed() else "0"
    if abs(value.adjusted()) > _DIGITS_MAX:
        return None
    plain = format(value, "f")
    whole, _, decimals = plain.partition(".")
    decimals = decimals.rstrip("0")
    plain = f"{whole}.{decimals}" if decimals else whole
    return plain if QUANTITY.fullmatch(plain) else None


def window_fault(occurred_at: datetime, window: Window, now: datetime) -> str | None:
    """Return why an instant is outside of the window, with its bounds."""
    first, last = now - window.late, now + window.ahead
    if first <= occurred_at <= last:
        return None
    bounds = f"{clock.rfc3339(first)} to {clock.rfc3339(last)}"
    return f"must be from {bounds}"


def properties_text(properties: Mapping[str, Property]) -> str:
    """Return the properties as JSON without a line break, however they are ordered."""
    return _ENCODER.encode(properties).decode() if properties else "{}"


def properties_fault(properties: Mapping[str, Property], text: str) -> str | None:
    """Return what is wrong with properties, None where nothing is."""
    if len(text.encode()) > PROPERTIES_BYTES_MAX:
        return f"must not be longer than {PROPERTIES_BYTES_MAX} bytes of JSON"
    # Cheap first: only what holds the escape may hold the character.
    if "\\u0000" in text and any(
        "\x00" in str(part) for part in chain(*properties.items())
    ):
        return "must not hold the character NUL"
    return None


def distinct(properties: Mapping[str, Property]) -> str | None:
    """Return the digest of the value that a `unique` metric counts, None without one.

    1 and "1" are two values, 1 and 1.0 are one: as JSON has them.
    """
    value = properties.get(VALUE)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return hashlib.blake2b(_ENCODER.encode(value), digest_size=KEY_BYTES).hexdigest()


def batch(events: Sequence[Event], *, unique: frozenset[str] = frozenset()) -> Batch:
    """Return events that are known to be valid as columns.

    Args:
        events: In the order in which of two with one id the first counts; not empty.
        unique: The metrics whose values are counted.
    """
    return Batch(
        ids=[event.id for event in events],
        keys=[key(event.id) for event in events],
        metrics=[event.metric for event in events],
        quantities=[format(event.quantity, "f") for event in events],
        instants=[event.occurred_at.astimezone(UTC) for event in events],
        distinct=[
            (distinct(event.properties) or "") if event.metric in unique else ""
            for event in events
        ],
        properties=[properties_text(event.properties) for event in events],
    )


def joined(batches: Sequence[Batch]) -> Batch:
    """Return several batches as one, in their order."""
    if len(batches) == 1:
        return batches[0]
    columns: dict[str, Any] = {
        name: list(chain.from_iterable(getattr(one, name) for one in batches))
        for name in _COLUMNS
    }
    return Batch(**columns)


def picked(whole: Batch, rows: Sequence[int]) -> Batch:
    """Return these rows of a batch."""
    if len(rows) == len(whole.ids):
        return whole
    columns: dict[str, Any] = {
        name: [getattr(whole, name)[row] for row in rows] for name in _COLUMNS
    }
    return Batch(**columns)


_COLUMNS: Final = Batch.__slots__


def content(whole: Batch, row: int) -> tuple[object, ...]:
    """Return what two events with one id must agree in."""
    return (
        whole.metrics[row],
        Decimal(whole.quantities[row]),
        whole.instants[row],
        msgspec.json.decode(whole.properties[row]),
    )


class _Day:
    """One metric on one day while it is being added up."""

    __slots__ = ("events", "first_at", "last", "last_at", "last_id", "max", "sum")

    def __init__(self, quantity: Decimal, instant: datetime, event_id: str) -> None:
        self.events = 1
        self.sum = self.max = self.last = quantity
        self.first_at = self.last_at = instant
        self.last_id = event_id


def counted(batch: Batch) -> Counted:
    """Return what the events add to totals; most of what a batch costs is this loop."""
    days: dict[tuple[str, date], _Day] = {}
    values: set[tuple[str, date, str]] = set()
    for event_id, metric, text, instant, value in zip(
        batch.ids,
        batch.metrics,
        batch.quantities,
        batch.instants,
        batch.distinct,
        strict=True,
    ):
        place, quantity = (metric, instant.date()), Decimal(text)
        day = days.get(place)
        if day is None:
            days[place] = _Day(quantity, instant, event_id)
        else:
            day.events += 1
            day.sum += quantity
            day.max = max(day.max, quantity)
            if instant >= day.last_at and (instant, event_id) > (day.last_at, day.last_id):
                day.last, day.last_at, day.last_id = quantity, instant, event_id
            elif instant < day.first_at:
                day.first_at = instant
        if value:
            values.add((*place, value))
    names = _Day.__slots__
    return Counted(
        [
            {"metric": metric, "day": day, **{name: getattr(one, name) for name in names}}
            for (metric, day), one in days.items()
        ],
        [{"metric": m, "day": day, "value": value} for m, day, value in values],
    )


def day_of(occurred_at: datetime) -> date:
    """Return the day, in UTC, that an event counts on."""
    return occurred_at.astimezone(UTC).date()


DAY_COLUMNS: Final = (
    "organization_id",
    "day",
    "metric",
    "aggregation",
    "total",
    "events",
    "sum",
    "max",
    "last",
    "distinct_values",
)


def plain(value: Decimal) -> str:
    """Return a quantity without zeros that say nothing: `12.5`, never `1E+1`."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def day_cells(organization_id: object, day: Day, aggregation: Aggregation) -> list[str]:
    """Return a day as cells of `DAY_COLUMNS`."""
    return [
        str(organization_id),
        str(day.day),
        day.metric,
        aggregation.value,
        plain(day.total(aggregation)),
        str(day.events),
        plain(day.sum),
        plain(day.max),
        plain(day.last),
        str(day.distinct_values),
    ]


def csv_lines(header: Sequence[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield rows as CSV (RFC 4180), the header first; no cell is a formula."""
    for row in chain([header], rows):
        line = io.StringIO()
        cells = ["'" + cell if cell.startswith(_FORMULA) else cell for cell in row]
        csv.writer(line, lineterminator="\r\n").writerow(cells)
        yield line.getvalue()
