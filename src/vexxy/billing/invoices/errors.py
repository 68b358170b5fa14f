"""What invoices refuse."""

from uuid import UUID

from vexxy.kit.errors import Conflict, NotFound


class InvoiceNotFound(NotFound):
    """The organization has no such invoice; another one may."""

    def __init__(self, invoice_id: UUID) -> None:
        super().__init__(f"there is no invoice {invoice_id}")


class InvoiceFinal(Conflict):
    """The invoice is where it cannot be changed any more, or not yet."""

    def __init__(self, status: str, wanted: str) -> None:
        super().__init__(
            f"an invoice that is {status} cannot become {wanted}",
            hint="a draft becomes open by itself within minutes"
            if status == "draft"
            else "paid and void are final",
            kept="the invoice as it was",
        )
