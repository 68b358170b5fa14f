"""`/billing/organization/{org_id}/overrides`: what operators allow besides a plan."""

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from vexxy.api.v1.billing.organization import Named, Operated
from vexxy.billing.entitlements import service
from vexxy.billing.entitlements.rules import LIMIT_MAX, REASON_LENGTH_MAX
from vexxy.billing.entitlements.types import NewOverride, Override
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.kit.errors import Conflict

router = Router(prefix="/billing/organization/{org_id}/overrides", tags=["billing"])

Word = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Reason = Annotated[
    Text,
    StringConstraints(min_length=3, max_length=REASON_LENGTH_MAX, strip_whitespace=True),
]


class OverrideBody(BaseModel):
    """What one organization may use instead of what its plan says."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "feature": "analyses",
                    "limit_value": 50,
                    "reason": "a trial of the scanners until the end of the year",
                    "expires_at": "2027-01-01T00:00:00Z",
                }
            ]
        },
    )

    feature: Word = Field(
        description="`analyses`, `credits`, a metric or a feature of the plans"
    )
    limit_value: Annotated[Decimal, Field(ge=0, le=LIMIT_MAX, decimal_places=4)] | None = (
        Field(default=None, description="A period's; of a feature 1 (with) or 0 (without)")
    )
    unlimited: bool = Field(default=False, description="In place of `limit_value`")
    reason: Reason
    expires_at: AwareDatetime = Field(description="When it ends by itself")


class OverrideView(BaseModel):
    """An override, also one that is over."""

    id: UUID
    organization_id: UUID
    feature: str
    limit_value: float | None
    unlimited: bool
    reason: str
    expires_at: Instant
    created_by: str
    created_at: Instant
    ended_at: Instant | None = Field(description="By hand, before its time")
    ended_by: str | None


def _view(override: Override) -> OverrideView:
    return OverrideView.model_validate(override, from_attributes=True)


@router.get("")
def list_overrides(
    of: Named,
    *,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> list[OverrideView]:
    """List an organization's overrides, newest first; for itself and for operators."""
    found = service.list_(of.session, of.organization_id, limit=limit, offset=offset)
    return [_view(override) for override in found]


@router.post("", status_code=HTTPStatus.CREATED)
def set_override(
    body: OverrideBody, of: Operated, adapters: Adapters, *, actor: Acting
) -> OverrideView:
    """Let an organization use more or less than its plan says, from now on.

    It takes the place of an override about the same thing.
    """
    new = NewOverride(**body.model_dump())
    made = service.allow(
        of.session,
        of.organization_id,
        new,
        plans=adapters.plans,
        actor=actor,
    )
    return _view(made)


@router.delete("/{override_id}", responses=openapi.responses(Conflict))
def end_override(override_id: UUID, of: Operated, *, actor: Acting) -> OverrideView:
    """End an override before its time; what the plan says holds again at once."""
    ended = service.end(of.session, of.organization_id, override_id, actor=actor)
    return _view(ended)
