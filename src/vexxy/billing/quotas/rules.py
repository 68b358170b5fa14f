"""Decisions about admissions: limits, overrides, what goes on counting."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Final

from vexxy.billing import pricing
from vexxy.billing.entitlements.types import Override
from vexxy.billing.quotas.errors import AnalysesUsedUp, CreditsUsedUp
from vexxy.billing.quotas.types import Ending, Let, Position, Remaining
from vexxy.kit.errors import QuotaExceeded

# Far longer than a queue should ever be: what lapses was forgotten.
HOLD_FOR: Final = timedelta(days=7)
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


def remaining(position: Position, *, more: int = 0) -> Remaining:
    """Return what is left of a period after `more` analyses."""
    allowed = analysis_limit(position)
    used = position.analyses + more
    return Remaining(
        analyses=None if allowed is None else max(0, allowed - used),
        resets_at=position.resets_at,
    )


def reaches(position: Position, percents: Iterable[int]) -> bool:
    """Return whether one more analysis reaches one of these percentages of the limit."""
    allowed = analysis_limit(position)
    if allowed is None:
        return False
    before, after = position.analyses * 100, (position.analyses + 1) * 100
    return any(before < percent * allowed <= after for percent in percents)


def goes_on_counting(ending: Ending) -> bool:
    """Return whether an analysis that ended so stays among the period's.

    What failed for our reasons, and what never began, costs its owner nothing at all.
    What failed by what was submitted used a worker, as what was cancelled while it ran:
    no credits, but one of the period's analyses.
    """
    return ending not in _COUNT_GOES_BACK


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
