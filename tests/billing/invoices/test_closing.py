"""Closing periods, on a real PostgreSQL."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.billing.invoices import closings
from tests.billing.invoices.closings import FEBRUARY, JANUARY, MARCH, Customer
from vexxy.audit.types import system
from vexxy.billing.catalog import service as catalog
from vexxy.billing.invoices import rules, service
from vexxy.billing.invoices.errors import InvoiceFinal, InvoiceNotFound
from vexxy.billing.invoices.types import Invoice, LineKind, Status
from vexxy.kit.db import Database

OPERATOR = system("operator")
FREE = catalog.load("agents").plans["free"]


@pytest.fixture
def customer(db_system: Database, db_request: Database) -> Customer:
    return closings.a_customer(db_system, db_request)


@pytest.fixture
def another(db_system: Database, db_request: Database) -> Callable[[], Customer]:
    return lambda: closings.a_customer(db_system, db_request)


def opened(db_system: Database) -> list[UUID]:
    with db_system.transaction() as session:
        return service.finalize_due(session)


def amounts(invoice: Invoice) -> list[tuple[LineKind, str | None, int]]:
    return [(line.kind, line.metric, line.amount_cents) for line in invoice.lines]


def test_an_invoice_has_the_fee_and_what_was_used_beyond_the_plan(
    customer: Customer,
) -> None:
    customer.use({"llm_tokens": 1_500_000, "agent_executions": 5_003}, day="2026-01-31")
    customer.use({"llm_tokens": 500_500, "storage_gb": 90}, day="2026-02-10")
    customer.use({"storage_gb": "130.5", "user_seats": 25}, day="2026-02-27")
    # Of another period.
    customer.use({"llm_tokens": 9_000_000}, day="2026-02-28")

    invoice = customer.invoice(JANUARY)

    assert amounts(invoice) == [
        (LineKind.FEE, None, 9900),
        (LineKind.USAGE, "llm_tokens", 1001),
        (LineKind.USAGE, "agent_executions", 30),
        (LineKind.USAGE, "storage_gb", 1525),
    ]
    assert invoice.total_cents == 9900 + 1001 + 30 + 1525
    assert invoice.lines[1].quantity == Decimal(1_000_500)
    assert invoice.lines[1].unit_price == Decimal("0.00001")
    assert invoice.status is Status.DRAFT
    assert invoice.number is None
    assert invoice.billed_name == "Example"


def test_what_the_plan_includes_costs_nothing_more(customer: Customer) -> None:
    customer.use({"llm_tokens": 1_000_000, "user_seats": 25}, day="2026-02-01")
    assert amounts(customer.invoice(JANUARY)) == [(LineKind.FEE, None, 9900)]


def test_nothing_owed_is_no_invoice(customer: Customer) -> None:
    """A soft cap beyond which nothing is sold is never billed, whatever was used."""
    customer.use({"llm_tokens": 500_000}, day="2026-02-01")
    assert customer.close(replace(JANUARY, fee_cents=0), plan=FREE) is None


def test_a_period_is_invoiced_once(customer: Customer) -> None:
    first = customer.invoice(JANUARY)
    customer.use({"llm_tokens": 5_000_000}, day="2026-02-01")
    assert customer.invoice(replace(JANUARY, fee_cents=1)) == first


def test_nothing_owed_is_said_once_too(customer: Customer) -> None:
    nothing = replace(JANUARY, fee_cents=0)
    assert customer.close(nothing) is None
    customer.use({"llm_tokens": 5_000_000}, day="2026-02-01")
    assert customer.close(nothing) is None


def test_of_closings_at_once_one_counts(customer: Customer) -> None:
    customer.use({"llm_tokens": 2_000_000}, day="2026-02-01")
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: customer.invoice(JANUARY).id, range(8)))
    assert len(set(made)) == 1
    with customer.request.transaction(customer.organization_id) as session:
        total, _ = service.list_invoices(
            session, customer.organization_id, limit=10, offset=0
        )
    assert total == 1


def test_the_database_itself_takes_one_invoice_a_period(customer: Customer) -> None:
    invoice = customer.invoice(JANUARY)
    copied = text(
        "insert into billing_invoices (id, organization_id, subscription_id, status,"
        " currency, tier, plan_version, plan_name, billing_interval, period_start,"
        " period_end, total_cents, billed_name, created_at)"
        " select gen_random_uuid(), organization_id, subscription_id, status, currency,"
        " tier, plan_version, plan_name, billing_interval, period_start, period_end,"
        " total_cents, billed_name, created_at from billing_invoices where id = :id"
    )
    with (
        pytest.raises(DBAPIError, match="uq_billing_invoices_subscription_id"),
        customer.system.transaction() as session,
    ):
        session.execute(copied, {"id": invoice.id})


def test_late_use_is_a_line_of_the_next_invoice(customer: Customer) -> None:
    customer.use({"llm_tokens": 1_000_400}, day="2026-02-01")
    # 400 tokens are 0.4 cents, which is none.
    assert amounts(customer.invoice(JANUARY)) == [(LineKind.FEE, None, 9900)]
    customer.use({"llm_tokens": 400}, day="2026-02-02")

    later = customer.invoice(FEBRUARY)

    # 800 tokens are 0.8 cents, which is one: as if all had been told in time.
    assert amounts(later) == [
        (LineKind.FEE, None, 9900),
        (LineKind.LATE_USAGE, "llm_tokens", 1),
    ]
    line = later.lines[1]
    assert "2026-01-31 to 2026-02-27, told late" in line.description
    assert (line.quantity, line.start_day) == (Decimal(400), JANUARY.usage_start)
    assert amounts(customer.invoice(MARCH)) == [(LineKind.FEE, None, 9900)]


def test_late_use_keeps_the_terms_of_its_own_period(customer: Customer) -> None:
    customer.invoice(JANUARY)
    customer.use({"agent_executions": 5_010}, day="2026-02-01")
    enterprise = catalog.load("agents").plans["enterprise"]
    later = customer.invoice(FEBRUARY, plan=enterprise)
    assert later.lines[-1].unit_price == Decimal("0.10")
    assert later.lines[-1].amount_cents == 100


def corrected(customer: Customer) -> None:
    """Leave the total of a day as a correction of usage does."""
    with customer.system.transaction() as session:
        session.execute(
            text(
                "update billing_usage_daily_totals set quantity_max = 100"
                " where organization_id = :home"
            ),
            {"home": customer.organization_id},
        )


def test_what_was_void_is_not_given_back(db_system: Database, customer: Customer) -> None:
    customer.use({"storage_gb": 120}, day="2026-02-01")
    invoice = customer.invoice(JANUARY)
    assert amounts(invoice)[1] == (LineKind.USAGE, "storage_gb", 1000)
    opened(db_system)
    marked(customer, invoice.id, Status.VOID)
    corrected(customer)
    assert amounts(customer.invoice(FEBRUARY)) == [(LineKind.FEE, None, 9900)]


def test_what_is_paid_of_it_is_given_back(db_system: Database, customer: Customer) -> None:
    """One invoice of two for the same days is void; the other one is paid."""
    customer.use({"storage_gb": 120}, day="2026-02-01")
    first = customer.invoice(JANUARY)
    customer.use({"storage_gb": 150}, day="2026-02-02")
    second = customer.invoice(FEBRUARY)
    assert amounts(second)[1] == (LineKind.LATE_USAGE, "storage_gb", 1500)
    opened(db_system)
    marked(customer, first.id, Status.VOID)
    corrected(customer)
    assert amounts(customer.invoice(MARCH))[1] == (
        LineKind.LATE_USAGE,
        "storage_gb",
        -1500,
    )


def test_a_correction_is_given_back_and_never_below_nothing(customer: Customer) -> None:
    customer.use({"storage_gb": 400}, day="2026-02-01")
    assert customer.invoice(JANUARY).total_cents == 9900 + 15_000
    corrected(customer)

    second, third = customer.invoice(FEBRUARY), customer.invoice(MARCH)

    assert amounts(second)[1] == (LineKind.LATE_USAGE, "storage_gb", -9900)
    assert second.total_cents == 0
    assert amounts(third)[1] == (LineKind.LATE_USAGE, "storage_gb", -5100)
    assert third.total_cents == 9900 - 5100


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    told=st.lists(
        st.tuples(st.integers(0, 27), st.decimals(0, 700_000, places=2), st.integers(0, 2)),
        max_size=8,
    )
)
def test_when_use_is_told_does_not_change_what_it_costs(
    another: Callable[[], Customer], told: list[tuple[int, Decimal, int]]
) -> None:
    """Use of January, told before its invoice, before the next one or the one after."""
    customer = another()
    days = [f"2026-02-{day:02d}" if day else "2026-01-31" for day in range(28)]
    asked = 0
    for when, closing in enumerate((JANUARY, FEBRUARY, MARCH)):
        for day, quantity, moment in told:
            if moment == when:
                customer.use({"llm_tokens": str(quantity)}, day=days[day])
        invoice = customer.invoice(closing)
        assert invoice.total_cents == sum(line.amount_cents for line in invoice.lines)
        asked += invoice.total_cents - closing.fee_cents

    used = sum((quantity for _, quantity, _ in told), Decimal(0))
    terms = JANUARY.plan.metrics["llm_tokens"]
    assert terms.included is not None
    assert terms.overage_unit_price is not None
    assert asked == rules.overage_cents(
        used, included=terms.included, unit_price=terms.overage_unit_price
    )


def numbers(db_system: Database) -> Sequence[int]:
    query = "select number from billing_invoices where number is not null order by 1"
    with db_system.transaction() as session:
        return list(session.scalars(text(query)))


def test_numbers_have_no_gaps_however_many_give_them(
    db_system: Database, another: Callable[[], Customer]
) -> None:
    for _ in range(12):
        another().invoice(JANUARY)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: opened(db_system), range(4)))
    found = numbers(db_system)
    assert len(found) >= 12
    assert list(found) == list(range(1, len(found) + 1))


def marked(customer: Customer, invoice_id: UUID, status: Status) -> Invoice:
    with customer.request.transaction(customer.organization_id) as session:
        return service.mark(
            session,
            customer.organization_id,
            invoice_id,
            status=status,
            reason="as agreed",
            actor=OPERATOR,
        )


def test_a_draft_is_opened_and_then_paid(db_system: Database, customer: Customer) -> None:
    invoice = customer.invoice(JANUARY)
    with pytest.raises(InvoiceFinal, match="draft cannot become paid"):
        marked(customer, invoice.id, Status.PAID)
    assert invoice.id in opened(db_system)

    paid = marked(customer, invoice.id, Status.PAID)

    assert paid.number is not None
    assert paid.finalized_at is not None
    assert paid.paid_at is not None
    assert (paid.due_cents, paid.reason) == (0, "as agreed")
    assert marked(customer, invoice.id, Status.PAID) == paid
    with pytest.raises(InvoiceFinal, match="paid cannot become void"):
        marked(customer, invoice.id, Status.VOID)


def test_a_void_invoice_keeps_its_row_and_its_use_is_not_asked_for_again(
    db_system: Database, customer: Customer
) -> None:
    customer.use({"llm_tokens": 2_000_000}, day="2026-02-01")
    invoice = customer.invoice(JANUARY)
    opened(db_system)
    void = marked(customer, invoice.id, Status.VOID)
    assert (void.status, void.due_cents) == (Status.VOID, 0)
    assert void.number is not None
    assert void.total_cents == invoice.total_cents
    assert customer.invoice(JANUARY).id == invoice.id
    assert amounts(customer.invoice(FEBRUARY)) == [(LineKind.FEE, None, 9900)]


def test_every_change_is_recorded(db_system: Database, customer: Customer) -> None:
    invoice = customer.invoice(JANUARY)
    opened(db_system)
    marked(customer, invoice.id, Status.PAID)
    acts = text(
        "select action, actor_id, metadata ->> 'reason' from billing_audit_log"
        " where resource_id = :id order by position"
    )
    with db_system.transaction() as session:
        found = session.execute(acts, {"id": str(invoice.id)}).all()
    assert [tuple(row) for row in found] == [
        ("invoice.opened", "invoices", "the period is over"),
        ("invoice.marked_paid", "operator", "as agreed"),
    ]


def test_an_invoice_of_another_organization_is_not_found(
    customer: Customer, another: Callable[[], Customer]
) -> None:
    theirs = another().invoice(JANUARY)
    for invoice_id in (theirs.id, uuid4()):
        with (
            pytest.raises(InvoiceNotFound),
            customer.request.transaction(customer.organization_id) as session,
        ):
            service.get(session, customer.organization_id, invoice_id)


@pytest.mark.parametrize(
    "change",
    [
        "update billing_invoices set total_cents = 0",
        "update billing_invoices set period_end = now()",
        "update billing_invoices set billed_name = 'x'",
        "delete from billing_invoices",
        "update billing_invoice_items set amount_cents = 0",
        "delete from billing_invoice_items",
        "delete from billing_closings",
        "update billing_rated_usage set unit_price = 0",
    ],
)
def test_nobody_can_rewrite_what_was_invoiced(customer: Customer, change: str) -> None:
    customer.invoice(JANUARY)
    for database, home in (
        (customer.request, customer.organization_id),
        (customer.system, None),
    ):
        with (
            pytest.raises(DBAPIError, match=r"permission denied|append-only"),
            database.transaction(home) as session,
        ):
            session.execute(text(change))


def test_an_override_counts_for_the_period_that_it_holds_in(
    db_system: Database, customer: Customer
) -> None:
    with db_system.transaction() as session:
        session.execute(
            text(
                "insert into billing_entitlements (id, organization_id, feature,"
                " limit_value, unlimited, reason, created_by, created_at, expires_at)"
                " values (gen_random_uuid(), :home, 'llm_tokens', 3000000, false, 'x',"
                " 'operator', '2026-02-01', '2026-03-15')"
            ),
            {"home": customer.organization_id},
        )
    customer.use({"llm_tokens": 2_900_000}, day="2026-02-05")
    customer.use({"llm_tokens": 2_900_000}, day="2026-03-05")
    assert amounts(customer.invoice(JANUARY)) == [(LineKind.FEE, None, 9900)]
    # Over before the period was.
    assert amounts(customer.invoice(FEBRUARY))[1] == (LineKind.USAGE, "llm_tokens", 1900)


def test_what_is_upcoming_is_what_would_be_invoiced(customer: Customer) -> None:
    customer.use({"llm_tokens": 2_000_000}, day="2026-02-01")
    with customer.request.transaction(customer.organization_id) as session:
        said = service.preview(session, customer.closing(JANUARY))
    invoice = customer.invoice(JANUARY)
    assert said.lines == invoice.lines
    assert said.total_cents == invoice.total_cents
