"""Credits for work of the organization's own, through the whole service."""

from collections.abc import Iterator

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from tests.billing.spending import spenders
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Kind
from vexxy.bootstrap import Service

HOLDS = "/api/v1/billing/holds"


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return running.a_member(service)


def post(client: TestClient, member: Member, path: str, **body: object) -> Response:
    return client.post(HOLDS + path, json=body or None, headers=member.headers)


def balance(client: TestClient, member: Member) -> tuple[int, int]:
    body = client.get("/api/v1/billing/credits", headers=member.headers).json()
    return body["credit_balance"], body["held_credits"]


def test_credits_are_held_charged_and_released(
    service: Service, client: TestClient, member: Member
) -> None:
    held = post(client, member, "", key="scan-1", credits=30, expires_in_seconds=600)
    assert held.status_code == 201, held.text
    body = held.json()
    assert (body["key"], body["state"], body["credits"]) == ("scan-1", "held", 30)
    assert body["charged_credits"] is body["ended_at"] is None
    # The free plan's month is 100 credits.
    assert balance(client, member) == (70, 30)

    settled = post(client, member, "/scan-1/settle", credits=12)
    assert settled.status_code == 200, settled.text
    assert (settled.json()["state"], settled.json()["charged_credits"]) == ("settled", 12)
    assert balance(client, member) == (88, 0)
    read = client.get(f"{HOLDS}/scan-1", headers=member.headers)
    assert read.json() == settled.json()

    post(client, member, "", key="scan-2", credits=8)
    assert balance(client, member) == (80, 8)
    voided = post(client, member, "/scan-2/void")
    assert voided.json()["state"] == "voided"
    assert balance(client, member) == (88, 0)
    shown = client.get("/api/v1/billing/events", headers=member.headers).json()
    assert shown[0]["credits_amount"] == -12
    assert shown[0]["balance_after"] == 88
    spenders.record(service.system, member.organization_id)


def test_asking_again_is_answered_as_before(client: TestClient, member: Member) -> None:
    first = post(client, member, "", key="again", credits=30)
    second = post(client, member, "", key="again", credits=30, expires_in_seconds=90)
    assert second.status_code == 201
    assert second.json() == first.json()
    assert post(client, member, "", key="again", credits=31).status_code == 409
    settled = post(client, member, "/again/settle", credits=20)
    assert post(client, member, "/again/settle", credits=20).json() == settled.json()
    assert post(client, member, "", key="again", credits=30).json() == settled.json()
    for path, body in (("/again/settle", {"credits": 21}), ("/again/void", {})):
        refused = post(client, member, path, **body)
        assert refused.status_code == 409
        assert "'again' is over: settled" in refused.json()["message"]
    assert balance(client, member) == (80, 0)


def test_what_was_promised_to_one_request_is_kept_under_its_idempotency_key(
    client: TestClient, member: Member
) -> None:
    headers = {**member.headers, "Idempotency-Key": "one-act"}
    body = {"key": "kept", "credits": 10}
    first = client.post(HOLDS, json=body, headers=headers)
    again = client.post(HOLDS, json=body, headers=headers)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert balance(client, member) == (90, 10)


def test_more_than_there_is_is_refused_with_the_figures(
    client: TestClient, member: Member
) -> None:
    post(client, member, "", key="much", credits=90)
    refused = post(client, member, "", key="more", credits=11)
    assert refused.status_code == 429
    body = refused.json()
    assert body["error"] == "QUOTA_EXCEEDED"
    details = {name: body["details"][name] for name in body["details"] if name != "hint"}
    assert details.pop("resets_at").endswith("T00:00:00Z")
    assert details == {
        "quota_type": "credits",
        "required": 11,
        "available": 10,
        "balance": 10,
        "limit": 100,
        "current": 0,
    }
    assert post(client, member, "/much/settle", credits=91).status_code == 409
    assert client.get(f"{HOLDS}/more", headers=member.headers).status_code == 404
    assert balance(client, member) == (10, 90)


def test_a_plan_without_limit_holds_and_records(
    database_url: str, member: Member, service: Service
) -> None:
    with (
        running.a_service(database_url, default_tier="enterprise") as other,
        running.a_client(other) as client,
    ):
        held = post(client, member, "", key="large", credits=1_000_000)
        assert held.json()["unlimited"] is True
        settled = post(client, member, "/large/settle", credits=900_000)
        assert settled.json()["charged_credits"] == 900_000
        assert balance(client, member) == (0, 0)
    kinds = [row.kind for row in spenders.record(service.system, member.organization_id)]
    assert kinds == [Kind.HOLD, Kind.SETTLE] or kinds[-2:] == [Kind.HOLD, Kind.SETTLE]


def test_what_operators_allow_without_limit_is_held_without_limit(
    service: Service, client: TestClient, member: Member
) -> None:
    operator = running.a_member(service, is_admin=True)
    allowed = client.post(
        f"/api/v1/billing/organization/{member.organization_id}/overrides",
        json={
            "feature": "credits",
            "unlimited": True,
            "reason": "a test of the whole year",
            "expires_at": "2030-01-01T00:00:00Z",
        },
        headers=operator.headers,
    )
    assert allowed.status_code == 201, allowed.text
    held = post(client, member, "", key="large", credits=500)
    assert (held.status_code, held.json().get("unlimited")) == (201, True), held.text
    assert balance(client, member) == (100, 0)


def test_names_that_callers_choose_stay_out_of_the_record(
    service: Service, client: TestClient, member: Member
) -> None:
    words = {"key": "mrs-miller", "credits": 5, "description": "for Mrs Miller"}
    assert post(client, member, "", **words).status_code == 201
    said = repr(spenders.record(service.system, member.organization_id))
    assert "iller" not in said
    log = client.get("/api/v1/billing/audit-log", headers=member.headers).json()
    (act,) = [one for one in log["entries"] if one["action"] == "credits.held"]
    assert act["resource_id"] == "mrs-miller"
    assert act["after_state"]["description"] == "for Mrs Miller"
    assert act["actor_id"] == str(member.user_id)


def test_who_may_not_manage_billing_may_not_spend(
    service: Service, client: TestClient, member: Member
) -> None:
    viewer = running.a_member(service, member.organization_id, role="viewer")
    assert post(client, viewer, "", key="no", credits=1).status_code == 403
    post(client, member, "", key="ours", credits=1)
    assert post(client, viewer, "/ours/void").status_code == 403
    for bad in (
        {"key": "a b"},
        {"credits": 0},
        {"credits": "5"},
        {"expires_in_seconds": 1},
    ):
        body = {"key": "fine", "credits": 1, **bad}
        assert post(client, member, "", **body).status_code == 400
    with service.system.transaction() as session:
        assert ledger.balance(session, member.organization_id).held_credits == 1
