"""`/billing/credits`: what an organization has, and what operators change of it."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from vexxy.api.v1.billing.events import BillingEvent, event_view
from vexxy.api.v1.billing.organization import Named, Of, Operated, Own
from vexxy.audit.types import Actor
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.operators import service as operators
from vexxy.billing.ledger.types import CREDITS_MAX, Adjust, Grant, Lot, Refund, Source
from vexxy.http import idempotency, openapi
from vexxy.http.deps import Acting, require
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.identity.accounts import service as accounts
from vexxy.identity.types import Permission
from vexxy.kit import ids
from vexxy.kit.errors import Conflict, Unavailable

router = Router(prefix="/billing", tags=["billing"])
MANAGING = [Depends(require(Permission.BILLING_MANAGE))]
REFUSED = openapi.responses(Conflict)

Amount = Annotated[int, Field(ge=1, le=CREDITS_MAX)]
Reason = Annotated[
    Text, StringConstraints(min_length=3, max_length=1000, strip_whitespace=True)
]
Key = Annotated[
    str | None,
    Header(alias=idempotency.HEADER, min_length=1, max_length=255, include_in_schema=False),
]


class LotView(BaseModel):
    """Credits that came together; listed in the order they are spent."""

    id: UUID
    source: Source
    expires_at: Instant | None = Field(description="null: never")
    granted_credits: int
    available_credits: int
    held_credits: int = Field(description="Set aside for analyses that are not done")


class CreditBalance(BaseModel):
    """What an organization can spend, and where it comes from."""

    organization_id: UUID
    organization_name: str
    credit_balance: int = Field(description="Credits that can be spent now")
    held_credits: int = Field(description="Set aside for analyses that are not done")
    lots: list[LotView]


class Purchase(BaseModel):
    """Credits that somebody wants to buy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"credits": 500}]})

    credits: Amount


class Gift(BaseModel):
    """Credits that an operator grants."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"credits": 200, "reason": "an apology for the outage of May 3"}]
        }
    )

    credits: Amount
    reason: Reason
    expires_at: AwareDatetime | None = None


class Correction(BaseModel):
    """A correction of the balance by hand."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"credits": -20, "reason": "granted twice"}]}
    )

    credits: int = Field(
        ge=-CREDITS_MAX, le=CREDITS_MAX, description="More, or less; not 0"
    )
    reason: Reason


class Return(BaseModel):
    """What of a charge is given back."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"event_id": "7f9c2ba4-e88f-427f-bd3a-61f0ddc9f4d1", "reason": "x"}
            ]
        }
    )

    event_id: UUID = Field(description="Of the event analysis_completed")
    credits: Amount | None = Field(default=None, description="null: all that is left of it")
    reason: Reason


def _balance(of: Of) -> CreditBalance:
    found = ledger.balance(of.session, of.organization_id)
    name = accounts.find_organization_name(of.session, of.organization_id)
    return CreditBalance(
        organization_id=of.organization_id,
        organization_name=name or "",
        credit_balance=found.available_credits,
        held_credits=found.held_credits,
        lots=[_lot(lot) for lot in found.lots],
    )


def _lot(lot: Lot) -> LotView:
    return LotView.model_validate(lot, from_attributes=True)


def _key(of: Of, key: str | None) -> str:
    """Return what keeps an act from being done twice, also after the answer is gone.

    An answer is kept for a day; the ledger knows the key for good.
    """
    return f"operator:{of.caller.user_id}:{key or ids.new_id()}"


@router.get("/credits")
def read_credits(of: Own) -> CreditBalance:
    """Return what the caller's organization can spend."""
    return _balance(of)


@router.get("/organization/{org_id}/credits")
def read_credits_of(of: Named) -> CreditBalance:
    """Return what an organization can spend; for itself and for operators."""
    return _balance(of)


@router.post("/credits/purchase", dependencies=MANAGING)
def purchase(body: Purchase) -> None:
    """Buy credits; refused while this installation takes no payments."""
    raise Unavailable(
        f"{body.credits} credits cannot be bought: payments are off on this installation",
        hint="ask whoever operates it to grant them",
        kept="nothing was charged and nothing granted",
    )


@router.post("/organization/{org_id}/grants", status_code=201)
def grant(body: Gift, of: Operated, *, actor: Acting, key: Key = None) -> BillingEvent:
    """Grant credits to an organization, as an operator."""
    request = Grant(
        key=_key(of, key),
        credits=body.credits,
        source=Source.PROMOTION,
        expires_at=body.expires_at,
        description="credits granted by the operator",
    )
    return _done(of, request, reason=body.reason, actor=actor)


@router.post("/organization/{org_id}/adjustments", status_code=201, responses=REFUSED)
def adjust(
    body: Correction, of: Operated, *, actor: Acting, key: Key = None
) -> BillingEvent:
    """Correct the balance of an organization, as an operator."""
    request = Adjust(
        key=_key(of, key),
        credits=body.credits,
        description="correction by the operator",
    )
    return _done(of, request, reason=body.reason, actor=actor)


@router.post("/organization/{org_id}/refunds", status_code=201, responses=REFUSED)
def refund(body: Return, of: Operated, *, actor: Acting, key: Key = None) -> BillingEvent:
    """Give back a charge or a part of it, as an operator."""
    request = Refund(
        key=_key(of, key),
        charge_key=operators.charge_key(of.session, of.organization_id, body.event_id),
        credits=body.credits,
        description="given back by the operator",
    )
    return _done(of, request, reason=body.reason, actor=actor)


def _done(
    of: Of, request: Grant | Adjust | Refund, *, reason: str, actor: Actor
) -> BillingEvent:
    posted = operators.act(
        of.session, of.organization_id, request, reason=reason, actor=actor
    )
    return event_view(posted)
