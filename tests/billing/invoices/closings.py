"""Organizations on the second catalog, whose periods tests close."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import text

from tests import service_values
from vexxy.billing.catalog import service as catalog
from vexxy.billing.catalog.service import Plans
from vexxy.billing.invoices import service
from vexxy.billing.invoices.types import Closing, Invoice
from vexxy.billing.ledger import service as ledger
from vexxy.billing.types import Interval, Plan
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Event
from vexxy.kit.db import Database

SUBSCRIPTION = """
insert into subscriptions (id, organization_id, catalog, tier, plan_version, status,
  anchor_at, current_period_start, current_period_end, billing_period_start,
  billing_period_end)
values (:id, :home, 'agents', 'standard', 1, 'active', '2026-01-31', '2026-01-31',
  '2026-02-28', '2026-01-31', '2026-02-28')
"""
JANUARY = Closing(
    organization_id=UUID(int=0),
    subscription_id=UUID(int=0),
    plan=catalog.load("agents").plans["standard"],
    billing_interval=Interval.MONTH,
    period_start=datetime(2026, 1, 31, tzinfo=UTC),
    period_end=datetime(2026, 2, 28, tzinfo=UTC),
    usage_start=date(2026, 1, 31),
    usage_end=date(2026, 2, 28),
    fee_cents=9900,
)
FEBRUARY = replace(
    JANUARY,
    period_start=datetime(2026, 2, 28, tzinfo=UTC),
    period_end=datetime(2026, 3, 31, tzinfo=UTC),
    usage_start=date(2026, 2, 28),
    usage_end=date(2026, 3, 31),
)
MARCH = replace(
    JANUARY,
    period_start=datetime(2026, 3, 31, tzinfo=UTC),
    period_end=datetime(2026, 4, 30, tzinfo=UTC),
    usage_start=date(2026, 3, 31),
    usage_end=date(2026, 4, 30),
)


@dataclass
class Customer:
    """An organization with a subscription to `standard` of the second catalog."""

    system: Database
    request: Database
    organization_id: UUID
    subscription_id: UUID

    def use(self, quantities: Mapping[str, str | int], *, day: str) -> None:
        """Tell use of metrics at noon of a day."""
        at = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
        events = [
            Event(str(uuid4()), metric, Decimal(quantity), at)
            for metric, quantity in quantities.items()
        ]
        with self.request.transaction(self.organization_id) as session:
            usage.record(session, self.organization_id, events)

    def closing(self, closing: Closing, *, plan: Plan | None = None) -> Closing:
        return replace(
            closing,
            organization_id=self.organization_id,
            subscription_id=self.subscription_id,
            plan=plan or closing.plan,
        )

    def close(self, closing: Closing, *, plan: Plan | None = None) -> Invoice | None:
        """Close a period as a rollover does: under the money lock."""
        own = self.closing(closing, plan=plan)
        with self.request.transaction(self.organization_id) as session:
            ledger.lock(session, self.organization_id)
            moment = own.period_end + timedelta(seconds=5)
            invoice_id = service.close_period(session, own, now=moment)
            if invoice_id is None:
                return None
            return service.get(session, self.organization_id, invoice_id)

    def invoice(self, closing: Closing, *, plan: Plan | None = None) -> Invoice:
        found = self.close(closing, plan=plan)
        assert found is not None
        return found


def a_customer(system: Database, request: Database, *, name: str = "Example") -> Customer:
    organization_id = service_values.an_organization(system, name=name)
    subscription_id = uuid4()
    with system.transaction() as session:
        Plans(catalog.load("agents")).publish(session)
        values = {"id": subscription_id, "home": organization_id}
        session.execute(text(SUBSCRIPTION), values)
    return Customer(system, request, organization_id, subscription_id)
