"""What an organization has and what happened to it, and what operators change."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from tests.billing.ledger.values import a_grant, a_hold, a_settle
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Posted
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.bootstrap import Service
from vexxy.kit import clock

V1 = "/api/v1/billing"


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    # A plan without allowances: what is there is what a test granted.
    with running.a_service(database_url, default_tier="enterprise") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture(scope="module")
def operator(service: Service) -> Member:
    return running.a_member(service, is_admin=True)


@pytest.fixture
def member(service: Service) -> Member:
    """A member of an organization whose subscription began, which is an event."""
    made = running.a_member(service)
    with service.system.transaction() as session:
        subscriptions.current(session, made.organization_id, plans=service.plans)
    return made


def charged(service: Service, member: Member) -> Posted:
    """Grant 100, charge 18 of a hold of 30, leave a hold of 10 open; return the charge."""
    later = clock.instant().replace(year=clock.now().year + 1)
    hold, other = a_hold(30, expires_at=later), a_hold(10, expires_at=later)
    requests = [a_grant(100, expires_at=later), hold, a_settle(hold, 18), other]
    with service.system.transaction() as session:
        answers = ledger.post(session, member.organization_id, requests)
    assert isinstance(answers[2], Posted)
    return answers[2]


def post(
    client: TestClient, operator: Member, path: str, body: dict[str, Any], **headers: str
) -> Response:
    """Post as the operator."""
    sent = operator.headers | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client.post(f"{V1}{path}", json=body, headers=sent)


def test_the_balance_says_what_can_be_spent_and_what_is_held(
    client: TestClient, service: Service, member: Member
) -> None:
    charged(service, member)
    found = client.get(f"{V1}/credits", headers=member.headers).json()
    (lot,) = found.pop("lots")
    assert found == {
        "organization_id": str(member.organization_id),
        "organization_name": "Example",
        "credit_balance": 72,
        "held_credits": 10,
    }
    assert (lot["available_credits"], lot["held_credits"]) == (72, 10)
    assert (lot["granted_credits"], lot["source"]) == (100, "purchase")


def test_events_have_the_contracts_names_newest_first(
    client: TestClient, service: Service, member: Member
) -> None:
    charge = charged(service, member)
    found = client.get(f"{V1}/events", headers=member.headers).json()
    newest, oldest, first = found
    assert (first["event_type"], first["credits_amount"]) == ("subscription_created", 0)
    assert newest == {
        "id": str(charge.id),
        "organization_id": str(member.organization_id),
        "event_type": "analysis_completed",
        "description": "",
        "analysis_job_id": None,
        "credits_amount": -18,
        "balance_after": 82,
        "created_at": newest["created_at"],
    }
    assert (oldest["event_type"], oldest["balance_after"]) == ("credit_purchased", 100)
    page = client.get(f"{V1}/events?limit=1&offset=1", headers=member.headers).json()
    assert page == [oldest]
    for wrong in ("limit=0", "limit=201", "offset=-1"):
        answer = client.get(f"{V1}/events?{wrong}", headers=member.headers)
        assert answer.status_code == 400, answer.text


def test_an_operator_and_the_organization_itself_read_the_same(
    client: TestClient, service: Service, member: Member, *, operator: Member
) -> None:
    charged(service, member)
    for name in ("credits", "events"):
        own = client.get(f"{V1}/{name}", headers=member.headers).json()
        path = f"{V1}/organization/{member.organization_id}/{name}"
        assert client.get(path, headers=member.headers).json() == own
        assert client.get(path, headers=operator.headers).json() == own
        nobody = f"{V1}/organization/{uuid4()}/{name}"
        assert client.get(nobody, headers=operator.headers).status_code == 404


def test_who_may_not_see_billing_is_refused(
    client: TestClient, service: Service, member: Member
) -> None:
    viewer = running.a_member(service, member.organization_id, role="viewer")
    for path in ("credits", "events", f"organization/{member.organization_id}/credits"):
        answer = client.get(f"{V1}/{path}", headers=viewer.headers)
        assert answer.status_code == 403, path


def test_nothing_is_given_without_a_payment(
    client: TestClient, service: Service, member: Member
) -> None:
    """Fault 7: the purchase granted credits to whoever asked."""
    answer = client.post(
        f"{V1}/credits/purchase", json={"credits": 500}, headers=member.headers
    )
    assert answer.status_code == 503
    assert answer.json()["error"] == "SERVICE_UNAVAILABLE"
    assert "payments are off" in answer.json()["message"]
    found = client.get(f"{V1}/credits", headers=member.headers).json()
    assert (found["credit_balance"], found["lots"]) == (0, [])
    (only,) = client.get(f"{V1}/events", headers=member.headers).json()
    assert only["event_type"] == "subscription_created"


@pytest.mark.parametrize("act", ["grants", "adjustments", "refunds"])
def test_only_operators_move_credits_by_hand(
    client: TestClient, service: Service, member: Member, *, act: str
) -> None:
    body = {"credits": 5, "reason": "because", "event_id": str(uuid4())}
    own = f"{V1}/organization/{member.organization_id}/{act}"
    assert client.post(own, json=body, headers=member.headers).status_code == 403
    stranger = running.a_member(service)
    assert client.post(own, json=body, headers=stranger.headers).status_code == 404
    (only,) = client.get(f"{V1}/events", headers=member.headers).json()
    assert only["event_type"] == "subscription_created"


def test_a_grant_an_adjustment_and_a_refund_are_recorded_with_their_reason(
    client: TestClient, service: Service, member: Member, *, operator: Member
) -> None:
    charge = charged(service, member)
    home = f"/organization/{member.organization_id}"
    gift = {"credits": 50, "reason": "an apology", "expires_at": "2031-02-03T00:00:00Z"}
    granted = post(client, operator, f"{home}/grants", gift)
    less = {"credits": -20, "reason": "granted twice"}
    adjusted = post(client, operator, f"{home}/adjustments", less)
    back = {"event_id": str(charge.id), "credits": 8, "reason": "it failed"}
    refunded = post(client, operator, f"{home}/refunds", back)
    rest = {"event_id": str(charge.id), "reason": "all of it"}
    whole = post(client, operator, f"{home}/refunds", rest)
    seen = [
        (answer.status_code, answer.json()["event_type"], answer.json()["credits_amount"])
        for answer in (granted, adjusted, refunded, whole)
    ]
    assert seen == [
        (201, "credit_granted", 50),
        (201, "adjustment", -20),
        (201, "credit_refunded", 8),
        (201, "credit_refunded", 10),
    ]
    assert whole.json()["balance_after"] == 100 + 50 - 20
    with service.system.transaction() as session:
        query = text(
            "select action, actor_id, metadata->>'reason' as reason, resource_id"
            " from billing_audit_log where organization_id = :id order by position"
        )
        acts = session.execute(query, {"id": member.organization_id}).all()
        said = session.scalars(
            text("select description from billing_events where organization_id = :id"),
            {"id": member.organization_id},
        ).all()
    assert [(act.action, act.reason) for act in acts] == [
        ("credits.granted", "an apology"),
        ("credits.adjusted", "granted twice"),
        ("credits.refunded", "it failed"),
        ("credits.refunded", "all of it"),
    ]
    assert {act.actor_id for act in acts} == {str(operator.user_id)}
    assert acts[0].resource_id == granted.json()["id"]
    assert not {"an apology", "granted twice", "it failed"} & set(said)


def test_what_cannot_be_moved_is_refused(
    client: TestClient, service: Service, member: Member, *, operator: Member
) -> None:
    charge = charged(service, member)
    home = f"/organization/{member.organization_id}"
    reason = {"reason": "because"}
    cases: list[tuple[str, dict[str, Any], int]] = [
        ("adjustments", {"credits": -73}, 409),
        ("adjustments", {"credits": 0}, 400),
        ("grants", {"credits": 0}, 400),
        ("grants", {"credits": 10**13}, 400),
        ("refunds", {"event_id": str(charge.id), "credits": 19}, 409),
        ("refunds", {"event_id": str(uuid4())}, 404),
    ]
    for act, body, status in cases:
        answer = post(client, operator, f"{home}/{act}", body | reason)
        assert answer.status_code == status, (act, body, answer.text)
    for act in ("grants", "adjustments", "refunds"):
        without = {"credits": 5, "event_id": str(charge.id)}
        for missing in ({}, {"reason": ""}, {"reason": "  "}):
            answer = post(client, operator, f"{home}/{act}", without | missing)
            assert answer.status_code == 400, (act, missing)


def test_one_idempotency_key_moves_credits_once(
    client: TestClient, service: Service, member: Member, *, operator: Member
) -> None:
    """Also after the kept answer is gone: the ledger knows the key for good."""
    path = f"/organization/{member.organization_id}/grants"
    gift = {"credits": 50, "reason": "an apology"}
    answers = [post(client, operator, path, gift, idempotency_key="once") for _ in range(2)]
    with service.system.transaction() as session:
        session.execute(text("delete from idempotency_keys"))
    answers.append(post(client, operator, path, gift, idempotency_key="once"))
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    with service.system.transaction() as session:
        session.execute(text("delete from idempotency_keys"))
        found = ledger.balance(session, UUID(str(member.organization_id)))
    assert found.available_credits == 50
    other = post(client, operator, path, gift | {"credits": 51}, idempotency_key="once")
    assert other.status_code == 409
