"""Whether an act may use more: decisions as functions of values."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from vexxy.billing.enforcement.types import (
    Grace,
    Outcome,
    Policy,
    Quota,
    Reason,
    Verdict,
    Window,
)
from vexxy.billing.types import Aggregation, Cap, MetricTerms
from vexxy.kit import clock

ADDING: Final = frozenset({Aggregation.SUM, Aggregation.UNIQUE})
HUNDREDTH: Final = Decimal("0.01")


def quota(
    terms: MetricTerms,
    *,
    override: Decimal | None = None,
    overridden: bool = False,
) -> Quota:
    """Return what holds for a metric: the plan's terms, or the override's limit.

    An override changes how much, not what happens beyond: that is the metric's own, and
    no matter of the tier.
    """
    return Quota(
        metric=terms.metric,
        aggregation=terms.aggregation,
        limit=override if overridden else terms.included,
        cap=terms.cap,
        overage_unit_price=terms.overage_unit_price,
        overridden=overridden,
    )


def after(aggregation: Aggregation, used: Decimal, quantity: Decimal) -> Decimal:
    """Return the usage that an act leads to.

    What is summed or counted grows by the quantity. Of a level (the most at once, the
    last one) the quantity is the new level itself.
    """
    return used + quantity if aggregation in ADDING else quantity


def verdict(
    terms: Quota,
    *,
    used: Decimal,
    reached: Decimal,
    grace: Grace | None,
    policy: Policy,
    now: datetime,
) -> Verdict:
    """Decide about one act.

    Args:
        terms: What holds for the metric.
        used: Before the act, in the period that is current.
        reached: With it.
        grace: The time of grace of this metric and period, whether or not it is over;
            there is no second one.
        policy: What the catalog says.
        now: The instant of the act.
    """
    amounts = used, reached
    if terms.limit is None:
        return Verdict(Outcome.PASSED, terms, *amounts, grace=grace)
    crossed = percents(reached, terms.limit, policy.alert_percents)
    beyond = max(Decimal(0), reached - terms.limit)
    if not beyond or reached == used:
        # Within the quota; or beyond it, by an act that adds nothing.
        outcome = Outcome.WARNED if crossed else Outcome.PASSED
        return Verdict(outcome, terms, *amounts, beyond, grace=grace, crossed=crossed)
    if terms.cap is Cap.HARD:
        refused = Reason.HARD_CAP
    elif terms.overage_unit_price is not None:
        return Verdict(
            Outcome.OVERAGE, terms, *amounts, beyond, grace=grace, crossed=crossed
        )
    elif grace is None or now < grace.expires_at:
        began = grace or Grace(now, now + timedelta(seconds=policy.grace_seconds))
        return Verdict(Outcome.GRACE, terms, *amounts, beyond, grace=began, crossed=crossed)
    else:
        refused = Reason.GRACE_EXPIRED
    return Verdict(
        Outcome.REFUSED,
        terms,
        *amounts,
        beyond,
        grace=grace,
        crossed=crossed,
        reason=refused,
    )


def percents(used: Decimal, limit: Decimal, of: Sequence[int]) -> tuple[int, ...]:
    """Return the percentages of the limit that the usage reaches, lowest first.

    Nothing used reaches none, not even those of a limit of nothing.
    """
    if used <= 0:
        return ()
    return tuple(sorted(one for one in set(of) if used * 100 >= limit * one))


def percentage(used: Decimal, limit: Decimal | None) -> Decimal | None:
    """Return the usage in percent of the limit, two decimals; None without limit."""
    if limit is None:
        return None
    if limit <= 0:
        return Decimal(100 if used > 0 else 0).quantize(HUNDREDTH)
    return (used * 100 / limit).quantize(HUNDREDTH, ROUND_HALF_UP)


def headers(verdict: Verdict, window: Window) -> tuple[tuple[str, str], ...]:
    """Return what an answer says about the quota that it used; nothing without limit."""
    terms = verdict.quota
    if terms.limit is None:
        return ()
    refused = verdict.outcome is Outcome.REFUSED
    usage = verdict.used if refused else verdict.after
    share = percentage(usage, terms.limit)
    said = [
        ("X-Quota-Metric", terms.metric),
        ("X-Quota-Limit", plain(terms.limit)),
        ("X-Quota-Usage", plain(usage)),
        ("X-Quota-Remaining", plain(max(Decimal(0), terms.limit - usage))),
        ("X-Quota-Percentage", plain(share or Decimal(0))),
        ("X-Quota-Reset", clock.rfc3339(window.end)),
    ]
    if verdict.outcome in {Outcome.WARNED, Outcome.OVERAGE, Outcome.GRACE}:
        said.append(("X-Quota-Warning", _warning(verdict)))
    limited = verdict.outcome is Outcome.GRACE or verdict.reason is Reason.GRACE_EXPIRED
    if limited and verdict.grace is not None:
        said.append(("X-Grace-Period-Expires", clock.rfc3339(verdict.grace.expires_at)))
    return tuple(said)


def _warning(verdict: Verdict) -> str:
    if verdict.outcome is Outcome.OVERAGE:
        return f"{plain(verdict.overage)} beyond the quota, billed as overage"
    if verdict.outcome is Outcome.GRACE:
        return f"{plain(verdict.overage)} beyond the quota, allowed until the grace ends"
    if verdict.overage:
        return f"{plain(verdict.overage)} beyond the quota"
    return f"{max(verdict.crossed)} % of the quota is reached"


def plain(number: Decimal) -> str:
    """Return the number without exponent and without needless zeros: `1000`, `0.5`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(value: Decimal) -> int | float:
    """Return a quantity (never money) as JSON has it: `1000`, `0.5`."""
    whole = int(value)
    return whole if whole == value else float(value)
