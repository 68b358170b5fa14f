"""A subscription in one's hands: locked, and every step of it told to who must know.

The organization's money lock is taken first, so nothing else of its money moves between
what is read here and what is written.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid5

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor, system
from vexxy.billing.catalog.service import Plans
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import EventType, Note
from vexxy.billing.subscriptions import repository, wire
from vexxy.billing.subscriptions.models import ItemRow, PeriodRow, StepRow, SubscriptionRow
from vexxy.billing.subscriptions.types import Current, Kind
from vexxy.billing.types import Interval, Plan
from vexxy.kit import ids
from vexxy.notifications import service as notifications
from vexxy.notifications.types import EventType as Told

BY_ITSELF: Final = system("subscriptions")
PLAN_ITEM: Final = "plan"
# What nobody did and nobody has to hear of: it happens to everybody every month.
QUIET: Final = frozenset({Kind.CREATED, Kind.RENEWED})
_EVENTS: Final = {
    Kind.CREATED: EventType.SUBSCRIPTION_CREATED,
    Kind.CANCELED: EventType.SUBSCRIPTION_CANCELED,
}


@dataclass(slots=True)
class Held:
    """A live subscription and its open period, locked.

    Attributes:
        now: When this is done; a step may take effect earlier.
        actor: Whose will it is.
        before: The state that the step in progress began with.
    """

    session: Session
    row: SubscriptionRow
    period: PeriodRow
    plans: Plans
    now: datetime
    actor: Actor = BY_ITSELF
    reason: str = ""
    before: dict[str, Any] | None = field(default=None)

    @property
    def plan(self) -> Plan:
        """The plan, in the version that was subscribed to."""
        row = self.row
        return self.plans.get(self.session, row.tier, row.plan_version, catalog=row.catalog)

    @property
    def interval(self) -> Interval:
        """How often it is paid."""
        return Interval(self.row.billing_interval)

    def current(self) -> Current:
        """Return what decisions stand on."""
        self.session.flush()
        return Current(
            wire.subscription_of(self.row), self.plan, wire.period_of(self.period)
        )

    def begin(self) -> None:
        """Begin a step; what it writes under a key carries its number."""
        self.before = wire.state_of(self.row, self.period)
        self.row.revision += 1


def record(held: Held, kind: Kind, *, effective_at: datetime) -> None:
    """End a step: write it down and tell those who must know, in its transaction."""
    row, session = held.row, held.session
    row.updated_at = held.now
    after = wire.state_of(row, held.period)
    session.flush()
    session.add(
        StepRow(
            id=ids.new_id(),
            organization_id=row.organization_id,
            subscription_id=row.id,
            revision=row.revision,
            kind=kind.value,
            effective_at=effective_at,
            before_state=held.before,
            after_state=after,
            reason=held.reason,
            created_at=held.now,
        )
    )
    _note(held, kind)
    if kind not in QUIET:
        _audit(held, kind, after)
        _notify(held, kind)
    held.before = None


def _note(held: Held, kind: Kind) -> None:
    if kind is Kind.RENEWED:
        return
    row = held.row
    words = kind.value.replace("_", " ")
    note = Note(
        key=f"subscription:{row.id}:{row.revision}",
        event_type=_EVENTS.get(kind, EventType.SUBSCRIPTION_UPDATED),
        description=f"Subscription {words}: {row.tier}, {row.status}",
    )
    ledger.post_one(held.session, row.organization_id, note, now=held.now)


def _audit(held: Held, kind: Kind, after: dict[str, Any]) -> None:
    row, before = held.row, held.before
    changed = [name for name in after if before is None or before[name] != after[name]]
    audit.record(
        held.session,
        Act(
            action=f"subscription.{kind.value}",
            actor=held.actor,
            organization_id=row.organization_id,
            resource_type="subscription",
            resource_id=row.id,
            before=None if before is None else {name: before[name] for name in changed},
            after={name: after[name] for name in changed},
            metadata={"reason": held.reason} if held.reason else {},
        ),
    )


def _notify(held: Held, kind: Kind) -> None:
    row = held.row
    notifications.notify(
        held.session,
        organization_id=row.organization_id,
        event_type=Told.SUBSCRIPTION_CHANGED.value,
        data={
            "subscription_id": str(row.id),
            "change": kind.value,
            "before": held.before,
            "after": wire.state_of(row, held.period),
        },
        event_id=uuid5(row.id, f"{Told.SUBSCRIPTION_CHANGED.value}:{row.revision}"),
        core=True,
    )


def itemize(held: Held) -> None:
    """Write down what the subscription consists of now; nothing where it is the same."""
    row, session, plan = held.row, held.session, held.plan
    sold = {
        name for name, terms in plan.metrics.items() if terms.overage_unit_price is not None
    }
    wanted = {(name, row.tier, row.plan_version) for name in {PLAN_ITEM, *sold}}
    session.flush()
    for item in repository.list_open_items(session, row.id):
        same = (item.metric, item.tier, item.plan_version)
        if same in wanted:
            wanted.remove(same)
        else:
            item.ended_at = held.now
    # The one before has to be over before its successor may be open.
    session.flush()
    session.add_all(
        ItemRow(
            id=ids.new_id(),
            organization_id=row.organization_id,
            subscription_id=row.id,
            metric=metric,
            tier=tier,
            plan_version=version,
            created_at=held.now,
        )
        for metric, tier, version in sorted(wanted)
    )
