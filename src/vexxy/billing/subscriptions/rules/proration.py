"""Shares of days: of limits, of the allowance, of prices.

The limit of a period is the sum over its parts of limit x days / days of the period,
rounded once, half up. A part without limit that is over counts with what was used in it;
while the last part has none, the period has none.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from vexxy.billing import pricing
from vexxy.billing.subscriptions.rules import periods
from vexxy.billing.subscriptions.types import Line, Part


def days_of(parts: Sequence[Part], *, end: datetime) -> list[int]:
    """Return how many days each part has; one that was replaced on its day has none."""
    starts = [*(part.first_day for part in parts), end.date()]
    return [(starts[n + 1] - starts[n]).days for n in range(len(parts))]


def _total(
    parts: Sequence[Part],
    *,
    end: datetime,
    limit: Callable[[Part], int | None],
    used: Callable[[Part], int],
) -> tuple[int, list[Decimal]]:
    days = days_of(parts, end=end)
    whole = sum(days)
    amounts = []
    for part, number in zip(parts, days, strict=True):
        monthly = limit(part)
        amounts.append(
            Decimal(used(part)) if monthly is None else Decimal(monthly * number) / whole
        )
    return pricing.rounded(sum(amounts, Decimal(0))), amounts


def analysis_limit(parts: Sequence[Part], *, end: datetime) -> int | None:
    """Return how many analyses the period allows, None without limit."""
    if parts[-1].analysis_limit is None:
        return None
    return _total(
        parts,
        end=end,
        limit=lambda part: part.analysis_limit,
        used=lambda part: part.analyses,
    )[0]


def credit_limit(parts: Sequence[Part], *, end: datetime) -> int | None:
    """Return how many credits the period allows, None without limit."""
    if parts[-1].credit_limit is None:
        return None
    return _total(
        parts,
        end=end,
        limit=lambda part: part.credit_limit,
        used=lambda part: part.credits_used,
    )[0]


def analyses_given(parts: Sequence[Part], *, end: datetime) -> int:
    """Return the analyses that the parts with a limit give."""
    return _total(
        parts, end=end, limit=lambda part: part.analysis_limit or 0, used=lambda _: 0
    )[0]


def allowance(parts: Sequence[Part], *, end: datetime) -> int:
    """Return the credits that the period's parts give; those without limit give none."""
    return _total(
        parts, end=end, limit=lambda part: part.credit_limit or 0, used=lambda _: 0
    )[0]


def allowance_shares(parts: Sequence[Part], *, end: datetime) -> list[int]:
    """Return what each part gives of it, by largest remainder; they sum to it."""
    total, amounts = _total(
        parts, end=end, limit=lambda part: part.credit_limit or 0, used=lambda _: 0
    )
    return pricing.allocated(total, amounts)


def line(
    description: str,
    price_cents: int,
    *,
    at: datetime,
    billing: tuple[datetime, datetime],
    sign: int = 1,
) -> Line:
    """Return what a price is for the days from `at` to the end of a billing period.

    Args:
        description: What the line says.
        price_cents: Of the whole billing period.
        at: Midnight of the first day that counts.
        billing: Start and end of the billing period.
        sign: -1 for what comes back.
    """
    start, end = billing
    whole = periods.days(start, end)
    left = max(0, min(whole, periods.days(at, end)))
    amount = pricing.rounded(Decimal(price_cents * left) / whole)
    return Line(description, sign * amount, left, whole)
