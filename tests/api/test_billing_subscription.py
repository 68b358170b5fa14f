"""Subscriptions over HTTP."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from vexxy.bootstrap import Service

V1 = "/api/v1/billing"
# The contract, section 4.
FIELDS = {
    "id",
    "organization_id",
    "tier",
    "status",
    "monthly_analysis_limit",
    "monthly_credit_limit",
    "current_period_analyses",
    "current_period_credits_used",
    "current_period_start",
    "current_period_end",
    "trial_end",
    "cancel_at_period_end",
    "created_at",
}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture
def owner(service: Service) -> Member:
    return running.a_member(service)


@pytest.fixture(scope="module")
def operator(service: Service) -> Member:
    return running.a_member(service, is_admin=True)


def given(client: TestClient, operator: Member, owner: Member, **body: object) -> None:
    path = f"{V1}/organization/{owner.organization_id}/subscription"
    told = {"reason": "a test", **body}
    answer = client.put(path, json=told, headers=operator.headers)
    assert answer.status_code == 200, answer.text


def test_a_subscription_is_there_from_the_first_question(
    client: TestClient, owner: Member, operator: Member
) -> None:
    answer = client.get(f"{V1}/subscription", headers=owner.headers)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) >= FIELDS
    assert (body["tier"], body["status"]) == ("free", "active")
    assert (body["monthly_analysis_limit"], body["monthly_credit_limit"]) == (10, 100)
    assert body["current_period_start"].endswith("T00:00:00Z")
    for who in (owner, operator):
        path = f"{V1}/organization/{owner.organization_id}/subscription"
        assert client.get(path, headers=who.headers).json() == body


def test_nothing_dearer_is_had_without_payments(client: TestClient, owner: Member) -> None:
    before = client.get(f"{V1}/subscription", headers=owner.headers).json()
    for method in ("POST", "PUT"):
        answer = client.request(
            method, f"{V1}/subscription", json={"tier": "starter"}, headers=owner.headers
        )
        assert answer.status_code == 503
        assert answer.json()["error"] == "SERVICE_UNAVAILABLE"
        assert "payments are off" in answer.json()["message"]
        assert "operator" in answer.json()["details"]["hint"]
    assert client.get(f"{V1}/subscription", headers=owner.headers).json() == before


def test_a_preview_says_what_its_acceptance_does(
    client: TestClient, owner: Member, operator: Member
) -> None:
    """Faults 4.5, no 5: the route called a method that was not there."""
    given(client, operator, owner, tier="professional")
    wanted = {"tier": "starter", "when": "now"}
    answer = client.post(f"{V1}/subscription/preview", json=wanted, headers=owner.headers)
    quote = answer.json()
    assert answer.status_code == 200
    assert quote["amount_due_now_cents"] == 0
    assert -sum(line["amount_cents"] for line in quote["lines"]) == quote["credit_cents"]
    assert quote["analyses"]["month_before"] == 500
    body = {"quote_id": quote["quote_id"]}
    accepted = client.put(f"{V1}/subscription", json=body, headers=owner.headers).json()
    assert accepted["tier"] == "starter"
    assert accepted["period_analysis_limit"] == quote["analyses"]["period_after"]
    assert accepted["billing_fee_cents"] == quote["next_invoice"]["amount_cents"]
    again = client.put(f"{V1}/subscription", json=body, headers=owner.headers)
    assert again.status_code == 409
    assert "accepted already" in again.json()["message"]


def test_a_quote_is_of_one_organization(
    service: Service, client: TestClient, owner: Member, operator: Member
) -> None:
    other = running.a_member(service)
    given(client, operator, other, tier="professional")
    quote = client.post(
        f"{V1}/subscription/preview", json={"tier": "free"}, headers=other.headers
    ).json()["quote_id"]
    answer = client.put(
        f"{V1}/subscription", json={"quote_id": quote}, headers=owner.headers
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"tier": "free", "quote_id": "00000000-0000-4000-8000-000000000007"}, 400),
        ({"quote_id": "00000000-0000-4000-8000-000000000007", "when": "now"}, 400),
        ({"tier": "free", "plan": "free"}, 400),
        ({"tier": "free", "when": "someday"}, 400),
        ({"quote_id": "00000000-0000-4000-8000-000000000007"}, 404),
        ({"tier": "platinum"}, 404),
        ({"tier": "free"}, 409),
    ],
)
def test_a_change_that_cannot_be_is_refused(
    client: TestClient, owner: Member, body: dict[str, str], status: int
) -> None:
    answer = client.put(f"{V1}/subscription", json=body, headers=owner.headers)
    assert answer.status_code == status, answer.text


def test_a_subscription_is_cancelled_reactivated_paused_and_resumed(
    client: TestClient, owner: Member, operator: Member
) -> None:
    given(client, operator, owner, tier="starter")

    def done(method: str, path: str) -> tuple[int, dict[str, object]]:
        answer = client.request(method, f"{V1}/subscription{path}", headers=owner.headers)
        return answer.status_code, answer.json()

    assert done("DELETE", "")[1]["cancel_at_period_end"] is True
    assert done("DELETE", "")[0] == 409
    assert done("POST", "/reactivate")[1]["cancel_at_period_end"] is False
    assert done("POST", "/reactivate")[0] == 409
    assert done("POST", "/pause")[1]["status"] == "paused"
    assert done("POST", "/resume")[1]["status"] == "active"
    status, body = done("DELETE", "?at_period_end=false")
    assert (status, body["tier"], body["status"]) == (200, "free", "active")
    history = client.get(f"{V1}/subscription/history", headers=owner.headers).json()
    assert {step["kind"] for step in history} == {
        "created",
        "changed",
        "cancellation_scheduled",
        "reactivated",
        "paused",
        "resumed",
        "canceled",
    }
    events = client.get(f"{V1}/events", headers=owner.headers).json()
    kinds = [event["event_type"] for event in events]
    assert "subscription_canceled" in kinds
    assert "subscription_updated" in kinds
    assert kinds.count("subscription_created") == 2


def test_a_trial_is_given_and_extended_by_operators_alone(
    client: TestClient, owner: Member, operator: Member
) -> None:
    path = f"{V1}/organization/{owner.organization_id}/subscription"
    wanted = {"tier": "professional", "reason": "a test", "trial_days": 14}
    assert client.put(path, json=wanted, headers=owner.headers).status_code == 403
    given(client, operator, owner, **wanted)
    longer = {"days": 7, "reason": "asked for it"}
    assert (
        client.post(f"{path}/trial", json=longer, headers=owner.headers).status_code == 403
    )
    before = client.get(path, headers=owner.headers).json()
    after = client.post(f"{path}/trial", json=longer, headers=operator.headers).json()
    assert before["status"] == after["status"] == "trialing"
    assert after["trial_end"] > before["trial_end"]
    log = client.get(
        "/api/v1/billing/audit-log?action=subscription.trial_extended",
        headers=owner.headers,
    ).json()
    assert log["entries"][0]["metadata"]["reason"] == "asked for it"
    assert log["entries"][0]["actor_id"] == str(operator.user_id)


def test_without_a_reason_an_operator_changes_nothing(
    client: TestClient, owner: Member, operator: Member
) -> None:
    path = f"{V1}/organization/{owner.organization_id}/subscription"
    answer = client.put(path, json={"tier": "starter"}, headers=operator.headers)
    assert answer.status_code == 400


def test_a_failed_payment_leaves_time_and_then_stops_submissions(
    client: TestClient, owner: Member, operator: Member
) -> None:
    given(client, operator, owner, tier="starter")
    path = f"{V1}/organization/{owner.organization_id}/subscription/payment"
    body = {"outcome": "failed", "reason": "no transfer"}
    found = client.post(path, json=body, headers=operator.headers).json()
    assert found["status"] == "past_due"
    assert found["payment_grace_until"] is not None
    body["outcome"] = "received"
    found = client.post(path, json=body, headers=operator.headers).json()
    assert (found["status"], found["payment_grace_until"]) == ("active", None)
    assert client.post(path, json=body, headers=operator.headers).status_code == 409


@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_only_who_manages_billing_changes_it(
    service: Service, client: TestClient, owner: Member, role: str
) -> None:
    member = running.a_member(service, owner.organization_id, role=role)
    for method, path in (
        ("PUT", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("POST", "/preview"),
        ("POST", "/pause"),
    ):
        answer = client.request(
            method,
            f"{V1}/subscription{path}",
            headers=member.headers,
            **({} if method == "DELETE" else {"json": {"tier": "free"}}),
        )
        assert answer.status_code == 403, (method, path)


def test_base_vexxy_hears_of_a_change(
    service: Service, client: TestClient, owner: Member, operator: Member
) -> None:
    given(client, operator, owner, tier="starter")
    with service.system.transaction() as session:
        bodies = session.scalars(
            text(
                "select body from notification_deliveries where organization_id = :id"
                " and endpoint_id is null and event_type = 'subscription.changed'"
            ),
            {"id": owner.organization_id},
        ).all()
    (body,) = bodies
    assert body["data"]["change"] == "changed"
    assert (body["data"]["before"]["tier"], body["data"]["after"]["tier"]) == (
        "free",
        "starter",
    )
