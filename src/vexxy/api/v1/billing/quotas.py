"""`/billing/usage/quotas`: every metric beside its quota."""

from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field

from vexxy.analysis.levels import GAUGES
from vexxy.api.v1.billing.organization import Named, Of, Own
from vexxy.billing import pricing
from vexxy.billing.enforcement import rules
from vexxy.billing.enforcement.overview import service
from vexxy.billing.enforcement.types import Grace, Line
from vexxy.billing.types import Aggregation, Cap
from vexxy.http.deps import Adapters
from vexxy.http.fields import Instant
from vexxy.http.routing import Router
from vexxy.kit import clock

router = Router(prefix="/billing", tags=["billing"])
Quantity = int | float


class GraceView(BaseModel):
    """The one time of grace of a metric in the period."""

    started_at: Instant
    expires_at: Instant
    expired: bool = Field(description="Then what is beyond the limit is answered 402")


class OverageView(BaseModel):
    """What is used beyond the limit, and what that comes to so far."""

    quantity: Quantity
    unit_price: str | None = Field(
        description="In the plan's currency, exactly; null where more is not for sale",
        examples=["0.001"],
    )
    amount_cents: int = Field(description="Of the whole overage; 0 where nothing is sold")


class QuotaView(BaseModel):
    """One metric of the plan."""

    metric: str = Field(examples=["api_calls"])
    aggregation: Aggregation
    limit: Quantity | None = Field(description="null: without limit")
    overridden: bool = Field(description="Whether an operator set the limit")
    cap: Cap = Field(description="`hard`: 402 beyond the limit; `soft`: billed, or grace")
    used: Quantity = Field(description="In this period; of users and storage, right now")
    peak: Quantity | None = Field(
        description="The most at once in this period, which is billed; null for sums"
    )
    remaining: Quantity | None
    percent: float | None = Field(description="Used of the limit, two decimals")
    overage: OverageView
    grace: GraceView | None = Field(description="null: none was needed yet")
    resets_at: Instant


class Quotas(BaseModel):
    """Every metric of an organization's plan."""

    organization_id: UUID
    tier: str
    currency: str
    period_start: Instant
    period_end: Instant
    quotas: list[QuotaView]


def _grace(grace: Grace | None) -> GraceView | None:
    if grace is None:
        return None
    return GraceView(
        started_at=grace.started_at,
        expires_at=grace.expires_at,
        expired=clock.instant() >= grace.expires_at,
    )


def _view(line: Line) -> QuotaView:
    terms = line.quota
    price = terms.overage_unit_price
    share = rules.percentage(line.used, terms.limit)
    left = None if terms.limit is None else max(Decimal(0), terms.limit - line.used)
    return QuotaView(
        metric=terms.metric,
        aggregation=terms.aggregation,
        limit=None if terms.limit is None else rules.number(terms.limit),
        overridden=terms.overridden,
        cap=terms.cap,
        used=rules.number(line.used),
        peak=None if line.peak is None else rules.number(line.peak),
        remaining=None if left is None else rules.number(left),
        percent=None if share is None else float(share),
        overage=OverageView(
            quantity=rules.number(line.overage),
            unit_price=None if price is None else rules.plain(price),
            amount_cents=pricing.rounded(line.overage * price * 100) if price else 0,
        ),
        grace=_grace(line.grace),
        resets_at=line.window.end,
    )


def _quotas(of: Of, adapters: Adapters) -> Quotas:
    sheet = service.read(
        of.session, of.organization_id, plans=adapters.plans, gauges=GAUGES
    )
    return Quotas(
        organization_id=sheet.organization_id,
        tier=sheet.tier,
        currency=sheet.currency,
        period_start=sheet.window.start,
        period_end=sheet.window.end,
        quotas=[_view(line) for line in sheet.lines],
    )


@router.get("/usage/quotas")
def read_quotas(of: Own, adapters: Adapters) -> Quotas:
    """Return every metric of the caller's plan: its limit, what is used, what follows."""
    return _quotas(of, adapters)


@router.get("/organization/{org_id}/usage/quotas")
def read_quotas_of(of: Named, adapters: Adapters) -> Quotas:
    """Return the same of an organization; for itself and for operators."""
    return _quotas(of, adapters)
