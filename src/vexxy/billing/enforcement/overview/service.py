"""Show every metric beside its quota, and have the organization told of what it reached.

What is counted elsewhere (analyses and credits by their admissions, events as they are
reported) is looked at by a job of the organization, `usage_watch`; whoever counts has it
run by `watch`, or notes the period in its own transaction by `note_period`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.catalog.service import Plans
from vexxy.billing.enforcement import repository, rules, service
from vexxy.billing.enforcement.alerts import service as alerts
from vexxy.billing.enforcement.ports import Gauges
from vexxy.billing.enforcement.types import Level, Line, Quota, Sheet, Window
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.entitlements.types import ANALYSES, CREDITS, Override
from vexxy.billing.ledger import service as ledger
from vexxy.billing.quotas import service as quotas
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions.types import Current
from vexxy.billing.types import Aggregation, Cap
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Event
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import clock
from vexxy.kit.db import Database

KIND: Final = "usage_watch"
# Events come in many batches: looked at once for all of them.
WATCH_AFTER: Final = timedelta(seconds=10)
DEADLINE_SECONDS: Final = 60
PAGE: Final = 500


def read(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    gauges: Gauges,
    now: datetime | None = None,
) -> Sheet:
    """Return every metric of the plan; nothing is locked."""
    now = now or clock.instant()
    current = subscriptions.current(
        session, organization_id, plans=plans, now=now, lock=False
    )
    overrides = entitlements.live(session, organization_id, now=now)
    lines = list(_period_lines(session, organization_id, plans=plans, now=now))
    window = Window(current.period.start, current.period.end)
    terms = _quotas(current, plans=plans, overrides=overrides)
    graces = repository.list_graces(
        session, organization_id, [one.metric for one in terms], window=window
    )
    for one in terms:
        peak = service.counted(session, organization_id, one, window=window)
        gauge = gauges.get(one.metric)
        used = peak if gauge is None else gauge(session, organization_id)
        billed = used if gauge is None else max(peak, used)
        beyond = Decimal(0) if one.limit is None else max(Decimal(0), billed - one.limit)
        line = Line(
            quota=one,
            used=used,
            window=window,
            peak=None if gauge is None else billed,
            grace=graces.get(one.metric),
            overage=beyond,
        )
        lines.append(line)
    return Sheet(organization_id, current.plan.tier, window, plans.catalog.currency, lines)


def _quotas(
    current: Current, *, plans: Plans, overrides: Mapping[str, Override]
) -> list[Quota]:
    names = dict.fromkeys([*plans.catalog.metrics, *current.plan.metrics])
    return [
        service.quota_of(current, name, plans=plans, overrides=overrides) for name in names
    ]


def _period_lines(
    session: Session, organization_id: UUID, *, plans: Plans, now: datetime
) -> Iterator[Line]:
    """Return the lines of analyses and credits, which admissions hold to their quotas."""
    found = quotas.overview(session, organization_id, plans=plans, now=now)
    window = Window(found.period_start, found.period_end)
    for metric, used, limit in (
        (ANALYSES, found.analyses, found.analysis_limit),
        (CREDITS, found.credits_used, found.credit_limit),
    ):
        share = None if limit is None else Decimal(limit)
        yield Line(Quota(metric, Aggregation.SUM, share, Cap.HARD), Decimal(used), window)


def note_period(
    session: Session, organization_id: UUID, *, plans: Plans, now: datetime | None = None
) -> int:
    """Have an organization told of its analyses and credits; return how many alerts."""
    now = now or clock.instant()
    noted = 0
    for line in _period_lines(session, organization_id, plans=plans, now=now):
        level = Level(line.quota.metric, line.used, line.quota.limit)
        noted += note_level(
            session, organization_id, level, plans=plans, window=line.window, now=now
        )
    return noted


def note_level(
    session: Session,
    organization_id: UUID,
    level: Level,
    *,
    plans: Plans,
    window: Window,
    now: datetime | None = None,
) -> int:
    """Have an organization told of the percentages that a level reaches; return how many.

    Each is told once a metric and period, whoever notes it how often.
    """
    if level.limit is None:
        return 0
    crossed = rules.percents(level.used, level.limit, plans.catalog.alert_percents)
    return alerts.note(
        session,
        organization_id,
        level,
        percents=crossed,
        window=window,
        now=now or clock.instant(),
    )


def watch(session: Session, organization_id: UUID, *, now: datetime | None = None) -> None:
    """Have a job look at the organization's metrics soon; asked often, it looks once."""
    new = NewJob(
        kind=KIND,
        organization_id=organization_id,
        payload={},
        key=f"{KIND}:{organization_id}",
        run_at=(now or clock.instant()) + WATCH_AFTER,
        deadline_seconds=DEADLINE_SECONDS,
    )
    jobs.enqueue(session, new)


def look_over(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    gauges: Gauges,
    now: datetime | None = None,
) -> None:
    """Begin what follows from what was counted already: times of grace, and alerts."""
    now = now or clock.instant()
    ledger.lock(session, organization_id)
    sheet = read(session, organization_id, plans=plans, gauges=gauges, now=now)
    for line in sheet.lines:
        verdict = rules.verdict(
            line.quota,
            used=Decimal(0),
            reached=line.used,
            grace=line.grace,
            policy=service.policy(plans),
            now=now,
        )
        # Of a refusal nothing begins, but it happened already, so it is told.
        service.noted(session, organization_id, verdict, window=line.window, now=now)


def record_levels(
    session: Session,
    organization_id: UUID,
    *,
    plans: Plans,
    gauges: Gauges,
    now: datetime,
) -> None:
    """Count today's levels, such as active users, once a day; then see what follows.

    Raised levels are counted as they are raised, so the most of a day is what is billed,
    as long as a day begins with what there is.
    """
    ledger.lock(session, organization_id)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    events = [
        Event(
            f"{service.RESERVED}{metric}:{day.date()}",
            metric,
            gauge(session, organization_id).quantize(service.SMALLEST, ROUND_DOWN),
            day,
        )
        for metric, gauge in gauges.items()
        if metric in plans.catalog.metrics
    ]
    usage.record(session, organization_id, events)
    look_over(session, organization_id, plans=plans, gauges=gauges, now=now)


def each_organization(system: Database) -> Iterator[UUID]:
    """Yield every organization that was not erased; no transaction stays open for it."""
    after = UUID(int=0)
    while True:
        with system.transaction() as session:
            page = repository.list_organizations(session, after=after, limit=PAGE)
        if not page:
            return
        yield from page
        after = page[-1]
