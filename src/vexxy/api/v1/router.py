"""Every route of version 1."""

from fastapi import APIRouter

from vexxy.api.v1 import (
    analysis,
    analysis_events,
    api_keys,
    audit,
    auth,
    comparison,
    evidence,
    members,
    notifications,
    organizations,
    portability,
    sboms,
    sync,
    usage,
    vex,
)
from vexxy.api.v1.billing import credits as credits_
from vexxy.api.v1.billing import (
    events,
    holds,
    invoices,
    operators_overrides,
    operators_plans,
    operators_subscriptions,
    overview,
    quotas,
    subscription,
    tiers,
)
from vexxy.api.v1.billing import usage as billing_usage

router = APIRouter(prefix="/api/v1")
# Routes are tried one after the other: first what is asked most.
router.include_router(usage.router)
router.include_router(analysis.router)
router.include_router(analysis_events.router)
router.include_router(comparison.router)
router.include_router(sboms.router)
router.include_router(vex.router)
router.include_router(evidence.router)
router.include_router(notifications.router)
router.include_router(auth.router)
router.include_router(api_keys.router)
router.include_router(members.router)
router.include_router(organizations.router)
router.include_router(portability.router)
router.include_router(sync.router)
router.include_router(audit.router)
router.include_router(credits_.router)
router.include_router(events.router)
router.include_router(holds.router)
router.include_router(tiers.router)
router.include_router(invoices.router)
router.include_router(operators_plans.router)
router.include_router(overview.router)
router.include_router(quotas.router)
router.include_router(operators_overrides.router)
router.include_router(billing_usage.router)
router.include_router(subscription.router)
router.include_router(operators_subscriptions.router)
# Behind every other path of /billing/usage/: it takes whatever stands there.
router.include_router(billing_usage.by_metric)
