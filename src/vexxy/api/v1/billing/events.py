"""`/billing/events`: what happened to an organization's credits and payments."""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from vexxy.api.v1.billing.organization import Named, Of, Own
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import EventType, Posted
from vexxy.http.fields import Instant
from vexxy.http.routing import Router

router = Router(prefix="/billing", tags=["billing"])

Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


class BillingEvent(BaseModel):
    """Something that happened; it is recorded once and never changes."""

    id: UUID
    organization_id: UUID
    event_type: EventType | None
    description: str
    analysis_job_id: UUID | None
    credits_amount: int = Field(description="Credits that the organization has more by it")
    balance_after: int = Field(description="Credits after it, those set aside included")
    created_at: Instant


def event_view(posted: Posted) -> BillingEvent:
    """Return a transaction as the contract shows it."""
    return BillingEvent.model_validate(posted, from_attributes=True)


def _page(of: Of, *, limit: int, offset: int) -> list[BillingEvent]:
    found = ledger.list_events(of.session, of.organization_id, limit=limit, offset=offset)
    return [event_view(posted) for posted in found]


@router.get("/events")
def list_events(of: Own, *, limit: Limit = 50, offset: Offset = 0) -> list[BillingEvent]:
    """List the billing events of the caller's organization, newest first."""
    return _page(of, limit=limit, offset=offset)


@router.get("/organization/{org_id}/events")
def list_events_of(
    of: Named, *, limit: Limit = 50, offset: Offset = 0
) -> list[BillingEvent]:
    """List the billing events of an organization, for itself and for operators."""
    return _page(of, limit=limit, offset=offset)
