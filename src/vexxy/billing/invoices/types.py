"""Values of invoices: what is closed, what it costs line by line, what is owed."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from vexxy.billing.types import Aggregation, Interval, Plan


class Status(StrEnum):
    """Where an invoice is: `draft` has no number yet, `paid` and `void` are final."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"


class LineKind(StrEnum):
    """What a line is for: `late_usage` was told after its period had been invoiced."""

    FEE = "fee"
    USAGE = "usage"
    LATE_USAGE = "late_usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """A period that is over, and what is owed for it besides use.

    Attributes:
        plan: The version that held when the period ended.
        usage_start: First day (UTC) whose use is invoiced.
        usage_end: The day after the last one.
        fee_cents: Proration and all; 0 where no fee is due with this period.
        fee_description: What the fee is for; empty for the plan's own words.
    """

    organization_id: UUID
    subscription_id: UUID
    plan: Plan
    billing_interval: Interval
    period_start: datetime
    period_end: datetime
    usage_start: date
    usage_end: date
    fee_cents: int
    fee_description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """What use of a metric over some days costs, by the plan of those days.

    Attributes:
        end_day: The day after the last one.
        used: The metric's number for those days, as last read.
        billed_cents: What invoices asked for it, all together.
        void_cents: What of it invoices asked that are void: nobody pays it.
    """

    organization_id: UUID
    subscription_id: UUID
    metric: str
    start_day: date
    end_day: date
    aggregation: Aggregation
    included: Decimal
    unit_price: Decimal
    currency: str
    used: Decimal = Decimal(0)
    billed_cents: int = 0
    void_cents: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an invoice.

    Attributes:
        quantity: Units beyond what was included; for late use those that came late.
        unit_price: In the invoice's currency, not in cents.
        start_day: First day that the line is for.
        end_day: The day after the last one.
    """

    kind: LineKind
    description: str
    amount_cents: int
    start_day: date
    end_day: date
    metric: str | None = None
    quantity: Decimal | None = None
    unit_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an invoice would say; `rated` is what stays known of the use in it."""

    lines: tuple[Line, ...]
    rated: tuple[Rated, ...]

    @property
    def total_cents(self) -> int:
        """The sum of the lines, each of them rounded once."""
        return sum(line.amount_cents for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What is owed for a period; its lines and sums never change.

    Attributes:
        number: One more than the invoice opened before it, of all of the installation;
            None while it is a draft.
        billed_name: The organization's name when the period was closed.
        reason: Of the operator who marked it, empty where nobody did.
        lines: In order; empty where a list of invoices leaves them out.
    """

    id: UUID
    organization_id: UUID
    subscription_id: UUID
    number: int | None
    status: Status
    currency: str
    tier: str
    plan_version: int
    plan_name: str
    billing_interval: Interval
    period_start: datetime
    period_end: datetime
    total_cents: int
    billed_name: str
    created_at: datetime
    finalized_at: datetime | None = None
    paid_at: datetime | None = None
    voided_at: datetime | None = None
    reason: str = ""
    stripe_invoice_id: str | None = None
    lines: tuple[Line, ...] = ()

    @property
    def due_cents(self) -> int:
        """What is still to be paid."""
        return self.total_cents if self.status in {Status.DRAFT, Status.OPEN} else 0
