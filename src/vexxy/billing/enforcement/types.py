"""Values of enforcement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from vexxy.billing.types import Aggregation, Cap


class Outcome(StrEnum):
    """What becomes of an act that uses something.

    `warned` is within the quota and at one of the plan's percentages or beyond,
    `overage` is beyond it and for sale, `grace` beyond it for a limited time.
    """

    PASSED = "passed"
    WARNED = "warned"
    OVERAGE = "overage"
    GRACE = "grace"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why an act is refused."""

    HARD_CAP = "hard_cap"
    GRACE_EXPIRED = "grace_expired"


@dataclass(frozen=True, slots=True)
class Quota:
    """What holds for one metric of one organization now: its plan, then its override.

    Attributes:
        limit: None without limit.
        overage_unit_price: None where more is not for sale.
        overridden: Whether an operator set the limit.
    """

    metric: str
    aggregation: Aggregation
    limit: Decimal | None
    cap: Cap
    overage_unit_price: Decimal | None = None
    overridden: bool = False


@dataclass(frozen=True, slots=True)
class Grace:
    """The one time of grace of a metric in a period."""

    started_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """What the catalog says about every metric."""

    alert_percents: Sequence[int]
    grace_seconds: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an act does to the usage of a metric, and whether it may.

    Attributes:
        used: Before the act.
        after: With it; of a refused one, what it would have been.
        overage: Of `after`, what lies beyond the limit.
        grace: The time of grace that is on its way, or was; or begins with this act.
        crossed: Percentages of the limit that `after` reaches, lowest first; of what is
            refused they are told only where it happened already.
        reason: Why it is refused.
    """

    outcome: Outcome
    quota: Quota
    used: Decimal
    after: Decimal
    overage: Decimal = Decimal(0)
    grace: Grace | None = None
    crossed: Sequence[int] = ()
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The period that a metric is counted in; whole days, the end excluded."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Level:
    """How much of a metric is used in a period, for its alerts."""

    metric: str
    used: Decimal
    limit: Decimal | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What an act met, with what its answer says about it."""

    verdict: Verdict
    window: Window
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One metric as an organization sees it.

    Attributes:
        peak: The most in this period, where that is what is billed.
    """

    quota: Quota
    used: Decimal
    window: Window
    peak: Decimal | None = None
    grace: Grace | None = None
    overage: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that an organization has to hear of once.

    Attributes:
        staged: Whether its webhooks are on their way.
        mailed_to: Who got the letter already.
    """

    id: UUID
    organization_id: UUID
    metric: str
    percent: int
    usage: Decimal
    quota: Decimal
    window: Window
    staged: bool = False
    mailed_to: Sequence[UUID] = ()


@dataclass(frozen=True, slots=True)
class Sheet:
    """Every metric of an organization's plan, in the period that is current."""

    organization_id: UUID
    tier: str
    window: Window
    currency: str
    lines: Sequence[Line]
