"""`/usage`: telling what was used, and correcting what was told."""

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.concurrency import run_in_threadpool

from vexxy.api.v1.usage_body import BODY
from vexxy.api.v1.usage_reporter import Body, By, Reporter
from vexxy.billing.enforcement.overview import service as overview
from vexxy.billing.usage import corrections, rules, service, wire
from vexxy.billing.usage.lanes import Lanes, Report
from vexxy.billing.usage.types import Batch, Correction, Recorded, Window
from vexxy.billing.usage.wire import Terms
from vexxy.bootstrap import Service
from vexxy.http import openapi
from vexxy.http.deps import Adapters
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.identity.types import Permission
from vexxy.kit import clock, metrics
from vexxy.kit.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)

router: Final = Router(prefix="/usage", tags=["usage"])
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
SECURITY: Final[list[dict[str, list[str]]]] = [
    {"bearer": []},
    {"api_key": []},
    {"service_key": []},
]


class ConflictView(BaseModel):
    """An event whose id was taken by one with other content."""

    index: int = Field(description="Of the event in the array")
    id: str
    message: str


class RecordedView(BaseModel):
    """What became of the events; the answer to the same request again is all duplicates."""

    organization_id: UUID
    accepted: int = Field(description="Counted now")
    duplicates: int = Field(description="Counted before, conflicts among them")
    conflicts: list[ConflictView]


class CorrectionAsked(BaseModel):
    """What replaces an event that was told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "fix-1",
                    "corrects": "req-7f9c2ba4",
                    "quantity": "1",
                    "reason": "counted three times by a retry",
                }
            ]
        },
    )

    id: Annotated[Text, StringConstraints(min_length=1, max_length=128)]
    corrects: Annotated[Text, StringConstraints(min_length=1, max_length=128)] = Field(
        description="The id of the event that shall count no longer"
    )
    quantity: Decimal | None = Field(
        default=None,
        ge=0,
        max_digits=20,
        decimal_places=4,
        description="What counts in its place; null: nothing",
    )
    reason: Annotated[
        Text, StringConstraints(min_length=3, max_length=500, strip_whitespace=True)
    ]


class CorrectedView(BaseModel):
    """What a correction did."""

    id: str
    corrects: str
    metric: str
    timestamp: Instant = Field(description="Of the event; its day was counted again")
    quantity_before: str
    quantity_after: str | None
    replayed: bool = Field(description="Whether it had been done before")


def _lanes(request: Request, adapters: Service) -> Lanes:
    """Return what writes for this process, made when it is first needed."""
    state = request.app.state
    if not hasattr(state, "usage_lanes"):
        state.usage_lanes = Lanes(adapters.request, noted=overview.watch)
    found: Lanes = state.usage_lanes
    return found


def _terms(adapters: Service, *, late: timedelta | None = None) -> Terms:
    settings = adapters.settings
    window = Window(
        late=late or timedelta(days=settings.usage_late_days),
        ahead=timedelta(seconds=settings.usage_ahead_seconds),
    )
    return Terms(adapters.plans.catalog.metrics, window, clock.instant())


def _read(body: bytes, terms: Terms) -> Batch:
    try:
        return wire.read(body, terms)
    except InvalidInput as error:
        refused = error.details.get("invalid", 1)
        metrics.USAGE_EVENTS.count(refused, outcome="refused")
        raise


def _view(recorded: Recorded, organization_id: UUID) -> RecordedView:
    return RecordedView(
        organization_id=organization_id,
        accepted=recorded.accepted,
        duplicates=recorded.duplicates,
        conflicts=[
            ConflictView(
                index=conflict.index,
                id=conflict.id,
                message="the id was told with other content; the first one counts",
            )
            for conflict in recorded.conflicts
        ],
    )


ANSWERS: Final = openapi.responses(Unauthenticated, PermissionDenied, NotFound)


@router.post(
    "/events",
    max_body_size=BODY_BYTES_MAX,
    responses=ANSWERS,
    openapi_extra={"requestBody": BODY, "security": SECURITY},
)
async def report(
    *, request: Request, by: By, body: Body, adapters: Adapters
) -> RecordedView:
    """Count one event, or an array of up to 1,000; each id of an organization once.

    All of them are stored when the answer is 200, and none when it is 400: then
    `details.errors[]` names every event that is not valid.
    """
    batch = _read(body, _terms(adapters))
    told = Report(batch, by.actor)
    lanes = _lanes(request, adapters)
    recorded = await lanes.record(by.organization_id, told, source=by.source)
    return _view(recorded, by.organization_id)


def _demand_operator(by: Reporter) -> None:
    if not by.operates:
        raise PermissionDenied(
            f"this needs the permission {Permission.OPERATIONS_MANAGE}",
            hint="ask whoever operates this installation",
        )


@router.post(
    "/corrections",
    responses=openapi.merged(ANSWERS, openapi.responses(Conflict)),
    openapi_extra={"security": SECURITY},
)
async def correct(body: CorrectionAsked, by: By, adapters: Adapters) -> CorrectedView:
    """Replace an event, or have it count no longer; for operators and base VEXxy.

    The event stays as it was told. Its day is counted again at once; what was invoiced
    before is not invoiced again.
    """
    _demand_operator(by)
    wanted = Correction(body.id, body.corrects, body.quantity, body.reason)

    def act() -> CorrectedView:
        with adapters.system.transaction() as session:
            kept_since = service.kept_since(session)
        with adapters.request.transaction(by.organization_id) as session:
            done = corrections.correct(
                session, by.organization_id, wanted, actor=by.actor, kept_since=kept_since
            )
        after = done.quantity_after
        return CorrectedView(
            id=wanted.id,
            corrects=wanted.corrects,
            metric=done.metric,
            timestamp=done.occurred_at,
            quantity_before=rules.plain(done.quantity_before),
            quantity_after=None if after is None else rules.plain(after),
            replayed=done.replayed,
        )

    return await run_in_threadpool(act)


@router.post(
    "/backfill",
    max_body_size=BODY_BYTES_MAX,
    responses=openapi.merged(ANSWERS, openapi.responses(Conflict)),
    openapi_extra={"requestBody": BODY, "security": SECURITY},
)
async def backfill(
    *,
    by: By,
    body: Body,
    adapters: Adapters,
    reason: Annotated[
        Text,
        Query(min_length=3, max_length=500, description="Kept in the record of acts"),
    ],
) -> RecordedView:
    """Count events that are too late for `/usage/events`; for operators and base VEXxy.

    As far back as events are kept: beyond that it cannot be known whether an id was
    counted before.
    """
    _demand_operator(by)
    late = timedelta(days=adapters.settings.usage_events_retention_days)
    batch = _read(body, _terms(adapters, late=late))
    recorded = await run_in_threadpool(
        _backfilled, adapters, by, batch=batch, reason=reason
    )
    return _view(recorded, by.organization_id)


def _backfilled(adapters: Service, by: Reporter, *, batch: Batch, reason: str) -> Recorded:
    with adapters.system.transaction() as session:
        recorded = service.backfill(
            session, by.organization_id, batch, reason=reason, actor=by.actor
        )
        overview.watch(session, by.organization_id)
    return recorded
