"""Events that tests start from, and the totals that they should have."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from vexxy.billing.types import Aggregation
from vexxy.billing.usage.types import Event, Window
from vexxy.billing.usage.wire import Terms

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TODAY = NOON.date()
METRICS = {
    "api_calls": Aggregation.SUM,
    "storage_gb": Aggregation.MAX,
    "temperature": Aggregation.LAST,
    "active_users": Aggregation.UNIQUE,
}
UNIQUE = frozenset({"active_users"})
TERMS = Terms(METRICS, Window(), NOON)


def an_event(
    event_id: str,
    quantity: str = "1",
    *,
    metric: str = "api_calls",
    at: datetime = NOON,
    value: str | int | None = None,
) -> Event:
    properties = {} if value is None else {"value": value}
    return Event(event_id, metric, Decimal(quantity), at, properties)


@dataclass
class Expected:
    """One metric on one day, counted the obvious way."""

    events: list[Event] = field(default_factory=list)

    def total(self, aggregation: Aggregation) -> Decimal:
        quantities = [event.quantity for event in self.events]
        match aggregation:
            case Aggregation.SUM:
                return sum(quantities, Decimal(0))
            case Aggregation.MAX:
                return max(quantities)
            case Aggregation.LAST:
                latest = max(self.events, key=lambda e: (e.occurred_at, e.id.encode()))
                return latest.quantity
            case Aggregation.UNIQUE:
                values = {str(event.properties.get("value")) for event in self.events}
                return Decimal(len(values))


def expected(events: Iterable[Event]) -> dict[tuple[str, date], Expected]:
    """Return what totals must be: the first event of an id counts, on its UTC day."""
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.id, event)
    found: dict[tuple[str, date], Expected] = {}
    for event in first.values():
        day = event.occurred_at.astimezone(UTC).date()
        found.setdefault((event.metric, day), Expected()).events.append(event)
    return found


def days_before(count: int) -> date:
    return TODAY - timedelta(days=count)
