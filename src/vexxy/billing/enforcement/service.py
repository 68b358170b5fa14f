"""Let acts pass that may use more, refuse others, and count what passed.

A decision and its count stand in one transaction, under the organization's money lock and
from rows that were read under it: of requests that come at once before a hard cap, as many
pass as there is room for. Nothing here remembers anything between two calls.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.catalog.service import Plans
from vexxy.billing.enforcement import repository, rules
from vexxy.billing.enforcement.alerts import service as alerts
from vexxy.billing.enforcement.errors import QuotaReached
from vexxy.billing.enforcement.ports import Use
from vexxy.billing.enforcement.types import (
    Level,
    Line,
    Outcome,
    Policy,
    Quota,
    Standing,
    Verdict,
    Window,
)
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import Override
from vexxy.billing.ledger import service as ledger
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions.rules import plans as offers
from vexxy.billing.subscriptions.rules import states
from vexxy.billing.subscriptions.types import Current
from vexxy.billing.types import Aggregation, MetricTerms
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Event
from vexxy.kit import clock, ids, metrics

API_CALLS: Final = "api_calls"
STORAGE_GB: Final = "storage_gb"
USER_SEATS: Final = "user_seats"
# Ids of events that the service itself writes; nobody else may take them.
RESERVED: Final = "vexxy:"
# What an event can say; the rest is the customer's.
SMALLEST: Final = Decimal("0.0001")


def policy(plans: Plans) -> Policy:
    """Return what the catalog says about every metric."""
    catalog = plans.catalog
    return Policy(catalog.alert_percents, catalog.grace_seconds)


def foresee(
    session: Session, use: Use, *, plans: Plans, now: datetime | None = None
) -> Standing:
    """Say what an act would meet, for who promises it to somebody; nothing is written.

    Raises:
        QuotaReached: It would be refused.
    """
    return _judged(session, use, plans=plans, now=now or clock.instant())[0]


def spend(
    session: Session, use: Use, *, plans: Plans, now: datetime | None = None
) -> Standing:
    """Decide about an act and count it, both in the caller's transaction.

    Raises:
        QuotaReached: A hard cap is reached, or the time of grace ran out.
        SubscriptionUnusable: It is paused, unpaid or over.
        Unavailable: What is used cannot be read or written; nothing passes uncounted.
    """
    now = now or clock.instant()
    standing, quantity = _judged(session, use, plans=plans, now=now)
    _note(session, use, standing, now=now)
    if quantity > 0 and use.metric in plans.catalog.metrics:
        told = standing.verdict.after if use.gauge is not None else quantity
        kind = standing.verdict.quota.aggregation
        unique = frozenset({use.metric} if kind is Aggregation.UNIQUE else ())
        events = _events(use.metric, told, distinct=bool(unique), now=now)
        usage.record(session, use.organization_id, events, unique=unique)
    return standing


def _events(
    metric: str, quantity: Decimal, *, distinct: bool, now: datetime
) -> list[Event]:
    """Return what tells of an act; of values that count once each, an event a value.

    The ids are our own: one that the client may choose would let it count once only.
    """
    if not distinct:
        told = quantity.quantize(SMALLEST, ROUND_DOWN)
        return [Event(f"{RESERVED}{ids.new_id()}", metric, told, now)]
    names = [f"{RESERVED}{ids.new_id()}" for _ in range(int(quantity))]
    return [Event(name, metric, Decimal(1), now, {"value": name}) for name in names]


def _judged(
    session: Session, use: Use, *, plans: Plans, now: datetime
) -> tuple[Standing, Decimal]:
    """Return what the act meets, and how much it uses; the organization is locked."""
    organization_id = use.organization_id
    # First of all locks, in a statement of its own: what is read next was committed.
    ledger.lock(session, organization_id)
    current = subscriptions.current(session, organization_id, plans=plans, now=now)
    states.check_usable(current.subscription, now)
    terms, window = _terms(session, current, use.metric, plans=plans, now=now)
    if use.gauge is not None:
        used = use.gauge(session, organization_id)
    else:
        used = counted(session, organization_id, terms, window=window)
    more = use.quantity
    quantity = more(session, organization_id) if callable(more) else more
    added = terms.aggregation if use.gauge is None else Aggregation.SUM
    verdict = rules.verdict(
        terms,
        used=used,
        reached=rules.after(added, used, quantity),
        grace=repository.find_grace(session, organization_id, use.metric, window=window),
        policy=policy(plans),
        now=now,
    )
    standing = Standing(verdict, window, rules.headers(verdict, window))
    if verdict.outcome is Outcome.REFUSED:
        raise QuotaReached(standing)
    return standing, quantity


def _note(session: Session, use: Use, standing: Standing, *, now: datetime) -> None:
    verdict, window = standing.verdict, standing.window
    noted(session, use.organization_id, verdict, window=window, now=now)


def _terms(
    session: Session, current: Current, metric: str, *, plans: Plans, now: datetime
) -> tuple[Quota, Window]:
    home = current.subscription.organization_id
    overrides = entitlements.live(session, home, now=now)
    window = Window(current.period.start, current.period.end)
    return quota_of(current, metric, plans=plans, overrides=overrides), window


def quota_of(
    current: Current, metric: str, *, plans: Plans, overrides: Mapping[str, Override]
) -> Quota:
    """Return what holds for a metric of a plan, without limit where it names none."""
    subscription = current.subscription
    plan = offers.sold(
        current.plan,
        status=subscription.status,
        vouched=subscription.trial_converts,
    )
    aggregation = plans.catalog.metrics.get(metric, Aggregation.SUM)
    terms = plan.metrics.get(metric) or MetricTerms(metric, aggregation, None)
    override = overrides.get(metric)
    if override is None:
        return rules.quota(terms)
    return rules.quota(terms, override=override.limit, overridden=True)


def counted(
    session: Session, organization_id: UUID, terms: Quota, *, window: Window
) -> Decimal:
    """Return what the events of the period come to, as the metric is aggregated."""
    return usage.total(
        session,
        organization_id,
        terms.metric,
        aggregation=terms.aggregation,
        start_day=window.start.date(),
        end_day=window.end.date(),
    )


def noted(
    session: Session,
    organization_id: UUID,
    verdict: Verdict,
    *,
    window: Window,
    now: datetime,
) -> None:
    """Write down what an act that passed brings: its time of grace, its alerts."""
    metric = verdict.quota.metric
    if verdict.outcome is Outcome.OVERAGE:
        metrics.OVERAGES.count(metric=metric)
    begins = verdict.grace is not None and verdict.grace.started_at == now
    if (
        verdict.outcome is Outcome.GRACE
        and begins
        and repository.add_grace(session, organization_id, verdict, window=window)
    ):
        metrics.GRACE_PERIODS.count(metric=metric)
    level = Level(metric, verdict.after, verdict.quota.limit)
    alerts.note(
        session, organization_id, level, percents=verdict.crossed, window=window, now=now
    )


def add(session: Session, event: Event, organization_id: UUID, *, plans: Plans) -> Line:
    """Count what has happened already, and begin what follows from it; refuse nothing.

    Args:
        session: Of the count.
        event: What happened; its id makes a second try harmless.
        organization_id: Whose.
        plans: The catalog.

    Raises:
        Unavailable: It could not be written; try the very same event again.
    """
    now = event.occurred_at
    ledger.lock(session, organization_id)
    usage.record(session, organization_id, [event])
    line = look(session, organization_id, event.metric, plans=plans, now=now)
    verdict = rules.verdict(
        line.quota,
        used=max(Decimal(0), line.used - event.quantity),
        reached=line.used,
        grace=line.grace,
        policy=policy(plans),
        now=now,
    )
    noted(session, organization_id, verdict, window=line.window, now=now)
    return replace(line, grace=verdict.grace)


def look(
    session: Session,
    organization_id: UUID,
    metric: str,
    *,
    plans: Plans,
    now: datetime | None = None,
) -> Line:
    """Return how a metric stands that is counted by events; nothing is locked."""
    now = now or clock.instant()
    current = subscriptions.current(
        session, organization_id, plans=plans, now=now, lock=False
    )
    terms, window = _terms(session, current, metric, plans=plans, now=now)
    used = counted(session, organization_id, terms, window=window)
    grace = repository.find_grace(session, organization_id, metric, window=window)
    return Line(terms, used, window, grace=grace)
