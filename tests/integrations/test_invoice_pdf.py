"""Invoices on paper."""

import io
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from pypdf import PdfReader

from vexxy.billing.invoices.types import Invoice, Line, LineKind, Status
from vexxy.billing.types import Interval
from vexxy.integrations.invoice_pdf import page

FEE = Line(
    kind=LineKind.FEE,
    description="Standard, by the month",
    amount_cents=9900,
    start_day=date(2026, 1, 31),
    end_day=date(2026, 2, 28),
)
USE = Line(
    kind=LineKind.USAGE,
    description="llm_tokens beyond 1000000 included",
    amount_cents=1001,
    start_day=date(2026, 1, 31),
    end_day=date(2026, 2, 28),
    metric="llm_tokens",
    quantity=Decimal("1000500.0000"),
    unit_price=Decimal("0.00001"),
)
INVOICE = Invoice(
    id=UUID(int=1),
    organization_id=UUID(int=2),
    subscription_id=UUID(int=3),
    number=17,
    status=Status.OPEN,
    currency="usd",
    tier="standard",
    plan_version=1,
    plan_name="Standard",
    billing_interval=Interval.MONTH,
    period_start=datetime(2026, 1, 31, tzinfo=UTC),
    period_end=datetime(2026, 2, 28, tzinfo=UTC),
    total_cents=10901,
    billed_name="Müller & Söhne <b>AG</b>",
    created_at=datetime(2026, 2, 28, 0, 0, 7, tzinfo=UTC),
    finalized_at=datetime(2026, 2, 28, 0, 1, tzinfo=UTC),
    lines=(FEE, USE),
)


def text_of(content: bytes) -> str:
    return "\n".join(one.extract_text() for one in PdfReader(io.BytesIO(content)).pages)


def test_it_says_what_the_invoice_says() -> None:
    said = text_of(page.draw(INVOICE, seller=["Example Ltd", "1 Some Street"]))
    for words in (
        "Invoice INV-000017",
        "Example Ltd",
        "1 Some Street",
        "Müller & Söhne <b>AG</b>",
        "Standard, by the month",
        "2026-01-31 to 2026-02-27",
        "1000500",
        "0.00001",
        "USD 99.00",
        "USD 10.01",
        "USD 109.01",
        "To be paid",
        "page 1",
    ):
        assert words in said


def test_the_same_invoice_gives_the_same_bytes_in_any_process() -> None:
    """Goal: a file that can be compared. Method: draw it here twice and elsewhere."""
    first = page.draw(INVOICE)
    program = (
        "import sys; sys.path[:0] = ['.'];"
        "from importlib.util import spec_from_file_location as s, module_from_spec as m;"
        f"spec = s('values', {__file__!r}); it = m(spec); spec.loader.exec_module(it);"
        "sys.stdout.buffer.write(it.page.draw(it.INVOICE))"
    )
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True
    )
    assert page.draw(INVOICE) == first == elsewhere.stdout


def test_its_font_is_in_the_file() -> None:
    fonts = PdfReader(io.BytesIO(page.draw(INVOICE))).pages[0]["/Resources"]["/Font"]
    drawn = [font.get_object() for font in fonts.values()]
    embedded = [font for font in drawn if "DejaVuSans" in font["/BaseFont"]]
    assert embedded
    assert all("/FontFile2" in font["/FontDescriptor"] for font in embedded)


@pytest.mark.parametrize("name", ["Ελληνική Λύση", "Общество", "Žluťoučký kůň", "Łódź Çağ"])
def test_names_of_other_alphabets_are_drawn(name: str) -> None:
    assert name in text_of(page.draw(replace(INVOICE, billed_name=name)))


def test_many_lines_take_many_pages() -> None:
    lines = tuple(replace(USE, metric=f"metric_{n}", amount_cents=n) for n in range(90))
    drawn = page.draw(replace(INVOICE, lines=lines))
    assert len(PdfReader(io.BytesIO(drawn)).pages) > 2
    said = text_of(drawn)
    assert said.count("Unit price") == len(PdfReader(io.BytesIO(drawn)).pages)
    assert all(f"USD 0.{n:02d}" in said for n in range(90))


def test_what_is_too_long_or_unprintable_stays_on_the_page() -> None:
    odd = replace(
        INVOICE,
        billed_name="x" * 5000 + "\x00\u202e",
        lines=(replace(FEE, description="w" * 900),),
    )
    said = text_of(page.draw(odd))
    assert "…" in said
    assert "\u202e" not in said


def test_a_draft_and_a_void_one_say_so() -> None:
    draft = replace(INVOICE, number=None, status=Status.DRAFT, finalized_at=None)
    assert "Draft, without a number yet" in text_of(page.draw(draft))
    void = text_of(page.draw(replace(INVOICE, status=Status.VOID)))
    assert "nothing is to be paid" in void
    assert "USD 0.00" in void
