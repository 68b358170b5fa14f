"""Months of credits and invoices, on a real PostgreSQL."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import text

from tests import service_values
from tests.billing.invoices import closings
from vexxy.billing.invoices import service as invoices
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import (
    Adjust,
    Grant,
    Hold,
    Refund,
    Release,
    Request,
    Revoke,
    Settle,
    Source,
)
from vexxy.billing.reports import service
from vexxy.billing.reports.types import Credits, Invoiced
from vexxy.kit.db import Database

JANUARY = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, 0, 0, tzinfo=UTC)
MARCH = datetime(2026, 3, 15, tzinfo=UTC)


def post(system: Database, home: UUID, now: datetime, *requests: Request) -> None:
    with system.transaction() as session:
        for request in requests:
            ledger.post_one(session, home, request, now=now)


def an_analysis(key: str, credits: int, *, now: datetime, **more: bool) -> list[Request]:  # noqa: A002
    hold = Hold(
        key=f"{key}:hold",
        credits=30,
        expires_at=now + timedelta(days=1),
        analysis_job_id=uuid4(),
        **more,
    )
    return [hold, Settle(key=f"{key}:settle", hold_key=hold.key, credits=credits)]


def a_history(system: Database, home: UUID) -> None:
    """Post all kinds, two of them at the end of one month and the start of the next."""
    allowance = Grant(
        key="a", credits=100, source=Source.PLAN_ALLOWANCE, expires_at=FEBRUARY
    )
    bought = Grant(key="b", credits=500, source=Source.PURCHASE)
    post(system, home, JANUARY, allowance, bought)
    post(system, home, JANUARY, *an_analysis("one", 18, now=JANUARY))
    # What is left of the allowance is lost first.
    post(system, home, FEBRUARY, *an_analysis("two", 20, now=FEBRUARY))
    post(system, home, MARCH, Refund(key="r", charge_key="two:settle", credits=5))
    post(system, home, MARCH, Adjust(key="c", credits=-7, description="x"))
    post(system, home, MARCH, Revoke(key="v", grant_key="b", credits=50))
    held = Hold(key="h", credits=40, expires_at=MARCH + timedelta(days=1))
    post(system, home, MARCH, held)
    post(system, home, MARCH, Release(key="w", hold_key="h"))
    post(system, home, MARCH, *an_analysis("three", 22, now=MARCH, unlimited=True))


def test_each_month_says_what_became_of_each_source(db_system: Database) -> None:
    home = service_values.an_organization(db_system)
    a_history(db_system, home)

    report = service.make(db_system, home)

    assert report.differences == ()
    assert [(month.first_day, month.analyses) for month in report.months] == [
        (date(2026, 1, 1), 1),
        (date(2026, 2, 1), 1),
        (date(2026, 3, 1), 1),
    ]
    nothing = {
        "granted": 0,
        "revoked": 0,
        "spent": 0,
        "refunded": 0,
        "expired": 0,
        "adjusted": 0,
        "outstanding": 0,
    }

    def line(source: str, **columns: int) -> Credits:
        return Credits(source=source, **{**nothing, **columns})

    january, february, march = (month.credits for month in report.months)
    assert january == (
        line("plan_allowance", granted=100, spent=18, outstanding=82),
        line("purchase", granted=500, outstanding=500),
    )
    assert february == (
        line("plan_allowance", expired=82),
        line("purchase", spent=20, outstanding=480),
    )
    assert march == (
        line("purchase", refunded=5, adjusted=-7, revoked=50, outstanding=428),
        line("unlimited", spent=22),
    )


def test_the_whole_is_the_sum_of_the_organizations(db_system: Database) -> None:
    homes = [service_values.an_organization(db_system) for _ in range(3)]
    before = {month.first_day: month.analyses for month in service.make(db_system).months}
    for home in homes:
        a_history(db_system, home)
    whole = service.make(db_system)
    assert whole.differences == ()
    for month in whole.months:
        assert month.analyses == before.get(month.first_day, 0) + 3


def test_a_projection_that_drifted_is_named(db_system: Database) -> None:
    home = service_values.an_organization(db_system)
    a_history(db_system, home)
    with db_system.transaction() as session:
        session.execute(
            text(
                "update credit_lots set available_credits = available_credits - 1"
                " where organization_id = :home and source = 'purchase'"
            ),
            {"home": home},
        )
    assert service.make(db_system, home).differences == (
        "credits left of lots (purchase): 428 by months, 427 by the ledger's totals",
    )


def test_invoices_are_summed_by_where_they_stand(
    db_system: Database, db_request: Database
) -> None:
    customer = closings.a_customer(db_system, db_request)
    customer.use({"llm_tokens": 2_000_000}, day="2026-02-01")
    first = customer.invoice(closings.JANUARY)
    customer.use({"llm_tokens": 3_000_000}, day="2026-03-01")
    second = customer.invoice(closings.FEBRUARY)
    with db_system.transaction() as session:
        invoices.finalize_due(session)
    with db_request.transaction(customer.organization_id) as session:
        for invoice, status in (
            (first, invoices.Status.PAID),
            (second, invoices.Status.VOID),
        ):
            invoices.mark(
                session,
                customer.organization_id,
                invoice.id,
                status=status,
                reason="a test",
                actor=invoices.OPENER,
            )

    report = service.make(db_system, customer.organization_id)

    assert report.differences == ()
    assert [month.invoices for month in report.months] == [
        (
            Invoiced(
                currency="usd",
                invoices=1,
                total_cents=10_900,
                paid_cents=10_900,
                open_cents=0,
                void_cents=0,
                usage_cents=1000,
            ),
        ),
        (
            Invoiced(
                currency="usd",
                invoices=1,
                total_cents=11_900,
                paid_cents=0,
                open_cents=0,
                void_cents=11_900,
                usage_cents=0,
            ),
        ),
    ]
