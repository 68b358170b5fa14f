"""What enforcement refuses, and what an answer says about it."""

from typing import Any

from vexxy.billing.enforcement import rules
from vexxy.billing.enforcement.types import Reason, Standing
from vexxy.kit import clock
from vexxy.kit.errors import PaymentRequired

HINT = "PUT /billing/subscription to a larger plan, or use less"


class QuotaReached(PaymentRequired):
    """A hard cap is reached, or the time of grace ran out.

    Attributes:
        standing: What the act met; its headers belong to the answer.
    """

    def __init__(self, standing: Standing) -> None:
        verdict, window = standing.verdict, standing.window
        terms = verdict.quota
        requested = verdict.after - verdict.used
        details: dict[str, Any] = {
            "reason": str(verdict.reason),
            "metric": terms.metric,
            "usage": rules.number(verdict.used),
            "requested": rules.number(requested),
            "limit": None if terms.limit is None else rules.number(terms.limit),
            "resets_at": clock.rfc3339(window.end),
        }
        if verdict.grace is not None:
            details["grace_expired_at"] = clock.rfc3339(verdict.grace.expires_at)
        what = (
            "the time of grace is over"
            if verdict.reason is Reason.GRACE_EXPIRED
            else "the plan's hard cap is reached"
        )
        limit = "none" if terms.limit is None else rules.plain(terms.limit)
        asked = "" if requested == 1 else f", {rules.plain(requested)} more asked for"
        super().__init__(
            f"{terms.metric}: {what} ({rules.plain(verdict.used)} of {limit} used{asked})",
            hint=HINT,
            details=details,
        )
        self.standing = standing
