"""An organization whose time passes as a test says, and what must hold at any time."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import service_values
from vexxy.audit.types import system
from vexxy.billing.catalog import service as catalog
from vexxy.billing.catalog.service import Plans
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.checks import service as checks
from vexxy.billing.ledger.types import Hold, Settle
from vexxy.billing.subscriptions import lifecycle, service
from vexxy.billing.subscriptions.models import PeriodRow
from vexxy.billing.subscriptions.rules import periods, proration
from vexxy.billing.subscriptions.types import (
    Current,
    Given,
    Part,
    Quote,
    Wanted,
    When,
)
from vexxy.billing.subscriptions.wire import parts_of
from vexxy.billing.types import Interval
from vexxy.kit.db import Database

TEST = system("test")
SHIPPED = ("vexxy", "agents")


def plans_of(system_database: Database, name: str = "vexxy") -> Plans:
    made = Plans(catalog.load(name))
    with system_database.transaction() as session:
        made.publish(session)
    return made


def at(day: str, hour: int = 12) -> datetime:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)


class Crash(Exception):
    """The process dies before the commit."""


@dataclass
class Life:
    """One organization, and the present."""

    system: Database
    request: Database
    plans: Plans
    organization_id: UUID
    now: datetime
    crashes: bool = False

    @contextmanager
    def bound(self) -> Iterator[Session]:
        """Provide a transaction of the organization; it may die before its commit."""
        with self.request.transaction(self.organization_id) as session:
            yield session
            if self.crashes:
                session.flush()
                raise Crash

    def to(self, day: str, hour: int = 12) -> "Life":
        self.now = at(day, hour)
        return self

    def later(self, **spans: float) -> "Life":
        self.now += timedelta(**spans)
        return self

    def current(self, *, lock: bool = True) -> Current:
        with self.bound() as session:
            return service.current(
                session, self.organization_id, plans=self.plans, now=self.now, lock=lock
            )

    def sweep(self, **options: Any) -> service.Swept:  # noqa: ANN401  passed on
        """Let the sweep of production find and do what is due."""
        return service.roll_over_due(self.system, plans=self.plans, now=self.now, **options)

    def give(self, tier: str, **options: Any) -> Current:  # noqa: ANN401  passed on
        given = Given(tier=tier, reason="a test", **options)
        with self.bound() as session:
            return service.set_plan(
                session,
                self.organization_id,
                given,
                plans=self.plans,
                actor=TEST,
                now=self.now,
            )

    def change(
        self,
        wanted: str | UUID,
        interval: Interval | None = None,
        *,
        paid: bool = False,
        when: When | None = None,
    ) -> Current:
        asked = wanted if isinstance(wanted, UUID) else Wanted(wanted, interval, when)
        with self.bound() as session:
            return service.change(
                session,
                self.organization_id,
                asked,
                plans=self.plans,
                actor=TEST,
                paid=paid,
                now=self.now,
            )

    def preview(
        self, tier: str, interval: Interval | None = None, *, when: When | None = None
    ) -> Quote:
        with self.bound() as session:
            return service.preview(
                session,
                self.organization_id,
                Wanted(tier, interval, when),
                plans=self.plans,
                actor=TEST,
                now=self.now,
            )

    def act(self, name: str, **options: Any) -> Current:  # noqa: ANN401  passed on
        """Cancel, reactivate, pause, resume, payment_failed, payment_received."""
        with self.bound() as session:
            done: Current = getattr(lifecycle, name)(
                session,
                self.organization_id,
                plans=self.plans,
                actor=TEST,
                now=self.now,
                **options,
            )
            return done

    def spend(self, amount: int, key: str) -> None:
        """Hold and settle credits, and count them into the running period."""
        with self.bound() as session:
            found = service.current(
                session, self.organization_id, plans=self.plans, now=self.now
            )
            for one in (
                Hold(
                    key=f"{key}:hold",
                    credits=amount,
                    expires_at=self.now + timedelta(hours=2),
                    unlimited=found.plan.monthly_credits is None,
                ),
                Settle(key=f"{key}:settle", hold_key=f"{key}:hold", credits=amount),
            ):
                ledger.post_one(session, self.organization_id, one, now=self.now)
            service.note_use(session, found.period.id, analyses=1, credits_used=amount)

    def available(self) -> int:
        with self.bound() as session:
            found = ledger.balance(session, self.organization_id, now=self.now)
            return found.available_credits

    def rows(self, query: str) -> list[Mapping[str, Any]]:
        with self.system.transaction() as session:
            found = session.execute(text(query), {"id": self.organization_id})
            return [row._mapping for row in found]

    def periods(self) -> list[Mapping[str, Any]]:
        return self.rows(
            "select * from billing_periods where organization_id = :id"
            " order by period_start"
        )

    def grants(self) -> list[Mapping[str, Any]]:
        return self.rows(
            "select * from billing_events where organization_id = :id"
            " and kind = 'grant' and source = 'plan_allowance' order by sequence"
        )

    def steps(self) -> list[str]:
        found = self.rows(
            "select kind from subscription_history where organization_id = :id"
            " order by created_at, revision"
        )
        return [row["kind"] for row in found]

    def check(self) -> None:
        """What holds after every step, whatever it was."""
        kept = self.periods()
        assert [row for row in kept if row["closed_at"] is None] == kept[-1:]
        for before, after in pairwise(kept):
            assert before["period_end"] == after["period_start"]
        live = self.rows(
            "select * from subscriptions where organization_id = :id"
            " and status not in ('canceled', 'incomplete_expired')"
        )
        assert len(live) == 1
        anchor = live[0]["anchor_at"]
        assert live[0]["current_period_start"] == kept[-1]["period_start"]
        assert live[0]["current_period_end"] == kept[-1]["period_end"]
        assert live[0]["billing_period_start"] <= kept[-1]["period_start"]
        assert live[0]["billing_period_end"] >= kept[-1]["period_end"]
        for row in kept:
            self._check_period(row, anchor)
        self._check_grants(kept)
        self._check_ledger()

    def _check_period(self, row: Mapping[str, Any], anchor: datetime) -> None:
        start, end = row["period_start"], row["period_end"]
        month = periods.months_passed(anchor, start)
        assert (start, end) == (
            periods.boundary(anchor, month),
            periods.boundary(anchor, month + 1),
        )
        assert start == periods.day(start)
        parts = parts_of(PeriodRow(parts=row["parts"]))
        assert sum(proration.days_of(parts, end=end)) == (end - start).days
        for limit, used in (
            ("analysis_limit", "analyses"),
            ("credit_limit", "credits_used"),
        ):
            assert row[limit] == limit_by_days(row, parts, limit=limit, used=used)
        shares = proration.allowance_shares(parts, end=end)
        assert sum(shares) == proration.allowance(parts, end=end)
        most = max(part.credit_limit or 0 for part in parts)
        assert row["granted_credits"] <= most, "more than one allowance in a period"
        assert row["granted_credits"] >= proration.allowance(parts, end=end)

    def invoices(self) -> list[tuple[str, int]]:
        """The first day of every period that was invoiced, and its total."""
        found = self.rows(
            "select period_start, total_cents from billing_invoices"
            " where organization_id = :id order by period_start, created_at"
        )
        return [(f"{row['period_start']:%Y-%m-%d}", row["total_cents"]) for row in found]

    def end(self) -> None:
        """Have no later sweep find the organization."""
        with self.bound() as session:
            service.end(session, self.organization_id, now=self.now)

    def _check_grants(self, kept: list[Mapping[str, Any]]) -> None:
        """Every lot of an allowance is of one period, and each period has its own."""
        named = [key for row in kept for key in row["grant_keys"]]
        grants = {row["key"]: row for row in self.grants()}
        assert sorted(named) == sorted(grants)
        taken: dict[int, int] = {}
        for row in self.rows(
            "select reverses, credits_amount from billing_events"
            " where organization_id = :id and kind = 'revoke'"
        ):
            taken[row["reverses"]] = taken.get(row["reverses"], 0) - row["credits_amount"]
        for row in kept:
            own = [grants[key] for key in row["grant_keys"]]
            assert all(one["expires_at"] == row["period_end"] for one in own)
            total = sum(one["credits"] - taken.get(one["sequence"], 0) for one in own)
            assert total == row["granted_credits"]

    def _check_ledger(self) -> None:
        """The ledger's own check: every row of it, and what is kept beside it."""
        report = checks.check(self.system, self.organization_id, now=self.now)
        assert list(report.differences) == []
        (owned,) = self.rows(
            "select coalesce(sum(credits_amount), 0) as owned,"
            " (select available_credits + held_credits from credit_accounts"
            "   where organization_id = :id) as kept"
            " from billing_events where organization_id = :id"
        )
        assert owned["owned"] == owned["kept"]


def limit_by_days(
    row: Mapping[str, Any], parts: Sequence[Part], *, limit: str, used: str
) -> int | None:
    """Return what a period allows, counted day by day: the formula in other words."""
    if getattr(parts[-1], limit) is None:
        return None
    start, end = row["period_start"].date(), row["period_end"].date()
    days = (end - start).days
    over = sum(getattr(part, used) for part in parts if getattr(part, limit) is None)
    total = 0
    for number in range(days):
        day = start + timedelta(days=number)
        holds = [part for part in parts if part.first_day <= day][-1]
        total += getattr(holds, limit) or 0
    return over + (2 * total + days) // (2 * days)


def a_life(
    system_database: Database,
    request: Database,
    plans: Plans,
    *,
    begins: str = "2027-01-15",
) -> Life:
    organization_id = service_values.an_organization(system_database)
    return Life(system_database, request, plans, organization_id, at(begins))
