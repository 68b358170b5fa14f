"""Closing periods, and what becomes of their invoices.

Local invoices are made in arrears: the fee of a period and the use beyond the plan, when
it is over. A draft gets its number from a sweep, so that organizations whose periods end
at the same moment do not wait for each other.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor, system
from vexxy.billing.entitlements import rules as entitlement_rules
from vexxy.billing.entitlements import service as entitlements
from vexxy.billing.invoices import repository, rules
from vexxy.billing.invoices.errors import InvoiceFinal, InvoiceNotFound
from vexxy.billing.invoices.models import InvoiceRow
from vexxy.billing.invoices.types import Closing, Draft, Invoice, Rated, Status
from vexxy.billing.ledger import service as ledger
from vexxy.billing.usage import service as usage
from vexxy.identity.accounts import service as accounts
from vexxy.kit import clock, ids

# Use is told at most 35 days late, and corrected a while after that.
LATE_DAYS_MAX: Final = 100
FINALIZED_AT_ONCE_MAX: Final = 200
OPENER: Final = system("invoices")


def close_period(
    session: Session, closing: Closing, *, now: datetime | None = None
) -> UUID | None:
    """Make the invoice of a period that is over; return its id, None if nothing is owed.

    Called again for the same subscription and period start it changes nothing and
    returns what it returned first. Use of earlier periods that was told since their
    invoices is a line of this one.

    Args:
        session: Bound to the organization, whose money lock it holds.
        closing: The period.
        now: When it is closed.
    """
    moment = now or clock.instant()
    if not repository.claim(session, closing, now=moment):
        return repository.closed_by(session, closing)
    said = preview(session, closing)
    repository.keep_rated(session, said.rated, now=moment)
    if not said.lines:
        return None
    plan = closing.plan
    row = InvoiceRow(
        id=ids.new_id(),
        organization_id=closing.organization_id,
        subscription_id=closing.subscription_id,
        status=Status.DRAFT.value,
        currency=plan.currency,
        tier=plan.tier,
        plan_version=plan.version,
        plan_name=plan.name or plan.tier,
        billing_interval=closing.billing_interval.value,
        period_start=closing.period_start,
        period_end=closing.period_end,
        total_cents=said.total_cents,
        billed_name=_name(session, closing.organization_id),
        created_at=moment,
    )
    repository.add(session, row, said.lines, organization_id=closing.organization_id)
    repository.note_invoice(session, closing, row.id)
    return row.id


def _name(session: Session, organization_id: UUID) -> str:
    return accounts.find_organization_name(session, organization_id) or ""


def preview(session: Session, closing: Closing) -> Draft:
    """Return what the invoice of a period would say now; nothing is written."""
    plan = entitlement_rules.entitled(
        closing.plan,
        entitlements.live(
            session,
            closing.organization_id,
            now=closing.period_end - timedelta(microseconds=1),
        ),
    )
    earlier = repository.list_rated(
        session,
        closing.organization_id,
        since=closing.usage_end - timedelta(days=LATE_DAYS_MAX),
        currency=plan.currency,
    )
    return rules.draft(
        closing,
        own=[(one, _used(session, one)) for one in rules.spans(closing, plan)],
        earlier=[(one, _used(session, one)) for one in earlier],
    )


def _used(session: Session, rated: Rated) -> Decimal:
    if rated.start_day >= rated.end_day:
        return Decimal(0)
    return usage.total(
        session,
        rated.organization_id,
        rated.metric,
        aggregation=rated.aggregation,
        start_day=rated.start_day,
        end_day=rated.end_day,
    )


def finalize_due(
    session: Session,
    *,
    now: datetime | None = None,
    limit: int = FINALIZED_AT_ONCE_MAX,
) -> list[UUID]:
    """Give drafts their numbers, the oldest first; return which are open now.

    Any number of processes may do this at once: one after the other they give numbers
    without gaps.

    Args:
        session: Of the SYSTEM role.
        now: Drafts made until then.
        limit: How many at most; the rest next time.
    """
    moment = now or clock.instant()
    number = repository.lock_numbers(session)
    drafts = repository.list_drafts(session, before=moment, limit=limit)
    for number_after, row in enumerate(drafts, start=number + 1):
        row.number = number_after
        row.status = Status.OPEN.value
        row.finalized_at = moment
        _record(session, row, OPENER, before=Status.DRAFT, reason="the period is over")
    session.flush()
    return [row.id for row in drafts]


def get(session: Session, organization_id: UUID, invoice_id: UUID) -> Invoice:
    """Return an invoice with its lines.

    Raises:
        InvoiceNotFound: It is not there, or another organization's.
    """
    row = repository.find(session, organization_id, invoice_id)
    if row is None:
        raise InvoiceNotFound(invoice_id)
    return repository.invoice_of(row, repository.list_lines(session, row.id))


def list_invoices(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> tuple[int, Sequence[Invoice]]:
    """Return how many invoices there are and a page of them, newest first, no lines."""
    rows = repository.list_(session, organization_id, limit=limit, offset=offset)
    found = [repository.invoice_of(row) for row in rows]
    return repository.count(session, organization_id), found


def mark(
    session: Session,
    organization_id: UUID,
    invoice_id: UUID,
    *,
    status: Status,
    reason: str,
    actor: Actor,
    now: datetime | None = None,
) -> Invoice:
    """Say that an invoice is paid or void, for an operator; marking it again is fine.

    A void invoice keeps its row and its number, and what it asked for is never asked for
    again, nor given back.

    Raises:
        InvoiceNotFound: It is not there, or another organization's.
        InvoiceFinal: It cannot become that any more, or not yet.
    """
    # What is void is told to whoever closes the next period.
    ledger.lock(session, organization_id)
    row = repository.lock(session, organization_id, invoice_id)
    if row is None:
        raise InvoiceNotFound(invoice_id)
    before = Status(row.status)
    if before is not status:
        if status not in rules.TRANSITIONS[before]:
            raise InvoiceFinal(before, status)
        moment = now or clock.instant()
        row.status = status.value
        row.reason = reason
        if status is Status.PAID:
            row.paid_at = moment
        else:
            row.voided_at = moment
            for line in repository.list_lines(session, row.id):
                if line.metric is not None:
                    repository.note_void(session, row, line)
        session.flush()
        _record(session, row, actor, before=before, reason=reason)
    return get(session, organization_id, invoice_id)


def _record(
    session: Session, row: InvoiceRow, actor: Actor, *, before: Status, reason: str
) -> None:
    verb = {"open": "opened", "paid": "marked_paid", "void": "voided"}[row.status]
    audit.record(
        session,
        Act(
            action=f"invoice.{verb}",
            actor=actor,
            organization_id=row.organization_id,
            resource_type="invoice",
            resource_id=row.id,
            before={"status": before.value},
            after={"status": row.status},
            metadata={
                "number": row.number,
                "total_cents": row.total_cents,
                "currency": row.currency,
                "reason": reason,
            },
        ),
    )
