"""What an alert says, to programs and to people."""

from typing import Any

from vexxy.billing.enforcement import rules
from vexxy.billing.enforcement.types import Alert
from vexxy.identity.types import Letter
from vexxy.kit import clock


def data(alert: Alert) -> dict[str, Any]:
    """Return what a webhook is told (docs/billing.md)."""
    return {
        "metric": alert.metric,
        "percent": alert.percent,
        "usage": rules.number(alert.usage),
        "limit": rules.number(alert.quota),
        "period_start": clock.rfc3339(alert.window.start),
        "period_end": clock.rfc3339(alert.window.end),
    }


def letter(alert: Alert, to: str) -> Letter:
    """Return what somebody with rights in billing is sent."""
    used, limit = rules.plain(alert.usage), rules.plain(alert.quota)
    until = f"{alert.window.end:%Y-%m-%d %H:%M}"
    return Letter(
        to=to,
        subject=f"VEXxy: {alert.percent} % of {alert.metric} used",
        text=(
            f"Your organization has used {used} of {limit} {alert.metric} of this"
            f" period: {alert.percent} % are reached.\n\n"
            f"The period ends at {until} UTC. What happens beyond a quota, and how to get"
            " a larger one, is told by GET /api/v1/billing/usage/quotas and on the pages"
            " about your subscription.\n"
        ),
    )
