"""Invoices in PostgreSQL."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Select, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.billing.invoices.models import ClosingRow, InvoiceRow, ItemRow, RatedRow
from vexxy.billing.invoices.types import Closing, Invoice, Line, LineKind, Rated, Status
from vexxy.billing.types import Aggregation, Interval
from vexxy.kit import ids

# Numbers are given one transaction after another: so they have no gaps.
_NUMBERS = text("select pg_advisory_xact_lock(hashtext('vexxy invoice numbers'))")


def claim(session: Session, closing: Closing, *, now: datetime) -> bool:
    """Note that the period is closed; False where it was before."""
    statement = (
        insert(ClosingRow)
        .values(
            organization_id=closing.organization_id,
            subscription_id=closing.subscription_id,
            period_start=closing.period_start,
            closed_at=now,
        )
        .on_conflict_do_nothing()
        .returning(ClosingRow.period_start)
    )
    return session.execute(statement).first() is not None


def closed_by(session: Session, closing: Closing) -> UUID | None:
    """Return the invoice that closed a period, None where nothing was owed."""
    return session.scalar(
        select(ClosingRow.invoice_id).where(
            ClosingRow.subscription_id == closing.subscription_id,
            ClosingRow.period_start == closing.period_start,
        )
    )


def note_invoice(session: Session, closing: Closing, invoice_id: UUID) -> None:
    """Name the invoice that closed a period."""
    session.execute(
        update(ClosingRow)
        .where(
            ClosingRow.subscription_id == closing.subscription_id,
            ClosingRow.period_start == closing.period_start,
        )
        .values(invoice_id=invoice_id)
    )


def add(
    session: Session, row: InvoiceRow, lines: Sequence[Line], *, organization_id: UUID
) -> None:
    """Store an invoice and its lines."""
    session.add(row)
    session.flush()
    session.add_all(
        ItemRow(
            id=ids.new_id(),
            organization_id=organization_id,
            invoice_id=row.id,
            position=position,
            kind=line.kind.value,
            description=line.description,
            metric=line.metric,
            quantity=line.quantity,
            unit_price=line.unit_price,
            amount_cents=line.amount_cents,
            start_day=line.start_day,
            end_day=line.end_day,
        )
        for position, line in enumerate(lines, start=1)
    )
    session.flush()


def list_rated(
    session: Session, organization_id: UUID, *, since: date, currency: str
) -> list[Rated]:
    """Return what was rated of days after `since`, oldest first.

    Whoever bills it holds the organization's money lock, so no row needs one.
    """
    rows = session.scalars(
        select(RatedRow)
        .where(
            RatedRow.organization_id == organization_id,
            RatedRow.end_day > since,
            RatedRow.currency == currency,
        )
        .order_by(RatedRow.start_day, RatedRow.metric, RatedRow.subscription_id)
    )
    return [_rated(row) for row in rows]


def _rated(row: RatedRow) -> Rated:
    return Rated(
        organization_id=row.organization_id,
        subscription_id=row.subscription_id,
        metric=row.metric,
        start_day=row.start_day,
        end_day=row.end_day,
        aggregation=Aggregation(row.aggregation),
        included=row.included,
        unit_price=row.unit_price,
        currency=row.currency,
        used=row.used,
        billed_cents=row.billed_cents,
        void_cents=row.void_cents,
    )


def keep_rated(session: Session, rated: Iterable[Rated], *, now: datetime) -> None:
    """Store what is known of each span, in place of what was known before."""
    for one in rated:
        session.execute(
            insert(RatedRow)
            .values(
                organization_id=one.organization_id,
                subscription_id=one.subscription_id,
                metric=one.metric,
                start_day=one.start_day,
                end_day=one.end_day,
                aggregation=one.aggregation.value,
                included=one.included,
                unit_price=one.unit_price,
                currency=one.currency,
                used=one.used,
                billed_cents=one.billed_cents,
                updated_at=now,
            )
            .on_conflict_do_update(
                index_elements=["subscription_id", "metric", "start_day"],
                set_={
                    "used": one.used,
                    "billed_cents": one.billed_cents,
                    "updated_at": now,
                },
            )
        )


def note_void(session: Session, row: InvoiceRow, line: Line) -> None:
    """Remember that a line for use is not paid, because its invoice is void."""
    session.execute(
        update(RatedRow)
        .where(
            RatedRow.organization_id == row.organization_id,
            RatedRow.metric == line.metric,
            RatedRow.start_day == line.start_day,
            RatedRow.end_day == line.end_day,
            RatedRow.currency == row.currency,
        )
        .values(void_cents=RatedRow.void_cents + line.amount_cents)
    )


def find(session: Session, organization_id: UUID, invoice_id: UUID) -> InvoiceRow | None:
    """Return an invoice of the organization."""
    return session.scalar(_one(organization_id, invoice_id))


def lock(session: Session, organization_id: UUID, invoice_id: UUID) -> InvoiceRow | None:
    """Return an invoice of the organization, locked until the transaction ends."""
    return session.scalar(
        _one(organization_id, invoice_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def list_(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> Sequence[InvoiceRow]:
    """Return invoices, newest period first."""
    return session.scalars(
        select(InvoiceRow)
        .where(InvoiceRow.organization_id == organization_id)
        .order_by(InvoiceRow.period_start.desc(), InvoiceRow.id)
        .limit(limit)
        .offset(offset)
    ).all()


def count(session: Session, organization_id: UUID) -> int:
    """Return how many invoices the organization has."""
    statement = select(func.count()).where(InvoiceRow.organization_id == organization_id)
    return session.scalar(statement.select_from(InvoiceRow)) or 0


def list_lines(session: Session, invoice_id: UUID) -> tuple[Line, ...]:
    """Return the lines of an invoice, in order."""
    rows = session.scalars(
        select(ItemRow).where(ItemRow.invoice_id == invoice_id).order_by(ItemRow.position)
    )
    return tuple(_line(row) for row in rows)


def lock_numbers(session: Session) -> int:
    """Return the number of the invoice that was opened last, 0 for none.

    Whoever asks is the only one who may give numbers until the transaction ends.
    """
    session.execute(_NUMBERS)
    # In a statement of its own: it sees what was committed while the lock was waited for.
    return session.scalar(select(func.coalesce(func.max(InvoiceRow.number), 0))) or 0


def list_drafts(session: Session, *, before: datetime, limit: int) -> Sequence[InvoiceRow]:
    """Return invoices without a number that were made before an instant, oldest first."""
    return session.scalars(
        select(InvoiceRow)
        .where(InvoiceRow.status == Status.DRAFT.value, InvoiceRow.created_at <= before)
        .order_by(InvoiceRow.created_at, InvoiceRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()


def invoice_of(row: InvoiceRow, lines: tuple[Line, ...] = ()) -> Invoice:
    """Return the invoice that a row and its lines are."""
    return Invoice(
        id=row.id,
        organization_id=row.organization_id,
        subscription_id=row.subscription_id,
        number=row.number,
        status=Status(row.status),
        currency=row.currency,
        tier=row.tier,
        plan_version=row.plan_version,
        plan_name=row.plan_name,
        billing_interval=Interval(row.billing_interval),
        period_start=row.period_start,
        period_end=row.period_end,
        total_cents=row.total_cents,
        billed_name=row.billed_name,
        created_at=row.created_at,
        finalized_at=row.finalized_at,
        paid_at=row.paid_at,
        voided_at=row.voided_at,
        reason=row.reason,
        stripe_invoice_id=row.stripe_invoice_id,
        lines=lines,
    )


def _one(organization_id: UUID, invoice_id: UUID) -> Select[InvoiceRow]:
    return select(InvoiceRow).where(
        InvoiceRow.organization_id == organization_id, InvoiceRow.id == invoice_id
    )


def _line(row: ItemRow) -> Line:
    return Line(
        kind=LineKind(row.kind),
        description=row.description,
        amount_cents=row.amount_cents,
        start_day=row.start_day,
        end_day=row.end_day,
        metric=row.metric,
        quantity=row.quantity,
        unit_price=row.unit_price,
    )
