"""`/billing/usage/…`: what was used, by metric and day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from vexxy.api.v1.billing.organization import Named, Of, Own
from vexxy.billing.types import Aggregation
from vexxy.billing.usage import rules, service
from vexxy.billing.usage.errors import NoSuchMetric
from vexxy.billing.usage.shown import ShownCache
from vexxy.billing.usage.types import Day, Days
from vexxy.bootstrap import Service
from vexxy.http.deps import Adapters
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.kit import clock
from vexxy.kit.errors import InvalidInput

router: Final = Router(prefix="/billing", tags=["billing"])
# Included behind every other path below /billing/usage/: it would take them.
by_metric: Final = Router(prefix="/billing", tags=["billing"])

DAYS_SHOWN: Final = 31
DAYS_MAX: Final = 366
TOTALS: Final = "day"
EVENT_COLUMNS: Final = (
    "organization_id",
    "id",
    "metric",
    "quantity",
    "timestamp",
    "recorded_at",
    "source",
    "counts",
    "corrected",
    "reason",
    "properties",
)


@dataclass(frozen=True, slots=True)
class Span:
    """Days that are asked for; `end` is not among them."""

    start: date
    end: date


def asked_span(
    start: Annotated[date | None, Query(description="The first day, in UTC")] = None,
    end: Annotated[date | None, Query(description="The last day, in UTC")] = None,
) -> Span:
    """Return the days; without any, the 31 that end today.

    Raises:
        InvalidInput: They are none, or more than 366.
    """
    shown = timedelta(days=DAYS_SHOWN - 1)
    try:
        last = end or (clock.now().date() if start is None else start + shown)
        first = start or last - shown
        span = Span(first, last + timedelta(days=1))
    except OverflowError:
        span = Span(date.max, date.min)
    if not 1 <= (span.end - span.start).days <= DAYS_MAX:
        message = f"start and end must name 1 to {DAYS_MAX} days"
        fault = {"loc": ["query", "end"], "message": message}
        raise InvalidInput(message, details={"errors": [fault]})
    return span


Asked = Annotated[Span, Depends(asked_span)]
Metric = Annotated[
    Text | None, Query(min_length=1, max_length=64, description="Only this one")
]


class DayView(BaseModel):
    """One metric on one day (UTC)."""

    day: date
    metric: str
    aggregation: Aggregation | None = Field(
        description="How the catalog counts it; null for a metric that it had once"
    )
    total: str = Field(description="By its aggregation; a decimal")
    events: int
    sum: str
    max: str
    last: str
    distinct_values: int
    lag_seconds_max: float = Field(
        description="The longest that an event took from happening to being told"
    )
    recorded_at: Instant


class MetricUsage(BaseModel):
    """What was used of one metric."""

    organization_id: UUID
    metric: str
    aggregation: Aggregation
    start: date
    end: date = Field(description="The last day, included")
    total: str = Field(description="Over all the days; a decimal")
    events: int
    last_recorded_at: Instant | None
    as_of: Instant = Field(description="When it was read; at most 5 seconds ago")
    days: list[DayView] = Field(
        description="The oldest first; days without use are left out"
    )


class UsageHistory(BaseModel):
    """A page of days and metrics, the newest first."""

    organization_id: UUID
    start: date
    end: date
    total: int
    limit: int
    offset: int
    days: list[DayView]


def _day(day: Day, aggregation: Aggregation | None) -> DayView:
    return DayView(
        day=day.day,
        metric=day.metric,
        aggregation=aggregation,
        total=rules.plain(day.total(aggregation or Aggregation.SUM)),
        events=day.events,
        sum=rules.plain(day.sum),
        max=rules.plain(day.max),
        last=rules.plain(day.last),
        distinct_values=day.distinct_values,
        lag_seconds_max=round(day.lag_seconds_max, 3),
        recorded_at=day.recorded_at,
    )


def _history(
    of: Of, adapters: Service, days: Days, *, limit: int, offset: int
) -> UsageHistory:
    total, found = service.list_days(of.session, days, limit=limit, offset=offset)
    known = adapters.plans.catalog.metrics
    return UsageHistory(
        organization_id=of.organization_id,
        start=days.start,
        end=days.end - timedelta(days=1),
        total=total,
        limit=limit,
        offset=offset,
        days=[_day(day, known.get(day.metric)) for day in found],
    )


Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Which = Annotated[
    Literal["day", "event"],
    Query(alias="rows", description="A row a day and metric, or a row an event"),
]
FILE: Final[dict[int | str, dict[str, Any]]] = {200: {"content": {"text/csv": {}}}}


@router.get("/usage/history")
def read_history(
    of: Own,
    adapters: Adapters,
    asked: Asked,
    *,
    metric: Metric = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> UsageHistory:
    """List what was used a day, by metric, newest first."""
    days = Days(of.organization_id, asked.start, asked.end, metric)
    return _history(of, adapters, days, limit=limit, offset=offset)


@router.get("/organization/{org_id}/usage/history")
def read_history_of(
    of: Named,
    adapters: Adapters,
    asked: Asked,
    *,
    metric: Metric = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> UsageHistory:
    """List what an organization used a day; for itself and for operators."""
    days = Days(of.organization_id, asked.start, asked.end, metric)
    return _history(of, adapters, days, limit=limit, offset=offset)


@router.get("/usage/export", response_class=StreamingResponse, responses=FILE)
def export(
    of: Own,
    adapters: Adapters,
    asked: Asked,
    *,
    metric: Metric = None,
    which: Which = "day",
) -> StreamingResponse:
    """Download what was used as CSV: totals of days, or the events that are kept."""
    return _file(adapters, Days(of.organization_id, asked.start, asked.end, metric), which)


@router.get(
    "/organization/{org_id}/usage/export",
    response_class=StreamingResponse,
    responses=FILE,
)
def export_of(
    of: Named,
    adapters: Adapters,
    asked: Asked,
    *,
    metric: Metric = None,
    which: Which = "day",
) -> StreamingResponse:
    """Download what an organization used; for itself and for operators."""
    return _file(adapters, Days(of.organization_id, asked.start, asked.end, metric), which)


def _file(adapters: Service, days: Days, which: str) -> StreamingResponse:
    if which == TOTALS:
        lines = rules.csv_lines(rules.DAY_COLUMNS, _day_rows(adapters, days))
    else:
        found = service.export_events(adapters.request, days)
        rows = ([str(days.organization_id), *row] for row in found)
        lines = rules.csv_lines(EVENT_COLUMNS, rows)
    name = f'attachment; filename="usage-{which}s.csv"'
    return StreamingResponse(
        lines,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": name},
    )


def _day_rows(adapters: Service, days: Days) -> Iterator[Iterable[str]]:
    known = adapters.plans.catalog.metrics
    for day in service.export_days(adapters.request, days):
        aggregation = known.get(day.metric, Aggregation.SUM)
        yield rules.day_cells(days.organization_id, day, aggregation)


def _metric(request: Request, of: Of, asked: Span, *, metric: str) -> MetricUsage:
    adapters: Service = request.app.state.service
    known = adapters.plans.catalog.metrics
    aggregation = known.get(metric)
    if aggregation is None:
        raise NoSuchMetric(metric, list(known))
    days = Days(of.organization_id, asked.start, asked.end, metric)
    shown = _cache(request).get(days, partial(service.read, of.session, days, aggregation))
    return MetricUsage(
        organization_id=of.organization_id,
        metric=metric,
        aggregation=aggregation,
        start=asked.start,
        end=asked.end - timedelta(days=1),
        total=rules.plain(shown.total),
        events=sum(day.events for day in shown.days),
        last_recorded_at=max((day.recorded_at for day in shown.days), default=None),
        as_of=shown.read_at,
        days=[_day(day, aggregation) for day in shown.days],
    )


def _cache(request: Request) -> ShownCache:
    """Return what this process showed a moment ago; made when it is first needed."""
    state = request.app.state
    if not hasattr(state, "usage_shown"):
        state.usage_shown = ShownCache()
    found: ShownCache = state.usage_shown
    return found


@by_metric.get("/usage/{metric}")
def read_metric(request: Request, of: Own, asked: Asked, *, metric: Text) -> MetricUsage:
    """Return what was used of one metric, over days and by day."""
    return _metric(request, of, asked, metric=metric)


@by_metric.get("/organization/{org_id}/usage/{metric}")
def read_metric_of(
    request: Request, of: Named, asked: Asked, *, metric: Text
) -> MetricUsage:
    """Return what an organization used of one metric; for itself and for operators."""
    return _metric(request, of, asked, metric=metric)
