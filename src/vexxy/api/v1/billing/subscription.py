"""`/billing/subscription`: who is on which plan, and changing that."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vexxy.api.v1.billing.organization import Named, Of, Own
from vexxy.api.v1.billing.subscription_views import (
    QuoteView,
    StepView,
    SubscriptionView,
    quote_view,
    step_view,
    subscription_view,
)
from vexxy.billing.subscriptions import lifecycle, service
from vexxy.billing.subscriptions.types import Current, Wanted, When
from vexxy.billing.types import Interval
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters, require
from vexxy.http.fields import Text
from vexxy.http.routing import Router
from vexxy.identity.types import Permission
from vexxy.kit.errors import Conflict, InvalidInput, NotFound, Unavailable

router = Router(prefix="/billing", tags=["billing"])
MANAGING = [Depends(require(Permission.BILLING_MANAGE))]
REFUSED = openapi.responses(Conflict)
CHANGING = openapi.responses(Conflict, NotFound, Unavailable)

Tier = Annotated[Text, StringConstraints(min_length=1, max_length=100)]
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


class Choice(BaseModel):
    """A plan that somebody wants."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"tier": "starter", "billing_interval": "month", "when": None}]
        },
    )

    tier: Tier
    billing_interval: Interval | None = Field(
        default=None, description="null: as the subscription is paid now"
    )
    when: When | None = Field(
        default=None,
        description="null: dearer at once, cheaper when what is paid is over",
    )

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return Wanted(self.tier, self.billing_interval, self.when)


class Change(BaseModel):
    """A plan, or a quote of one: exactly one of the two."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tier": "free"}, {"quote_id": str(UUID(int=7))}]},
    )

    quote_id: UUID | None = Field(default=None, description="Of a preview")
    tier: Tier | None = None
    billing_interval: Interval | None = None
    when: When | None = None

    def wanted(self) -> Wanted | UUID:
        """Return what is wanted.

        Raises:
            InvalidInput: Neither a plan nor a quote is named, or both are.
        """
        if self.quote_id is not None and self.tier is None:
            if self.billing_interval is None and self.when is None:
                return self.quote_id
        elif self.tier is not None and self.quote_id is None:
            return Wanted(self.tier, self.billing_interval, self.when)
        raise InvalidInput(
            "a change names either a tier or a quote_id",
            hint="a quote says tier, billing_interval and when already",
        )


class Chosen(BaseModel):
    """What came of choosing a plan."""

    checkout_url: str | None = Field(
        description="Where to pay; null where nothing is to be paid"
    )
    subscription: SubscriptionView


def _view(of: Of, found: Current) -> SubscriptionView:
    used = service.credits_used(of.session, of.organization_id, found.period)
    return subscription_view(found, credits_used=used)


def _read(of: Of, adapters: Adapters) -> SubscriptionView:
    found = service.current(
        of.session, of.organization_id, plans=adapters.plans, lock=False
    )
    return _view(of, found)


def _history(of: Of, *, limit: int, offset: int) -> list[StepView]:
    found = service.list_steps(of.session, of.organization_id, limit=limit, offset=offset)
    return [step_view(of.organization_id, step) for step in found]


@router.get("/subscription")
def read_subscription(of: Own, adapters: Adapters) -> SubscriptionView:
    """Return the subscription of the caller's organization."""
    return _read(of, adapters)


@router.get("/organization/{org_id}/subscription")
def read_subscription_of(of: Named, adapters: Adapters) -> SubscriptionView:
    """Return the subscription of an organization; for itself and for operators."""
    return _read(of, adapters)


@router.get("/subscription/history")
def read_history(of: Own, *, limit: Limit = 50, offset: Offset = 0) -> list[StepView]:
    """List what became of the subscriptions of the caller's organization."""
    return _history(of, limit=limit, offset=offset)


@router.get("/organization/{org_id}/subscription/history")
def read_history_of(of: Named, *, limit: Limit = 50, offset: Offset = 0) -> list[StepView]:
    """List what became of an organization's subscriptions; also for operators."""
    return _history(of, limit=limit, offset=offset)


@router.post("/subscription", dependencies=MANAGING, responses=CHANGING)
def choose(body: Choice, of: Own, *, adapters: Adapters, actor: Acting) -> Chosen:
    """Choose a plan; one that is to be paid for is answered with where to pay."""
    found = service.change(
        of.session,
        of.organization_id,
        body.wanted(),
        plans=adapters.plans,
        actor=actor,
    )
    return Chosen(checkout_url=None, subscription=_view(of, found))


@router.put("/subscription", dependencies=MANAGING, responses=CHANGING)
def change(body: Change, of: Own, *, adapters: Adapters, actor: Acting) -> SubscriptionView:
    """Change the plan, or accept a quote exactly as it was made."""
    found = service.change(
        of.session,
        of.organization_id,
        body.wanted(),
        plans=adapters.plans,
        actor=actor,
    )
    return _view(of, found)


@router.delete("/subscription", dependencies=MANAGING, responses=REFUSED)
def cancel(
    of: Own, *, adapters: Adapters, actor: Acting, at_period_end: bool = True
) -> SubscriptionView:
    """End the subscription; the default plan comes after it, bought credits stay."""
    found = lifecycle.cancel(
        of.session,
        of.organization_id,
        plans=adapters.plans,
        actor=actor,
        at_period_end=at_period_end,
    )
    return _view(of, found)


@router.post("/subscription/preview", dependencies=MANAGING, responses=CHANGING)
def preview(body: Choice, of: Own, *, adapters: Adapters, actor: Acting) -> QuoteView:
    """Return what a change would do and cost, with an id that the change accepts."""
    quote = service.preview(
        of.session,
        of.organization_id,
        body.wanted(),
        plans=adapters.plans,
        actor=actor,
    )
    return quote_view(quote)


@router.post("/subscription/reactivate", dependencies=MANAGING, responses=REFUSED)
def reactivate(of: Own, *, adapters: Adapters, actor: Acting) -> SubscriptionView:
    """Take back a cancellation that has not taken effect."""
    found = lifecycle.reactivate(
        of.session, of.organization_id, plans=adapters.plans, actor=actor
    )
    return _view(of, found)


@router.post("/subscription/pause", dependencies=MANAGING, responses=REFUSED)
def pause(of: Own, *, adapters: Adapters, actor: Acting) -> SubscriptionView:
    """Submit nothing for a while; periods that begin meanwhile cost and grant nothing."""
    found = lifecycle.pause(
        of.session, of.organization_id, plans=adapters.plans, actor=actor
    )
    return _view(of, found)


@router.post("/subscription/resume", dependencies=MANAGING, responses=REFUSED)
def resume(of: Own, *, adapters: Adapters, actor: Acting) -> SubscriptionView:
    """End a pause, from today on."""
    found = lifecycle.resume(
        of.session, of.organization_id, plans=adapters.plans, actor=actor
    )
    return _view(of, found)
