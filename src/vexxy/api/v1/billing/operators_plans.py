"""Moving subscribers to the newest version of their plan, for operators."""

from typing import Annotated, Final

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vexxy.api.v1.billing.organization import Operated
from vexxy.api.v1.billing.subscription_views import SubscriptionView, subscription_view
from vexxy.audit import service as audit
from vexxy.audit.types import Act
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions import versions
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters, Transaction, require
from vexxy.http.fields import Text
from vexxy.http.routing import Router
from vexxy.identity.types import Identity, Permission
from vexxy.kit.errors import NotFound

router = Router(prefix="/billing", tags=["billing"])

Operator = Annotated[Identity, Depends(require(Permission.OPERATIONS_MANAGE))]
# Each is a transaction of its own; a request has to end in time.
MOVED_AT_ONCE_MAX: Final = 100


class Moving(BaseModel):
    """Why subscribers are moved."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "prices of 2027"}]},
    )

    reason: Annotated[
        Text, StringConstraints(min_length=3, max_length=1000, strip_whitespace=True)
    ]


class MovingAll(Moving):
    """Whose subscribers are moved, and why."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"tier": "starter", "reason": "prices of 2027"}]},
    )

    tier: Annotated[Text, StringConstraints(min_length=1, max_length=100)]


class Moved(BaseModel):
    """Whether a subscriber is to be moved, and the subscription with what is ahead."""

    moved: bool = Field(
        description="false: on the newest version, or another change is ahead"
    )
    subscription: SubscriptionView


class MovedAll(BaseModel):
    """How many subscribers of a plan are to be moved."""

    tier: str
    version: int
    moved: int
    more: bool = Field(description="true: ask again, there were too many for one request")


@router.post("/organization/{org_id}/subscription/move")
def move_one(body: Moving, of: Operated, *, adapters: Adapters, actor: Acting) -> Moved:
    """Give a subscriber the newest version of their plan, from the next period on."""
    moved = subscriptions.move_to_current_version(
        of.session,
        of.organization_id,
        plans=adapters.plans,
        reason=body.reason,
        actor=actor,
    )
    found = subscriptions.current(of.session, of.organization_id, plans=adapters.plans)
    used = subscriptions.credits_used(of.session, of.organization_id, found.period)
    return Moved(moved=moved, subscription=subscription_view(found, credits_used=used))


@router.post("/tiers/move", responses=openapi.responses(NotFound))
def move_all(
    body: MovingAll,
    *,
    operator: Operator,
    adapters: Adapters,
    session: Transaction,
    actor: Acting,
) -> MovedAll:
    """Give every subscriber of a plan its newest version, from their next period on."""
    plan = adapters.plans.current(body.tier)
    with adapters.system.transaction() as system:
        found = versions.list_outdated(
            system, body.tier, plans=adapters.plans, after=None, limit=MOVED_AT_ONCE_MAX + 1
        )
    moved = 0
    for organization_id in found[:MOVED_AT_ONCE_MAX]:
        with adapters.worker.transaction(organization_id) as bound:
            moved += subscriptions.move_to_current_version(
                bound,
                organization_id,
                plans=adapters.plans,
                reason=body.reason,
                actor=actor,
            )
    audit.record(
        session,
        Act(
            action="plan.subscribers_moved",
            actor=actor,
            organization_id=operator.organization_id,
            resource_type="plan",
            resource_id=plan.tier,
            metadata={"version": plan.version, "moved": moved, "reason": body.reason},
        ),
    )
    return MovedAll(
        tier=plan.tier,
        version=plan.version,
        moved=moved,
        more=len(found) > MOVED_AT_ONCE_MAX,
    )
