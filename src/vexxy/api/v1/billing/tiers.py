"""`/billing/tiers`: what can be subscribed to, for everybody."""

from typing import Final

from pydantic import BaseModel, Field

from vexxy.billing.catalog import wire
from vexxy.billing.types import Aggregation, Cap, Feature, MetricTerms, Plan
from vexxy.http.deps import Adapters
from vexxy.http.routing import Router

router = Router(prefix="/billing/tiers", tags=["billing"])

_ORDER: Final = {str(feature): number for number, feature in enumerate(Feature)}


class MetricView(BaseModel):
    """What a plan says about one metric; numbers are decimals, written as text."""

    aggregation: Aggregation
    included: str | None = Field(description="A month; null: without limit")
    cap: Cap
    overage_unit_price: str | None = Field(
        description="Of each unit beyond, in the currency; null: not for sale"
    )


class TierView(BaseModel):
    """A plan as it is offered now."""

    tier: str
    name: str
    version: int
    monthly_analysis_limit: int | None = Field(description="null: without limit")
    monthly_credit_limit: int | None = Field(description="null: without limit")
    priority: int
    features: list[str]
    currency: str
    monthly_price_cents: int | None = Field(description="null: not sold by the month")
    annual_price_cents: int | None = Field(description="null: not sold by the year")
    trial_days: int
    metrics: dict[str, MetricView]


@router.get("")
def list_tiers(adapters: Adapters) -> list[TierView]:
    """List the plans, the one with the lowest priority first; needs no credentials."""
    return [tier_view(plan) for plan in adapters.plans.catalog.plans.values()]


def tier_view(plan: Plan) -> TierView:
    """Return a plan as the contract shows it."""
    return TierView(
        tier=plan.tier,
        name=plan.name,
        version=plan.version,
        monthly_analysis_limit=plan.monthly_analyses,
        monthly_credit_limit=plan.monthly_credits,
        priority=plan.priority,
        features=sorted(plan.features, key=_place),
        currency=plan.currency,
        monthly_price_cents=plan.monthly_price_cents,
        annual_price_cents=plan.annual_price_cents,
        trial_days=plan.trial_days,
        metrics={name: _terms(terms) for name, terms in plan.metrics.items()},
    )


def _place(feature: str) -> tuple[int, str]:
    return _ORDER.get(feature, len(_ORDER)), feature


def _terms(terms: MetricTerms) -> MetricView:
    return MetricView(
        aggregation=terms.aggregation,
        included=wire.plain(terms.included),
        cap=terms.cap,
        overage_unit_price=wire.plain(terms.overage_unit_price),
    )
