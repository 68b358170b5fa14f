"""What is charged: credits for an analysis (contract, section 4), cents for the rest."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Final

from vexxy.billing.types import Options

BASE_CREDITS: Final = 10
FUZZING_CREDITS: Final = 5
PROFILING_CREDITS: Final = 3
COVERAGE_CREDITS: Final = 7
# A result of the last hours, answered again: nothing was run for it.
REUSED_CREDITS: Final = 1
CREDIT_PER: Final = timedelta(minutes=5)


def analysis_credits(options: Options, duration: timedelta) -> int:
    """Return what an analysis with these parts costs when it ran for `duration`.

    Only whole five-minute blocks are charged; a fraction of one is free. A clock that
    was set back meanwhile charges nothing for the time.
    """
    return (
        BASE_CREDITS
        + FUZZING_CREDITS * options.fuzzing
        + PROFILING_CREDITS * options.profiling
        + COVERAGE_CREDITS * options.coverage
        + max(timedelta(0), duration) // CREDIT_PER
    )


def rounded(cents: Decimal) -> int:
    """Return whole cents, a half away from zero: the one rule of rounding.

    What is owed and what is given back for the same thing cancel out.
    """
    return int(cents.to_integral_value(ROUND_HALF_UP))


def allocated(total_cents: int, parts: Sequence[Decimal]) -> list[int]:
    """Return whole cents for each part that sum to the total exactly.

    Each part gets its whole cents; those that are left go to the largest fractions, the
    earlier part first among equals.

    Args:
        total_cents: What the parts shall sum to.
        parts: Exact amounts in cents; they sum to the total within half a cent each.

    Raises:
        ValueError: The total is further from the parts than rounding can explain.
    """
    floors = [int(part.to_integral_value(ROUND_FLOOR)) for part in parts]
    left = total_cents - sum(floors)
    if not 0 <= left <= len(parts):
        raise ValueError(f"{total_cents} cents cannot be divided into these parts")
    order = sorted(range(len(parts)), key=lambda n: (floors[n] - parts[n], n))
    for number in order[:left]:
        floors[number] += 1
    return floors
