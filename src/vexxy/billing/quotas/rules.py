"""Decisions about admissions: limits, overrides, what goes on counting."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from vexxy.billing import pricing
from vexxy.billing.quotas.errors import (
    AnalysesUsedUp,
    CreditsUsedUp,
    OverrideRefused,
)
from vexxy.billing.quotas.types import (
    ANALYSES,
    CREDITS,
    Ending,
    Let,
    NewOverride,
    Override,
    Position,
    Remaining,
)
from vexxy.billing.types import Feature, Plan
from vexxy.kit.errors import QuotaExceeded

# Far longer than a queue should ever be: what lapses was forgotten.
HOLD_FOR: Final = timedelta(days=7)
OVERRIDE_DAYS_MAX: Final = 5 * 366
LIMIT_MAX: Final = Decimal(10**12)
REASON_LENGTH_MAX: Final = 1000
_COUNT_GOES_BACK: Final = frozenset({Ending.FAILED, Ending.UNSTARTED, Ending.INCOMPLETE})


def decide(position: Position, credits: int) -> Let | QuotaExceeded:  # noqa: A002
    """Return how an analysis may be taken in, or why not.

    Whether the own credits cover it is the ledger's to say; here is said whether they
    are asked, and whether an operator's limit covers what they do not.

    Args:
        position: Of the organization now.
        credits: What the analysis costs at most.
    """
    allowed = analysis_limit(position)
    if allowed is not None and position.analyses >= allowed:
        return AnalysesUsedUp(
            limit=allowed, current=position.analyses, resets_at=position.resets_at
        )
    override = position.credit_override
    if override is None:
        limited = position.credit_limit is not None
        return Let(own_first=limited, unlimited=not limited)
    if override.limit is None:
        return Let(own_first=False, unlimited=True)
    spent = position.credits_used + position.credits_held
    room = int(override.limit) - spent
    if credits > room:
        return credits_used_up(position, required=credits, available=max(0, room))
    return Let(own_first=position.credit_limit is not None, unlimited=True)


def credits_used_up(position: Position, *, required: int, available: int) -> CreditsUsedUp:
    """Return the refusal of an analysis that the credits do not cover."""
    return CreditsUsedUp(
        required=required,
        available=available,
        limit=credit_limit(position),
        current=position.credits_used + position.credits_held,
        resets_at=position.resets_at,
    )


def analysis_limit(position: Position) -> int | None:
    """Return how many analyses the period may have, None without limit."""
    return _limit(position.analysis_limit, position.analysis_override)


def credit_limit(position: Position) -> int | None:
    """Return how many credits are the period's, None without limit."""
    return _limit(position.credit_limit, position.credit_override)


def _limit(own: int | None, override: Override | None) -> int | None:
    if override is None:
        return own
    return None if override.limit is None else int(override.limit)


def remaining(position: Position, *, available: int | None) -> Remaining:
    """Return what is left of a period.

    Args:
        position: As it is now.
        available: The organization's own credits, None where they are not limited.
    """
    allowed = analysis_limit(position)
    return Remaining(
        analyses=None if allowed is None else max(0, allowed - position.analyses),
        credits=available,
        resets_at=position.resets_at,
    )


def goes_on_counting(ending: Ending) -> bool:
    """Return whether an analysis that ended so stays among the period's.

    What failed for our reasons, and what never began, costs its owner nothing at all.
    What failed by what was submitted used a worker, as what was cancelled while it ran:
    no credits, but one of the period's analyses.
    """
    return ending not in _COUNT_GOES_BACK


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
            analyses = _limit(analyses, one)
        elif name == CREDITS:
            credits_ = _limit(credits_, one)
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


def utilization_percent(used: int, limit: int | None) -> Decimal:
    """Return credits used of the limit, in percent with two decimals, half up.

    Without a limit nothing is ever used up: 0. Of a limit of 0 everything is.
    """
    if limit is None:
        return Decimal("0.00")
    if limit == 0:
        return Decimal("100.00")
    hundredths = pricing.rounded(Decimal(used) * 10_000 / limit)
    return Decimal(hundredths).scaleb(-2)
