"""`/billing/invoices`: what is owed, to read for the organization and for operators."""

from datetime import date
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vexxy import bootstrap
from vexxy.api.v1.billing.organization import Named, Of, Operated, Own
from vexxy.billing.catalog import wire
from vexxy.billing.invoices import rules
from vexxy.billing.invoices import service as invoices
from vexxy.billing.invoices.types import Closing, Draft, Invoice, Line, LineKind, Status
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.types import Interval
from vexxy.http import openapi
from vexxy.http.deps import Acting, Adapters
from vexxy.http.downloads import POLICY
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.kit.errors import Conflict, NotFound

router = Router(prefix="/billing", tags=["billing"])

PDF: Final[dict[int | str, dict[str, Any]]] = {
    **openapi.responses(NotFound),
    200: {"content": {"application/pdf": {}}, "description": "A4, its font embedded"},
}
NOT_FOUND: Final = openapi.responses(NotFound)
REFUSED: Final = openapi.responses(NotFound, Conflict)
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


class LineView(BaseModel):
    """One line; `quantity` and `unit_price` are decimals, written as text."""

    kind: LineKind
    description: str
    metric: str | None
    quantity: str | None = Field(description="Units beyond what the plan includes")
    unit_price: str | None = Field(description="In the currency, not in cents")
    amount_cents: int
    start_day: date
    end_day: date = Field(description="The day after the last one, UTC")


class InvoiceView(BaseModel):
    """What is owed for a period."""

    id: UUID
    organization_id: UUID
    subscription_id: UUID
    number: str | None = Field(description="null while it is a draft")
    status: Status
    currency: str
    tier: str
    plan_version: int
    billing_interval: Interval
    period_start: Instant
    period_end: Instant
    total_cents: int
    due_cents: int = Field(description="What is still to be paid")
    billed_name: str
    created_at: Instant
    finalized_at: Instant | None
    paid_at: Instant | None
    voided_at: Instant | None
    reason: str
    stripe_invoice_id: str | None


class InvoiceDetail(InvoiceView):
    """An invoice with its lines; their amounts sum to `total_cents`."""

    lines: list[LineView]


class InvoiceList(BaseModel):
    """A page of invoices, newest period first."""

    total: int
    limit: int
    offset: int
    invoices: list[InvoiceView]


class UpcomingInvoice(BaseModel):
    """What the running period would cost if nothing more was used in it."""

    organization_id: UUID
    subscription_id: UUID
    currency: str
    tier: str
    plan_version: int
    billing_interval: Interval
    period_start: Instant
    period_end: Instant
    total_cents: int
    lines: list[LineView]


class Marking(BaseModel):
    """Why an operator marks an invoice."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "bank transfer of May 3"}]},
    )

    reason: Annotated[
        Text, StringConstraints(min_length=3, max_length=1000, strip_whitespace=True)
    ]


def _line(line: Line) -> LineView:
    return LineView(
        kind=line.kind,
        description=line.description,
        metric=line.metric,
        quantity=wire.plain(line.quantity),
        unit_price=wire.plain(line.unit_price),
        amount_cents=line.amount_cents,
        start_day=line.start_day,
        end_day=line.end_day,
    )


def _fields(invoice: Invoice) -> dict[str, object]:
    kept = {
        name: getattr(invoice, name)
        for name in InvoiceView.model_fields
        if name != "number"
    }
    return {**kept, "number": rules.number_text(invoice.number)}


def _detail(invoice: Invoice) -> InvoiceDetail:
    lines = [_line(line) for line in invoice.lines]
    return InvoiceDetail.model_validate({**_fields(invoice), "lines": lines})


def _list(of: Of, *, limit: int, offset: int) -> InvoiceList:
    total, found = invoices.list_invoices(
        of.session, of.organization_id, limit=limit, offset=offset
    )
    views = [InvoiceView.model_validate(_fields(invoice)) for invoice in found]
    return InvoiceList(total=total, limit=limit, offset=offset, invoices=views)


def _upcoming(of: Of, adapters: Adapters) -> UpcomingInvoice:
    closing: Closing = subscriptions.upcoming(
        of.session, of.organization_id, plans=adapters.plans
    )
    said: Draft = invoices.preview(of.session, closing)
    return UpcomingInvoice(
        organization_id=closing.organization_id,
        subscription_id=closing.subscription_id,
        currency=closing.plan.currency,
        tier=closing.plan.tier,
        plan_version=closing.plan.version,
        billing_interval=closing.billing_interval,
        period_start=closing.period_start,
        period_end=closing.period_end,
        total_cents=said.total_cents,
        lines=[_line(line) for line in said.lines],
    )


def _pdf(of: Of, adapters: Adapters, invoice_id: UUID) -> Response:
    invoice = invoices.get(of.session, of.organization_id, invoice_id)
    name = rules.number_text(invoice.number) or f"draft-{invoice.id}"
    return Response(
        bootstrap.invoice_pdf(adapters.settings, invoice),
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.pdf"',
            "Content-Security-Policy": POLICY,
        },
    )


@router.get("/invoices")
def list_invoices(of: Own, *, limit: Limit = 50, offset: Offset = 0) -> InvoiceList:
    """List the invoices of the caller's organization, newest period first."""
    return _list(of, limit=limit, offset=offset)


