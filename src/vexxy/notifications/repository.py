"""SQL about endpoints and deliveries."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.notifications.models import DeliveryRow, EndpointRow


def count_endpoints(session: Session) -> int:
    """Return how many endpoints the bound organization has."""
    return session.scalars(select(func.count()).select_from(EndpointRow)).one()


def list_endpoints(session: Session, *, limit: int) -> Sequence[EndpointRow]:
    """Return the endpoints of the bound organization, oldest first."""
    query = select(EndpointRow).order_by(EndpointRow.created_at, EndpointRow.id)
    return session.scalars(query.limit(limit)).all()


def find_endpoint(session: Session, endpoint_id: UUID) -> EndpointRow | None:
    """Return an endpoint."""
    return session.get(EndpointRow, endpoint_id, populate_existing=True)


def lock_endpoint(session: Session, endpoint_id: UUID) -> EndpointRow | None:
    """Return an endpoint, locked until the transaction ends."""
    query = select(EndpointRow).where(EndpointRow.id == endpoint_id).with_for_update()
    return session.scalars(query).one_or_none()


def list_interested(
    session: Session, organization_id: UUID, event_type: str
) -> Sequence[UUID]:
    """Return the active endpoints that want to hear of the event."""
    query = (
        select(EndpointRow.id)
        .where(
            EndpointRow.organization_id == organization_id,
            EndpointRow.is_active,
            EndpointRow.event_types.contains([event_type]),
        )
        .order_by(EndpointRow.id)
    )
    return session.scalars(query).all()


def add_delivery(session: Session, values: dict[str, Any]) -> bool:
    """Store a delivery; return False when the endpoint has the event already."""
    added = insert(DeliveryRow).values(values).on_conflict_do_nothing()
    return session.scalar(added.returning(DeliveryRow.id)) is not None


def find_delivery(session: Session, delivery_id: UUID) -> DeliveryRow | None:
    """Return a delivery."""
    return session.get(DeliveryRow, delivery_id, populate_existing=True)


def list_deliveries(
    session: Session, *, state: str | None, skip: int, limit: int
) -> Sequence[DeliveryRow]:
    """Return deliveries of the bound organization, newest first."""
    query = select(DeliveryRow)
    if state is not None:
        query = query.where(DeliveryRow.state == state)
    ordered = query.order_by(DeliveryRow.created_at.desc(), DeliveryRow.id)
    return session.scalars(ordered.offset(skip).limit(limit)).all()


def change_delivery(
    session: Session, delivery_id: UUID, *, state: str, values: dict[str, Any]
) -> bool:
    """Change a delivery that is in the state; return whether it was."""
    changed = (
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery_id, DeliveryRow.state == state)
        .values(values)
        .returning(DeliveryRow.id)
    )
    return session.scalar(changed) is not None
