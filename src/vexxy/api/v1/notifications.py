"""Who is told of events, and what became of telling them."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, Field

from vexxy.audit import service as audit
from vexxy.audit.types import Act
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters, Transaction, require
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.identity.types import Identity, Permission
from vexxy.kit.errors import Conflict, NotFound, QuotaExceeded
from vexxy.notifications import service
from vexxy.notifications.types import DeliveryState, Endpoint, EventType, Registered

router = Router(prefix="/notifications", tags=["notifications"])

Manager = Annotated[Identity, Depends(require(Permission.MEMBERS_MANAGE))]
OFFSET_MAX = 10_000_000


class EndpointIn(BaseModel):
    """An address to be told of events."""

    url: Annotated[Text, Field(max_length=2000, examples=["https://ci.example.com/vex"])]
    event_types: Annotated[
        list[EventType],
        Field(min_length=1, max_length=10, examples=[["analysis.finished"]]),
    ]


class EndpointOut(BaseModel):
    """An address that is told of events."""

    id: UUID
    url: str
    event_types: list[str]
    is_active: bool
    disabled_reason: str | None
    created_at: Instant


class EndpointCreated(EndpointOut):
    """The same with the secret that signs; it is shown this once."""

    secret: str


class DeliveryOut(BaseModel):
    """One event on its way to one address; without one it is for base VEXxy."""

    id: UUID
    endpoint_id: UUID | None
    event_id: UUID
    event_type: str
    state: DeliveryState
    attempts: int
    last_status: int | None
    last_error: str | None
    created_at: Instant
    finished_at: Instant | None


@router.post(
    "/endpoints",
    status_code=HTTPStatus.CREATED,
    responses=openapi.responses(QuotaExceeded),
)
def register_endpoint(
    new: EndpointIn,
    *,
    who: Manager,
    session: Transaction,
    adapters: Adapters,
    actor: Acting,
) -> EndpointCreated:
    """Register an address; keep the secret, it is not shown again."""
    made = service.register(
        session,
        organization_id=who.organization_id,
        url=new.url,
        event_types=new.event_types,
        sealer=adapters.sealer,
    )
    audit.record(session, _act("registered", who, made.endpoint, actor=actor))
    return _created(made)


@router.get("/endpoints")
def list_endpoints(who: Manager, session: Transaction) -> list[EndpointOut]:
    """Return the addresses that are told of events."""
    del who
    found = service.list_endpoints(session)
    return [EndpointOut.model_validate(one, from_attributes=True) for one in found]


@router.post("/endpoints/{endpoint_id}/rotate", responses=openapi.responses(NotFound))
def rotate_endpoint(
    endpoint_id: UUID,
    *,
    who: Manager,
    session: Transaction,
    adapters: Adapters,
    actor: Acting,
) -> EndpointCreated:
    """Make another secret; the one before it signs too until the next rotation."""
    made = service.rotate(session, endpoint_id, sealer=adapters.sealer)
    audit.record(session, _act("rotated", who, made.endpoint, actor=actor))
    return _created(made)


@router.delete(
    "/endpoints/{endpoint_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=openapi.responses(NotFound),
)
def delete_endpoint(
    endpoint_id: UUID, *, who: Manager, session: Transaction, actor: Acting
) -> None:
    """Stop telling an address; what was on its way to it is dropped."""
    removed = service.remove(session, endpoint_id)
    audit.record(session, _act("deleted", who, removed, actor=actor))


@router.get("/deliveries")
def list_deliveries(
    who: Manager,
    session: Transaction,
    *,
    state: DeliveryState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=OFFSET_MAX)] = 0,
) -> list[DeliveryOut]:
    """Return deliveries, newest first."""
    del who
    found = service.list_deliveries(session, state=state, skip=offset, limit=limit)
    return [DeliveryOut.model_validate(one, from_attributes=True) for one in found]


@router.post(
    "/deliveries/{delivery_id}/replay",
    status_code=HTTPStatus.ACCEPTED,
    responses=openapi.responses(NotFound, Conflict),
)
def replay_delivery(
    delivery_id: UUID, *, who: Manager, session: Transaction, actor: Acting
) -> None:
    """Send a dead delivery again."""
    service.replay(session, delivery_id, organization_id=who.organization_id)
    audit.record(
        session,
        Act(
            action="notification_delivery.replayed",
            organization_id=who.organization_id,
            actor=actor,
            resource_type="notification_delivery",
            resource_id=str(delivery_id),
        ),
    )


def _created(made: Registered) -> EndpointCreated:
    one = made.endpoint
    return EndpointCreated(
        id=one.id,
        url=one.url,
        event_types=list(one.event_types),
        is_active=one.is_active,
        disabled_reason=one.disabled_reason,
        created_at=one.created_at,
        secret=made.secret,
    )


def _act(what: str, who: Identity, one: Endpoint, *, actor: Acting) -> Act:
    return Act(
        action=f"notification_endpoint.{what}",
        organization_id=who.organization_id,
        actor=actor,
        resource_type="notification_endpoint",
        resource_id=str(one.id),
        after={"url": one.url, "event_types": list(one.event_types)},
    )
