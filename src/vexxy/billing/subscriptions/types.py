"""Values of subscriptions. Every instant that bounds a period is 00:00 UTC of a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from vexxy.billing.types import Interval, Plan


class Status(StrEnum):
    """Where a subscription is; the last two are final."""

    INCOMPLETE = "incomplete"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"
    INCOMPLETE_EXPIRED = "incomplete_expired"


class When(StrEnum):
    """When a change of plan takes effect."""

    NOW = "now"
    PERIOD_END = "period_end"


class Kind(StrEnum):
    """What can become of a subscription; each is one row of its history."""

    CREATED = "created"
    RENEWED = "renewed"
    CHANGED = "changed"
    CHANGE_SCHEDULED = "change_scheduled"
    SCHEDULE_CLEARED = "schedule_cleared"
    TRIAL_STARTED = "trial_started"
    TRIAL_EXTENDED = "trial_extended"
    TRIAL_CONVERTED = "trial_converted"
    TRIAL_ENDED = "trial_ended"
    CANCELLATION_SCHEDULED = "cancellation_scheduled"
    CANCELED = "canceled"
    REACTIVATED = "reactivated"
    PAUSED = "paused"
    RESUMED = "resumed"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_RECEIVED = "payment_received"
    PAYMENT_GRACE_ENDED = "payment_grace_ended"


@dataclass(frozen=True, slots=True)
class Part:
    """Days of a period with one plan: from `first_day` until the next part's.

    Attributes:
        analysis_limit: A whole month of it, None without limit.
        credit_limit: The same of credits.
        analyses: Used while it lasted; kept when it ends, for parts without limit.
        credits_used: The same of credits.
    """

    first_day: date
    tier: str
    plan_version: int
    analysis_limit: int | None
    credit_limit: int | None
    analyses: int = 0
    credits_used: int = 0


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who is on which plan.

    Attributes:
        anchor_at: The day it began; periods end on its day of the month.
        billing_period_start: Of what is paid at once, a month or a year.
        billing_fee_cents: What that period costs so far: its price and every proration.
        trial_converts: Whether the trial goes over into the paid plan, or falls to the
            default one.
        revision: Counts what became of it.
    """

    id: UUID
    organization_id: UUID
    catalog: str
    tier: str
    plan_version: int
    status: Status
    billing_interval: Interval
    anchor_at: datetime
    current_period_start: datetime
    current_period_end: datetime
    billing_period_start: datetime
    billing_period_end: datetime
    billing_fee_cents: int
    trial_end: datetime | None
    trial_converts: bool
    cancel_at_period_end: bool
    canceled_at: datetime | None
    ended_at: datetime | None
    paused_at: datetime | None
    payment_grace_until: datetime | None
    scheduled_tier: str | None
    scheduled_interval: Interval | None
    revision: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Period:
    """A month of quotas and allowance.

    Attributes:
        analysis_limit: What holds in this period: of every part its share of days.
        credit_limit: The same of credits.
        analyses: Counted so far; a projection of the quotas'.
        credits_used: Charged for the analyses that the period admitted. What holds
            outside of analyses spent as well is `subscriptions.service.credits_used`.
        revenue_at_start: Of the ledger's account, when the period began.
        granted_credits: Of its allowance: granted, less what was taken back.
    """

    id: UUID
    start: datetime
    end: datetime
    tier: str
    plan_version: int
    analysis_limit: int | None
    credit_limit: int | None
    analyses: int
    credits_used: int
    granted_credits: int
    revenue_at_start: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Current:
    """What a decision about an organization stands on."""

    subscription: Subscription
    plan: Plan
    period: Period


@dataclass(frozen=True, slots=True)
class Wanted:
    """A change of plan as it is asked for.

    Attributes:
        interval: None for the one that the subscription has.
        when: None for: dearer at once, cheaper when what is paid ends.
    """

    tier: str
    interval: Interval | None = None
    when: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A plan that an operator gives.

    Attributes:
        interval: None for the one that the subscription has.
        trial_days: For how long nothing is charged for it; 0 for no trial.
        trial_converts: Whether the trial goes over into the paid plan, because somebody
            vouches for the payment; otherwise it falls to the default plan.
    """

    tier: str
    reason: str
    interval: Interval | None = None
    when: When = When.NOW
    trial_days: int = 0
    trial_converts: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """A change of plan as it is decided.

    Attributes:
        status: Of the subscription after it.
        dearer: It asks for money that was not promised before.
    """

    plan: Plan
    interval: Interval
    when: When
    status: Status
    dearer: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of proration: a price for some days of those it was made for."""

    description: str
    amount_cents: int
    days: int
    of_days: int


@dataclass(frozen=True, slots=True)
class QuotaChange:
    """What a change makes of one quota: of a whole month, and of the running period."""

    month_before: int | None
    month_after: int | None
    period_before: int | None
    period_after: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change would do.

    Attributes:
        effective_at: From which day on.
        lines: Of the proration; they sum to `amount_cents`.
        amount_cents: Below zero where more comes back than is due.
        next_invoice_at: When the running billing period is invoiced.
        next_invoice_cents: Its fee after the change, without use beyond the plan.
        recurring_cents: What every billing period after it costs.
        credits_granted: What the change adds to the allowance of the period.
        credits_revoked: What it takes back at most: only what is not spent.
    """

    tier: str
    plan_version: int
    interval: Interval
    when: When
    effective_at: datetime
    currency: str
    lines: tuple[Line, ...]
    amount_cents: int
    next_invoice_at: datetime
    next_invoice_cents: int
    recurring_cents: int
    analyses: QuotaChange
    credits: QuotaChange
    credits_granted: int
    credits_revoked: int


@dataclass(frozen=True, slots=True)
class Quote:
    """A preview that is held for some minutes."""

    id: UUID
    expires_at: datetime
    preview: Preview


@dataclass(frozen=True, slots=True)
class Step:
    """One row of the history."""

    id: UUID
    subscription_id: UUID
    revision: int
    kind: Kind
    effective_at: datetime
    before: Mapping[str, object] | None
    after: Mapping[str, object]
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    advanced: int
    failed: int
