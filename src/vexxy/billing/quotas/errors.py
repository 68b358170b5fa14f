"""Why an analysis is not let in; a refusal leaves everything as it was."""

from datetime import datetime

from vexxy.kit import clock
from vexxy.kit.errors import QuotaExceeded


class AnalysesUsedUp(QuotaExceeded):
    """The period's analyses are used up."""

    def __init__(self, *, limit: int, current: int, resets_at: datetime) -> None:
        until = clock.rfc3339(resets_at)
        super().__init__(
            f"{current} of {limit} analyses of this period are used",
            hint=f"wait until {until}, or change to a plan with more analyses",
            details={
                "quota_type": "analyses",
                "limit": limit,
                "current": current,
                "resets_at": until,
            },
        )


class CreditsUsedUp(QuotaExceeded):
    """The credits do not cover what the analysis may cost.

    Args:
        required: What it costs at most.
        available: What may be spent of the organization's own.
        limit: The period's credits, None without limit.
        current: Used and held of them.
        resets_at: When the next period's come.
    """

    def __init__(
        self,
        *,
        required: int,
        available: int,
        limit: int | None,
        current: int,
        resets_at: datetime,
    ) -> None:
        until = clock.rfc3339(resets_at)
        super().__init__(
            f"the analysis may cost {required} credits, {available} are available",
            hint="buy credits, wait until those that are held for running analyses are "
            f"settled, or until {until}",
            details={
                "quota_type": "credits",
                "limit": limit,
                "current": current,
                "resets_at": until,
                "required": required,
                "available": available,
                "balance": available,
            },
        )
