"""`/billing/invoices` over a whole service."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from pypdf import PdfReader
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from vexxy.billing.invoices import service as invoices
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.usage import service as usage
from vexxy.billing.usage.types import Event
from vexxy.bootstrap import Service

V1 = "/api/v1"
WHY = {"reason": "bank transfer of May 3"}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(
        database_url,
        billing_catalog="agents",
        default_tier="standard",
        billing_seller="Example Ltd | 1 Some Street",
    ) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture
def mine(service: Service) -> Member:
    return running.a_member(service)


@pytest.fixture(scope="module")
def operator(service: Service) -> Member:
    return running.a_member(service, is_admin=True)


def use(service: Service, member: Member, quantity: int) -> None:
    event = Event(str(uuid4()), "llm_tokens", Decimal(quantity), datetime.now(UTC))
    with service.request.transaction(member.organization_id) as session:
        usage.record(session, member.organization_id, [event])


def closed(service: Service, member: Member, *, fee_cents: int = 9900) -> UUID:
    """Close the running period now, as a rollover will at its end."""
    home = member.organization_id
    with service.request.transaction(home) as session:
        closing = subscriptions.upcoming(session, home, plans=service.plans)
        made = invoices.close_period(session, replace(closing, fee_cents=fee_cents))
    assert made is not None
    return made


def opened(service: Service) -> None:
    with service.system.transaction() as session:
        invoices.finalize_due(session)


def test_what_is_upcoming_grows_with_use(
    client: TestClient, service: Service, mine: Member
) -> None:
    use(service, mine, 1_200_000)
    path = f"{V1}/billing/invoices/upcoming"
    first = client.get(path, headers=mine.headers)
    use(service, mine, 1_000_000)
    second = client.get(path, headers=mine.headers).json()

    assert first.status_code == 200, first.text
    said = {line["kind"]: line for line in first.json()["lines"]}
    assert said["usage"]["amount_cents"] == 200
    assert said["usage"]["quantity"] == "200000"
    assert said["usage"]["unit_price"] == "0.00001"
    assert first.json()["total_cents"] == sum(
        line["amount_cents"] for line in first.json()["lines"]
    )
    assert second["total_cents"] == first.json()["total_cents"] + 1000
    listed = client.get(f"{V1}/billing/invoices", headers=mine.headers).json()
    assert listed == {"total": 0, "limit": 50, "offset": 0, "invoices": []}


def test_an_invoice_is_listed_and_shown_with_its_lines(
    client: TestClient, service: Service, mine: Member
) -> None:
    use(service, mine, 2_000_000)
    invoice_id = closed(service, mine)
    opened(service)

    listed = client.get(f"{V1}/billing/invoices", headers=mine.headers).json()
    shown = client.get(f"{V1}/billing/invoices/{invoice_id}", headers=mine.headers).json()

    assert listed["total"] == 1
    assert "lines" not in listed["invoices"][0]
    assert {key: shown[key] for key in listed["invoices"][0]} == listed["invoices"][0]
    assert shown["status"] == "open"
    assert shown["number"].startswith("INV-")
    assert (shown["total_cents"], shown["due_cents"]) == (10_900, 10_900)
    assert [line["amount_cents"] for line in shown["lines"]] == [9900, 1000]
    assert shown["period_start"].endswith("T00:00:00Z")


def test_an_invoice_is_downloaded_as_pdf(
    client: TestClient, service: Service, mine: Member
) -> None:
    path = f"{V1}/billing/invoices/{closed(service, mine)}/pdf"
    draft = client.get(path, headers=mine.headers)
    opened(service)
    answer = client.get(path, headers=mine.headers)

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/pdf"
    assert 'filename="INV-' in answer.headers["content-disposition"]
    assert 'filename="draft-' in draft.headers["content-disposition"]
    assert client.get(path, headers=mine.headers).content == answer.content
    said = PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()
    assert "Example Ltd" in said
    assert "1 Some Street" in said
    assert "USD 99.00" in said


def test_of_another_organization_there_is_no_invoice(
    client: TestClient, service: Service, mine: Member
) -> None:
    theirs = running.a_member(service)
    invoice_id = closed(service, theirs)
    of = f"organization/{theirs.organization_id}/invoices"
    own = f"organization/{mine.organization_id}/invoices"
    for path in (
        f"invoices/{invoice_id}",
        f"invoices/{invoice_id}/pdf",
        of,
        f"{of}/upcoming",
        f"{of}/{invoice_id}",
        f"{of}/{invoice_id}/pdf",
        f"{own}/{invoice_id}",
        f"{own}/{invoice_id}/pdf",
    ):
        answer = client.get(f"{V1}/billing/{path}", headers=mine.headers)
        assert answer.status_code == 404, path
        assert answer.json()["error"] == "RESOURCE_NOT_FOUND"
    for act in ("paid", "void"):
        path = f"{V1}/billing/{of}/{invoice_id}/{act}"
        answer = client.post(path, headers=mine.headers, json=WHY)
        assert answer.status_code == 404


def test_operators_read_and_mark_invoices_of_any_organization(
    client: TestClient, service: Service, mine: Member, operator: Member
) -> None:
    invoice_id = closed(service, mine)
    base = f"{V1}/billing/organization/{mine.organization_id}/invoices"
    early = client.post(f"{base}/{invoice_id}/paid", headers=operator.headers, json=WHY)
    opened(service)

    own = client.post(f"{base}/{invoice_id}/paid", headers=mine.headers, json=WHY)
    bare = client.post(f"{base}/{invoice_id}/paid", headers=operator.headers, json={})
    paid = client.post(f"{base}/{invoice_id}/paid", headers=operator.headers, json=WHY)
    void = client.post(f"{base}/{invoice_id}/void", headers=operator.headers, json=WHY)

    assert early.status_code == 409
    assert own.status_code == 403
    assert bare.status_code == 400
    assert paid.status_code == 200, paid.text
    assert (paid.json()["status"], paid.json()["due_cents"]) == ("paid", 0)
    assert paid.json()["reason"] == WHY["reason"]
    assert void.status_code == 409
    for path in (
        base,
        f"{base}/upcoming",
        f"{base}/{invoice_id}",
        f"{base}/{invoice_id}/pdf",
    ):
        assert client.get(path, headers=operator.headers).status_code == 200
        assert client.get(path, headers=mine.headers).status_code == 200


def test_reading_invoices_takes_the_permission(
    client: TestClient, service: Service, mine: Member
) -> None:
    for role, code in (("analyst", 200), ("viewer", 403)):
        who = running.a_member(service, mine.organization_id, role=role)
        answer = client.get(f"{V1}/billing/invoices", headers=who.headers)
        assert answer.status_code == code, role
    assert client.get(f"{V1}/billing/invoices").status_code == 401
