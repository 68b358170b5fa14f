"""`/billing/organization/{org_id}/subscription`: what operators do about it."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vexxy.api.v1.billing.organization import Of, Operated
from vexxy.api.v1.billing.subscription import Tier
from vexxy.api.v1.billing.subscription_views import SubscriptionView, subscription_view
from vexxy.billing.subscriptions import lifecycle, service
from vexxy.billing.subscriptions.types import Current, Given, When
from vexxy.billing.types import Interval
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters
from vexxy.http.fields import Text
from vexxy.http.routing import Router
from vexxy.kit.errors import Conflict

router = Router(
    prefix="/billing/organization/{org_id}/subscription",
    tags=["billing"],
    responses=openapi.responses(Conflict),
)

Reason = Annotated[
    Text, StringConstraints(min_length=3, max_length=1000, strip_whitespace=True)
]
Days = Annotated[int, Field(ge=0, le=service.TRIAL_DAYS_MAX)]


class GivenPlan(BaseModel):
    """A plan that an operator gives, whoever pays for it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"tier": "professional", "reason": "contract 17", "trial_days": 30}
            ]
        },
    )

    tier: Tier
    reason: Reason
    billing_interval: Interval | None = Field(
        default=None, description="null: as the subscription is paid now"
    )
    when: When = When.NOW
    trial_days: Days = Field(default=0, description="Without a fee; only at once")
    trial_converts: bool = Field(
        default=False,
        description="Somebody vouches for the payment: the trial becomes a paid "
        "subscription; otherwise it ends in the default plan",
    )


class Extension(BaseModel):
    """How much longer a trial lasts."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"days": 14, "reason": "asked for more time"}]},
    )

    days: Annotated[int, Field(ge=1, le=service.TRIAL_DAYS_MAX)]
    reason: Reason


class Outcome(StrEnum):
    """How a payment outside of this program went."""

    FAILED = "failed"
    RECEIVED = "received"


class Payment(BaseModel):
    """A payment that an operator knows of."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"outcome": "failed", "reason": "no transfer"}]},
    )

    outcome: Outcome
    reason: Reason


def _view(of: Of, found: Current) -> SubscriptionView:
    used = service.credits_used(of.session, of.organization_id, found.period)
    return subscription_view(found, credits_used=used)


@router.put("")
def set_plan(
    body: GivenPlan, of: Operated, *, adapters: Adapters, actor: Acting
) -> SubscriptionView:
    """Put an organization on any plan, as an operator."""
    given = Given(
        tier=body.tier,
        reason=body.reason,
        interval=body.billing_interval,
        when=body.when,
        trial_days=body.trial_days,
        trial_converts=body.trial_converts,
    )
    found = service.set_plan(
        of.session, of.organization_id, given, plans=adapters.plans, actor=actor
    )
    return _view(of, found)


@router.post("/trial")
def extend_trial(
    body: Extension, of: Operated, *, adapters: Adapters, actor: Acting
) -> SubscriptionView:
    """Let a trial last longer, as an operator."""
    found = service.extend_trial(
        of.session,
        of.organization_id,
        body.days,
        reason=body.reason,
        plans=adapters.plans,
        actor=actor,
    )
    return _view(of, found)


@router.post("/payment")
def note_payment(
    body: Payment, of: Operated, *, adapters: Adapters, actor: Acting
) -> SubscriptionView:
    """Note that a payment failed, or that what was open is paid, as an operator."""
    act = (
        lifecycle.payment_failed
        if body.outcome is Outcome.FAILED
        else lifecycle.payment_received
    )
    found = act(
        of.session,
        of.organization_id,
        plans=adapters.plans,
        actor=actor,
        reason=body.reason,
    )
    return _view(of, found)
