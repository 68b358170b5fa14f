"""Events as JSON has them, checked in one pass.

A thousand events are one request and may be fifty requests a second: `msgspec` reads and
checks them in C, and only a batch that has a fault is looked at event by event.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final

import msgspec

from vexxy.billing.types import Aggregation
from vexxy.billing.usage import rules
from vexxy.billing.usage.errors import InvalidEvents
from vexxy.billing.usage.types import Batch, Event, Property, Window
from vexxy.kit.errors import InvalidInput

EVENTS_MAX: Final = 1000
# Of the faults of one batch, as many as somebody would read.
ERRORS_MAX: Final = 100
# `msgspec` writes `$[0].properties[...]`; indexes are told by ourselves.
_INDEXES: Final = re.compile(r"\[[^\]]*\]")


class Told(msgspec.Struct, forbid_unknown_fields=True):
    """An event as it is sent."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=rules.ID_CHARACTERS_MAX)]
    metric: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    # Read by us: a number with decimals must not pass through a float.
    quantity: msgspec.Raw
    timestamp: Annotated[datetime, msgspec.Meta(tz=True)]
    properties: dict[str, Property] = {}


_MANY: Final = msgspec.json.Decoder(list[Told])
_ONE: Final = msgspec.json.Decoder(Told)
_ENCODER: Final = msgspec.json.Encoder()
# Of one character in UTF-8.
_BYTES_MAX: Final = 4
_LOOSE: Final = msgspec.json.Decoder(list[msgspec.Raw])

Found = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What an event is held to.

    Attributes:
        metrics: Those of the catalog, with how they are aggregated.
        reserved: Whether ids may begin as those of this product do.
    """

    metrics: Mapping[str, Aggregation]
    window: Window
    now: datetime
    reserved: bool = False


def read(body: bytes, terms: Terms) -> Batch:
    """Return the events of a body: one object, or an array of 1 to 1,000.

    Raises:
        InvalidEvents: Some are not valid; each is named by its index.
        InvalidInput: The body is no JSON.
    """
    single = body.lstrip()[:1] == b"{"
    told = _decoded(body, single=single)
    if not 1 <= len(told) <= EVENTS_MAX:
        message = f"must hold 1 to {EVENTS_MAX} events, not {len(told)}"
        raise InvalidEvents([{"loc": ["body"], "message": message}], count=1)
    return _checked(told, terms, single=single)


def _decoded(body: bytes, *, single: bool) -> list[Told]:
    try:
        return [_ONE.decode(body)] if single else _MANY.decode(body)
    except msgspec.ValidationError as error:
        found = [_fault(None, error)] if single else _faults(body, error)
        raise InvalidEvents(found[:ERRORS_MAX], count=len(found)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(
            "the body is not JSON",
            details={"errors": [{"loc": ["body"], "message": str(error)[:200]}]},
        ) from error


def _faults(body: bytes, error: msgspec.ValidationError) -> Found:
    """Return the fault of every event that has one, where the array has several."""
    try:
        parts = _LOOSE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return [_fault(None, error)]
    found: Found = []
    for index, part in enumerate(parts):
        try:
            _ONE.decode(part)
        except msgspec.ValidationError as fault:
            found.append(_fault(index, fault))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            found.append({"loc": ["body", index], "message": str(fault)[:200]})
    return found or [_fault(None, error)]


def _fault(index: int | None, error: msgspec.ValidationError) -> dict[str, Any]:
    message, _, place = str(error).partition(" - at `")
    names = _INDEXES.sub("", place.rstrip("`").lstrip("$")).split(".")
    loc: list[object] = ["body"] if index is None else ["body", index]
    loc += [name for name in names if name]
    return {"loc": loc, "message": message[:200]}


def _checked(told: list[Told], terms: Terms, *, single: bool) -> Batch:
    batch = _plainly_valid(told, terms)
    if batch is not None:
        return batch
    found: Found = []
    count = 0

    def refuse(index: int, name: str, message: str) -> None:
        nonlocal count
        count += 1
        if len(found) < ERRORS_MAX:
            loc: list[object] = ["body", name] if single else ["body", index, name]
            found.append({"loc": loc, "message": message})

    events = [
        Event(
            event.id,
            event.metric,
            _looked_at(event, terms, partial(refuse, index)),
            event.timestamp,
            event.properties,
        )
        for index, event in enumerate(told)
    ]
    if found:
        raise InvalidEvents(found, count=count)
    return rules.batch(events, unique=_unique(terms))


def _plainly_valid(told: list[Told], terms: Terms) -> Batch | None:
    """Return the events if all are plainly valid, None where each has to be looked at.

    A column is checked as a whole, in C: this is most of what a batch costs. What is valid
    and unusual (a number written `1e3`, a metric of distinct values) is not decided here.
    """
    ids = [event.id for event in told]
    names = "".join(ids)
    metrics = [event.metric for event in told]
    instants = [event.timestamp for event in told]
    quantities = _ENCODER.encode_lines([event.quantity for event in told]).decode()
    properties = _ENCODER.encode_lines([event.properties for event in told]).decode()
    lines = properties.split("\n")[:-1]
    known = set(metrics)
    plain = (
        names.isprintable()
        and rules.RESERVED not in names
        and known <= terms.metrics.keys()
        and known.isdisjoint(_unique(terms))
        and rules.QUANTITIES.fullmatch(quantities)
        and terms.now - terms.window.late <= min(instants)
        and max(instants) <= terms.now + terms.window.ahead
        and all(instant.tzinfo is UTC for instant in instants)
        and len(max(lines, key=len)) * _BYTES_MAX <= rules.PROPERTIES_BYTES_MAX
        and "\\u0000" not in properties
    )
    if not plain:
        return None
    return Batch(
        ids=ids,
        keys=[rules.key(event_id) for event_id in ids],
        metrics=metrics,
        quantities=quantities.split("\n")[:-1],
        instants=instants,
        distinct=[""] * len(ids),
        properties=lines,
    )


def _unique(terms: Terms) -> frozenset[str]:
    return frozenset(
        name for name, how in terms.metrics.items() if how is Aggregation.UNIQUE
    )


Refuse = Callable[[str, str], None]


def _looked_at(event: Told, terms: Terms, refuse: Refuse) -> Decimal:
    """Refuse whatever is wrong with an event; return its quantity."""
    if event.id.startswith(rules.RESERVED) and not terms.reserved:
        refuse("id", f"must not begin with {rules.RESERVED}, which names what is ours")
    elif fault := rules.id_fault(event.id):
        refuse("id", fault)
    aggregation = terms.metrics.get(event.metric)
    if aggregation is None:
        known = ", ".join(sorted(terms.metrics)) or "none"
        refuse("metric", f"is none of the catalog's: {known}")
    quantity = rules.quantity_text(bytes(event.quantity).decode().strip('"'))
    if quantity is None:
        refuse("quantity", rules.QUANTITY_MESSAGE)
    if fault := rules.window_fault(event.timestamp, terms.window, terms.now):
        refuse("timestamp", fault)
    text = rules.properties_text(event.properties)
    if fault := rules.properties_fault(event.properties, text):
        refuse("properties", fault)
    elif aggregation is Aggregation.UNIQUE and rules.distinct(event.properties) is None:
        refuse("properties", f"must hold {rules.VALUE}: distinct values are counted")
    return Decimal(quantity or 0)
