"""The tiers of the contract (section 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from vexxy.billing.types import Feature, Plan, Tier

_FREE: Final = frozenset({Feature.BASIC_ANALYSIS, Feature.VEX_GENERATION})
_STARTER: Final = _FREE | {Feature.REACHABILITY_ANALYSIS}
_PROFESSIONAL: Final = _STARTER | {Feature.SECURITY_FUZZING, Feature.PRIORITY_SUPPORT}
_ENTERPRISE: Final = _PROFESSIONAL | {
    Feature.DEDICATED_SUPPORT,
    Feature.CUSTOM_INTEGRATIONS,
}

PLANS: Final[Mapping[str, Plan]] = {
    plan.tier: plan
    for plan in (
        Plan(Tier.FREE, 10, 100, priority=0, features=_FREE),
        Plan(Tier.STARTER, 100, 1000, priority=1, features=_STARTER),
        Plan(Tier.PROFESSIONAL, 500, 5000, priority=2, features=_PROFESSIONAL),
        Plan(Tier.ENTERPRISE, None, None, priority=3, features=_ENTERPRISE),
    )
}


@dataclass(frozen=True, slots=True)
class OneTier:
    """Gives every organization the same plan, until there are subscriptions."""

    chosen: Plan

    def plan(self, session: object, organization_id: UUID) -> Plan:
        """Return the plan; nothing is asked of the database."""
        del session, organization_id
        return self.chosen
