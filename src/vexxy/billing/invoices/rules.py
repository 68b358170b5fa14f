"""What use costs beyond what a plan includes. Exact until the one rounding of a line."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Context, Decimal, Inexact
from typing import Final

from vexxy.billing import pricing
from vexxy.billing.invoices.types import Closing, Draft, Line, LineKind, Rated, Status
from vexxy.billing.types import Interval, Plan

# More digits than a sum of uses (20) times a price (19) can have; one that did not fit
# would be an error and never a rounded amount.
EXACT: Final = Context(prec=120, traps=[Inexact])
CENTS: Final = Decimal(100)
# What one line asks at most. Beyond it a number was told that cannot be, and a column that
# cannot hold the price of it would keep the period from ever being closed.
LINE_CENTS_MAX: Final = 10**17
NUMBER_DIGITS: Final = 6
WORDS: Final = {Interval.MONTH: "month", Interval.YEAR: "year"}
# From where an operator may lead an invoice, and where to.
TRANSITIONS: Final = {
    Status.DRAFT: frozenset({Status.VOID}),
    Status.OPEN: frozenset({Status.PAID, Status.VOID}),
    Status.PAID: frozenset[Status](),
    Status.VOID: frozenset[Status](),
}


def overage(used: Decimal, included: Decimal) -> Decimal:
    """Return the units beyond what is included, never less than none."""
    return max(Decimal(0), EXACT.subtract(used, included))


def overage_cents(used: Decimal, *, included: Decimal, unit_price: Decimal) -> int:
    """Return what the units beyond what is included cost, rounded once."""
    price = EXACT.multiply(unit_price, CENTS)
    return pricing.rounded(EXACT.multiply(overage(used, included), price))


def spans(closing: Closing, plan: Plan) -> list[Rated]:
    """Return what has to be rated of a period: metrics of which more is for sale.

    Args:
        closing: The period.
        plan: With what operators changed about it for this organization.
    """
    return [
        Rated(
            organization_id=closing.organization_id,
            subscription_id=closing.subscription_id,
            metric=terms.metric,
            start_day=closing.usage_start,
            end_day=closing.usage_end,
            aggregation=terms.aggregation,
            included=terms.included,
            unit_price=terms.overage_unit_price,
            currency=plan.currency,
        )
        for terms in plan.metrics.values()
        if terms.included is not None and terms.overage_unit_price is not None
    ]


def fee_line(closing: Closing) -> Line | None:
    """Return the line of the fee, None where none is due."""
    if closing.fee_cents == 0:
        return None
    plan = closing.plan
    name = plan.name or plan.tier
    return Line(
        kind=LineKind.FEE,
        description=closing.fee_description
        or f"{name}, by the {WORDS[closing.billing_interval]}",
        amount_cents=closing.fee_cents,
        start_day=closing.period_start.date(),
        end_day=closing.period_end.date(),
    )


def rate(
    rated: Rated, used: Decimal, *, kind: LineKind, credit_max_cents: int = 0
) -> tuple[Rated, Line | None]:
    """Return the span as it is after its use is billed, and the line that bills it.

    What was billed before is taken off, so use that is told in several parts costs what
    it would have cost at once.

    Args:
        rated: What is known of the span so far.
        used: The metric's number for its days by now.
        kind: Of the line.
        credit_max_cents: How much a line may give back, where there is less use than
            was billed; what is left is given back by a later invoice.
    """
    # What nobody pays, because its invoice is void, is not given back either.
    given_back_max = min(credit_max_cents, max(0, rated.billed_cents - rated.void_cents))
    owed = overage_cents(used, included=rated.included, unit_price=rated.unit_price)
    owed = min(owed, LINE_CENTS_MAX)
    cents = max(owed - rated.billed_cents, -given_back_max)
    after = replace(rated, used=used, billed_cents=rated.billed_cents + cents)
    if cents == 0:
        return after, None
    told = ""
    if kind is LineKind.LATE_USAGE:
        told = f", {shown_days(rated)}, {'told late' if cents > 0 else 'corrected'}"
    return after, Line(
        kind=kind,
        description=f"{rated.metric} beyond {plain(rated.included)} included{told}",
        amount_cents=cents,
        start_day=rated.start_day,
        end_day=rated.end_day,
        metric=rated.metric,
        quantity=EXACT.subtract(
            overage(used, rated.included), overage(rated.used, rated.included)
        ),
        unit_price=rated.unit_price,
    )


def draft(
    closing: Closing,
    *,
    own: Iterable[tuple[Rated, Decimal]],
    earlier: Iterable[tuple[Rated, Decimal]],
) -> Draft:
    """Return what a period's invoice says.

    Args:
        closing: The period.
        own: What has to be rated of it, each with the metric's number.
        earlier: Spans of earlier invoices, each with the metric's number by now.
    """
    lines = [line for line in [fee_line(closing)] if line is not None]
    rated: list[Rated] = []
    told = [(one, used, LineKind.USAGE) for one, used in own]
    told += [(one, used, LineKind.LATE_USAGE) for one, used in earlier]
    for one, used, kind in told:
        total = sum(line.amount_cents for line in lines)
        after, line = rate(one, used, kind=kind, credit_max_cents=max(0, total))
        rated.append(after)
        if line is not None:
            lines.append(line)
    return Draft(lines=tuple(lines), rated=tuple(rated))


def number_text(number: int | None) -> str | None:
    """Return an invoice's number as it is printed, None for a draft."""
    return None if number is None else f"INV-{number:0{NUMBER_DIGITS}d}"


def plain(number: Decimal) -> str:
    """Return the digits of a number, without an exponent or zeros at the end."""
    return format(number.normalize(EXACT) if number else Decimal(0), "f")


def amount_text(cents: int, currency: str) -> str:
    """Return an amount as people read it, such as `USD 49.00`."""
    sign = "-" if cents < 0 else ""
    return f"{currency.upper()} {sign}{abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def shown_days(line: Line | Rated) -> str:
    """Return the days as people read them, the last one included."""
    last = line.end_day - timedelta(days=1)
    return f"{line.start_day.isoformat()} to {last.isoformat()}"
