"""Decisions about overrides: which hold, what a plan becomes, which cannot be."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from vexxy.billing.entitlements.errors import OverrideRefused
from vexxy.billing.entitlements.types import ANALYSES, CREDITS, NewOverride, Override
from vexxy.billing.types import Feature, Plan

OVERRIDE_DAYS_MAX: Final = 5 * 366
LIMIT_MAX: Final = Decimal(10**12)
REASON_LENGTH_MAX: Final = 1000


def live(overrides: Iterable[Override], now: datetime) -> dict[str, Override]:
    """Return those that hold at an instant, by what they are about."""
    return {
        one.feature: one
        for one in overrides
        if one.ended_at is None and one.created_at <= now < one.expires_at
    }


def entitled(plan: Plan, overrides: Mapping[str, Override]) -> Plan:
    """Return the plan with what operators changed about it."""
    if not overrides:
        return plan
    features, metrics = set(plan.features), dict(plan.metrics)
    analyses, credits_ = plan.monthly_analyses, plan.monthly_credits
    for name, one in overrides.items():
        if name == ANALYSES:
            analyses = _whole(one)
        elif name == CREDITS:
            credits_ = _whole(one)
        elif name in metrics:
            metrics[name] = replace(metrics[name], included=one.limit)
        elif one.limit is None or one.limit > 0:
            features.add(name)
        else:
            features.discard(name)
    return replace(
        plan,
        monthly_analyses=analyses,
        monthly_credits=credits_,
        features=frozenset(features),
        metrics=metrics,
    )


def check(new: NewOverride, plans: Collection[Plan], *, now: datetime) -> None:
    """Refuse an override that nothing would ever ask about, or that never ends.

    Raises:
        OverrideRefused: Names the field and what is wrong with it.
    """
    metrics = {name for plan in plans for name in plan.metrics}
    features = {name for plan in plans for name in plan.features} | set(Feature)
    known = {ANALYSES, CREDITS} | metrics | features
    if new.feature not in known:
        raise OverrideRefused("feature", f"it must be one of {', '.join(sorted(known))}")
    limit = new.limit_value
    if (limit is None) != new.unlimited:
        raise OverrideRefused("limit_value", "give it, or `unlimited`, and not both")
    if limit is not None:
        if not 0 <= limit <= LIMIT_MAX:
            raise OverrideRefused("limit_value", f"it must be from 0 to {LIMIT_MAX}")
        if new.feature in {ANALYSES, CREDITS} and limit != int(limit):
            raise OverrideRefused("limit_value", "it must be a whole number")
        if new.feature in features - metrics and limit not in {0, 1}:
            raise OverrideRefused("limit_value", "a feature is 0 (without) or 1 (with)")
    if not new.reason.strip() or len(new.reason) > REASON_LENGTH_MAX:
        raise OverrideRefused("reason", f"it needs 1 to {REASON_LENGTH_MAX} characters")
    if not now < new.expires_at <= now + timedelta(days=OVERRIDE_DAYS_MAX):
        raise OverrideRefused("expires_at", "it must be later than now, by 5 years at most")


def _whole(override: Override) -> int | None:
    return None if override.limit is None else int(override.limit)
