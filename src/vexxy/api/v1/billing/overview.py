"""`/billing/usage`: what was used of the running period."""

from uuid import UUID

from pydantic import BaseModel, Field

from vexxy.api.v1.billing.organization import Named, Of, Own
from vexxy.billing.quotas import rules, service
from vexxy.http.deps import Adapters
from vexxy.http.fields import Instant
from vexxy.http.routing import Router

router = Router(prefix="/billing", tags=["billing"])


class Usage(BaseModel):
    """What an organization used of its period."""

    organization_id: UUID
    current_period_analyses: int = Field(description="Taken in; not those that we failed")
    current_period_credits_used: int = Field(description="Charged for them so far")
    monthly_analysis_limit: int | None = Field(description="null: any number")
    monthly_credit_limit: int | None = Field(description="null: any number")
    current_period_start: Instant
    current_period_end: Instant
    utilization_percent: float = Field(
        description="Credits used of the limit, two decimals; 0 without limit"
    )


def _usage(of: Of, adapters: Adapters) -> Usage:
    found = service.overview(of.session, of.organization_id, plans=adapters.plans)
    percent = rules.utilization_percent(found.credits_used, found.credit_limit)
    return Usage(
        organization_id=found.organization_id,
        current_period_analyses=found.analyses,
        current_period_credits_used=found.credits_used,
        monthly_analysis_limit=found.analysis_limit,
        monthly_credit_limit=found.credit_limit,
        current_period_start=found.period_start,
        current_period_end=found.period_end,
        utilization_percent=float(percent),
    )


@router.get("/usage")
def read_usage(of: Own, adapters: Adapters) -> Usage:
    """Return what the caller's organization used of its running period."""
    return _usage(of, adapters)


@router.get("/organization/{org_id}/usage")
def read_usage_of(of: Named, adapters: Adapters) -> Usage:
    """Return what an organization used of its period; for itself and for operators."""
    return _usage(of, adapters)
