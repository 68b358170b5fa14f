"""An invoice on paper: A4, one font, as many pages as its lines need."""

import io
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Final

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from vexxy.billing.invoices import rules
from vexxy.billing.invoices.types import Invoice, Line, Status

FONT: Final = "DejaVuSans"
WIDTH, HEIGHT = A4
LEFT: Final = 20 * mm
RIGHT: Final = WIDTH - 20 * mm
BOTTOM: Final = 25 * mm
ROW: Final = 7 * mm
QUANTITY_AT: Final = RIGHT - 62 * mm
PRICE_AT: Final = RIGHT - 32 * mm
WORDS_WIDTH: Final = QUANTITY_AT - LEFT - 24 * mm
SELLER_LINES_MAX: Final = 6
# Sizes in points.
TITLE: Final = 20
TEXT: Final = 9
SMALL: Final = 7
STATUS_WORDS: Final = {
    Status.DRAFT: "Draft, without a number yet",
    Status.OPEN: "To be paid",
    Status.PAID: "Paid",
    Status.VOID: "Void: nothing is to be paid",
}


def draw(invoice: Invoice, *, seller: Sequence[str] = ()) -> bytes:
    """Return the invoice as PDF; the same bytes for the same invoice.

    Characters that the font lacks (it has Latin, Greek, Cyrillic and more, no Chinese,
    Japanese or Korean) are drawn as empty boxes.

    Args:
        invoice: With its lines.
        seller: Lines that say who asks for the money.
    """
    if FONT not in pdfmetrics.getRegisteredFontNames():
        file = resources.files("vexxy.integrations.invoice_pdf") / "fonts"
        with resources.as_file(file / f"{FONT}.ttf") as path:
            pdfmetrics.registerFont(TTFont(FONT, str(path)))
    target = io.BytesIO()
    # Invariant: no instant of drawing and no random id is in the file.
    canvas = Canvas(target, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(_printable(f"Invoice {rules.number_text(invoice.number) or 'draft'}"))
    canvas.setAuthor(_printable(seller[0] if seller else "VEXxy Enterprise"))
    paper = _Paper(canvas)
    paper.head(invoice, [line for line in seller if line][:SELLER_LINES_MAX])
    paper.columns()
    for line in invoice.lines:
        paper.line(line, invoice.currency)
    paper.sums(invoice)
    paper.end()
    canvas.save()
    return target.getvalue()


class _Paper:
    """A canvas that is written from the top down."""

    def __init__(self, canvas: Canvas) -> None:
        self._canvas = canvas
        self._at = HEIGHT - 25 * mm
        self._page = 1

    def head(self, invoice: Invoice, seller: Sequence[str]) -> None:
        """Write who asks whom for what."""
        number = rules.number_text(invoice.number)
        self._write(LEFT, f"Invoice {number}" if number else "Invoice", size=TITLE)
        for text in seller or ["VEXxy Enterprise"]:
            self._write(RIGHT, text, right=True)
            self._down(4.5 * mm)
        self._down(10 * mm)
        facts = [
            ("Billed to", invoice.billed_name),
            ("Organization", str(invoice.organization_id)),
            ("Issued", _day(invoice.finalized_at or invoice.created_at)),
            (
                "Period",
                f"{_day(invoice.period_start)} to before {_day(invoice.period_end)}",
            ),
            ("Plan", f"{invoice.plan_name}, version {invoice.plan_version}"),
            ("Status", STATUS_WORDS[invoice.status]),
        ]
        for word, value in facts:
            self._write(LEFT, word)
            self._write(LEFT + 32 * mm, value, width=RIGHT - LEFT - 32 * mm)
            self._down(5.5 * mm)
        self._down(6 * mm)

    def columns(self) -> None:
        """Write the names of the columns."""
        self._write(LEFT, "Description")
        self._write(QUANTITY_AT, "Quantity", right=True)
        self._write(PRICE_AT, "Unit price", right=True)
        self._write(RIGHT, "Amount", right=True)
        self._rule()

    def line(self, line: Line, currency: str) -> None:
        """Write one line, on a new page where this one is full."""
        words = _wrapped(line.description, WORDS_WIDTH)
        if self._at - ROW - 4 * mm * len(words) < BOTTOM:
            self.end()
            self._canvas.showPage()
            self._page += 1
            self._at = HEIGHT - 25 * mm
            self.columns()
        if line.quantity is not None:
            self._write(QUANTITY_AT, rules.plain(line.quantity), right=True)
        if line.unit_price is not None:
            self._write(PRICE_AT, rules.plain(line.unit_price), right=True)
        self._write(RIGHT, rules.amount_text(line.amount_cents, currency), right=True)
        for text in words:
            self._write(LEFT, text)
            self._down(4 * mm)
        self._write(LEFT, rules.shown_days(line), size=SMALL)
        self._down(ROW)

    def sums(self, invoice: Invoice) -> None:
        """Write what the lines sum to."""
        self._rule()
        for word, cents in (
            ("Total", invoice.total_cents),
            ("To be paid", invoice.due_cents),
        ):
            self._write(PRICE_AT, word, right=True)
            amount = rules.amount_text(cents, invoice.currency)
            self._write(RIGHT, amount, right=True)
            self._down(ROW)

    def end(self) -> None:
        """Write the page's number."""
        self._canvas.setFont(FONT, SMALL)
        self._canvas.drawRightString(RIGHT, 12 * mm, f"page {self._page}")

    def _write(
        self,
        x: float,
        text: str,
        *,
        size: int = TEXT,
        right: bool = False,
        width: float = RIGHT - LEFT,
    ) -> None:
        self._canvas.setFont(FONT, size)
        shown = _cut(_printable(text), width, size=size)
        if right:
            self._canvas.drawRightString(x, self._at, shown)
        else:
            self._canvas.drawString(x, self._at, shown)

    def _down(self, by: float) -> None:
        self._at -= by

    def _rule(self) -> None:
        self._down(2 * mm)
        self._canvas.setLineWidth(0.4)
        self._canvas.line(LEFT, self._at, RIGHT, self._at)
        self._down(6 * mm)


def _day(instant: datetime) -> str:
    return instant.date().isoformat()


def _printable(text: str) -> str:
    """Return the text without what moves or hides characters beside it."""
    return "".join(
        " " if unicodedata.category(character).startswith("C") else character
        for character in text
    )


def _cut(text: str, width: float, *, size: int) -> str:
    if pdfmetrics.stringWidth(text, FONT, size) <= width:
        return text
    while text and pdfmetrics.stringWidth(text + "…", FONT, size) > width:
        text = text[:-1]
    return text + "…"


def _wrapped(text: str, width: float) -> list[str]:
    lines = [""]
    for word in _printable(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if pdfmetrics.stringWidth(longer, FONT, TEXT) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
