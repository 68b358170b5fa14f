"""The price of one analysis, in credits (contract, section 4)."""

from datetime import timedelta
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