@router.get("/invoices/upcoming")
def read_upcoming(of: Own, adapters: Adapters) -> UpcomingInvoice:
    """Return what the running period costs so far, computed now."""
    return _upcoming(of, adapters)


@router.get("/invoices/{invoice_id}", responses=NOT_FOUND)
def read_invoice(invoice_id: UUID, of: Own) -> InvoiceDetail:
    """Return an invoice with its lines."""
    return _detail(invoices.get(of.session, of.organization_id, invoice_id))


@router.get("/invoices/{invoice_id}/pdf", response_class=Response, responses=PDF)
def read_pdf(invoice_id: UUID, of: Own, adapters: Adapters) -> Response:
    """Download an invoice as PDF; the same bytes as long as it says the same."""
    return _pdf(of, adapters, invoice_id)


@router.get("/organization/{org_id}/invoices")
def list_invoices_of(of: Named, *, limit: Limit = 50, offset: Offset = 0) -> InvoiceList:
    """List the invoices of an organization, for itself and for operators."""
    return _list(of, limit=limit, offset=offset)


@router.get("/organization/{org_id}/invoices/upcoming")
def read_upcoming_of(of: Named, adapters: Adapters) -> UpcomingInvoice:
    """Return what an organization's running period costs so far."""
    return _upcoming(of, adapters)


@router.get("/organization/{org_id}/invoices/{invoice_id}", responses=NOT_FOUND)
def read_invoice_of(invoice_id: UUID, of: Named) -> InvoiceDetail:
    """Return an invoice of an organization, for itself and for operators."""
    return _detail(invoices.get(of.session, of.organization_id, invoice_id))


@router.get(
    "/organization/{org_id}/invoices/{invoice_id}/pdf",
    response_class=Response,
    responses=PDF,
)
def read_pdf_of(invoice_id: UUID, of: Named, adapters: Adapters) -> Response:
    """Download an invoice of an organization, for itself and for operators."""
    return _pdf(of, adapters, invoice_id)


@router.post("/organization/{org_id}/invoices/{invoice_id}/paid", responses=REFUSED)
def mark_paid(
    invoice_id: UUID, body: Marking, *, of: Operated, actor: Acting
) -> InvoiceDetail:
    """Say that an open invoice was paid, as an operator; again changes nothing."""
    return _marked(of, invoice_id, status=Status.PAID, reason=body.reason, actor=actor)


@router.post("/organization/{org_id}/invoices/{invoice_id}/void", responses=REFUSED)
def mark_void(
    invoice_id: UUID, body: Marking, *, of: Operated, actor: Acting
) -> InvoiceDetail:
    """Ask no more for what an invoice asked, as an operator; again changes nothing."""
    return _marked(of, invoice_id, status=Status.VOID, reason=body.reason, actor=actor)


def _marked(
    of: Of, invoice_id: UUID, *, status: Status, reason: str, actor: Acting
) -> InvoiceDetail:
    return _detail(
        invoices.mark(
            of.session,
            of.organization_id,
            invoice_id,
            status=status,
            reason=reason,
            actor=actor,
        )
    )
