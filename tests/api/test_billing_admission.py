"""`POST /analysis/submit` and what it costs, as a program meets it."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from tests.api.test_analysis import a_found, complete
from tests.fakes.values import a_verdict
from vexxy.billing.ledger import service as ledger
from vexxy.billing.quotas import service as quotas
from vexxy.bootstrap import Service

BASE = "/api/v1"
WORST = 18  # the standard profile on the free plan: 10 + 3 for watching + 5 for the time
SUBMISSION = {"image_ref": "nginx:1.25"}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Iterator[Member]:
    found = running.a_member(service)
    yield found
    with service.system.transaction() as session:
        assert quotas.check(session, found.organization_id) == []


@pytest.fixture(scope="module")
def operator(service: Service) -> Member:
    return running.a_member(service, is_admin=True)


def submit(client: TestClient, member: Member, **headers: str) -> Response:
    sent = {**member.headers, **headers}
    return client.post(f"{BASE}/analysis/submit", json=SUBMISSION, headers=sent)


def read(client: TestClient, member: Member, path: str) -> Any:  # noqa: ANN401  JSON
    answer = client.get(f"{BASE}/billing{path}", headers=member.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def used(client: TestClient, member: Member) -> tuple[int, int]:
    usage = read(client, member, "/usage")
    return usage["current_period_analyses"], usage["current_period_credits_used"]


def balance(client: TestClient, member: Member) -> tuple[int, int]:
    found = read(client, member, "/credits")
    return found["credit_balance"], found["held_credits"]


def override(
    client: TestClient, operator: Member, member: Member, **values: object
) -> Response:
    body = {
        "reason": "a trial of more",
        "expires_at": "2030-01-01T00:00:00Z",
        **values,
    }
    path = f"{BASE}/billing/organization/{member.organization_id}/overrides"
    return client.post(path, json=body, headers=operator.headers)


def stored(service: Service, member: Member) -> int:
    """Return how many rows a submission left: analyses, jobs, admissions, acts."""
    query = text(
        "select (select count(*) from premium_analysis_jobs where organization_id = :id)"
        " + (select count(*) from jobs where organization_id = :id)"
        " + (select count(*) from quota_admissions where organization_id = :id)"
        " + (select count(*) from billing_events where organization_id = :id)"
        " + (select count(*) from billing_audit_log where organization_id = :id)"
    )
    with service.system.transaction() as session:
        values = {"id": member.organization_id}
        return int(session.execute(query, values).scalar_one())


def test_a_new_free_organization_can_run_an_analysis(
    client: TestClient, member: Member
) -> None:
    """Fault 13: an earlier service granted no allowance, so that nobody could."""
    answer = submit(client, member)

    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["estimated_cost_credits"] == WORST
    assert body["analyses_remaining"] == 9
    assert body["quota_resets_at"] == read(client, member, "/usage")["current_period_end"]
    assert balance(client, member) == (100 - WORST, WORST)
    assert used(client, member) == (1, 0)


def test_the_price_is_settled_at_the_end_and_the_rest_is_back(
    client: TestClient, service: Service, member: Member
) -> None:
    """Faults 15 and 17: charged once, for what ran, from when it began."""
    job_id = submit(client, member).json()["job_id"]
    complete(service, member, job_id, a_found(a_verdict()))

    cost = client.get(f"{BASE}/analysis/{job_id}/results", headers=member.headers).json()[
        "cost_credits"
    ]
    assert cost == 13
    assert balance(client, member) == (87, 0)
    usage = read(client, member, "/usage")
    assert usage["current_period_credits_used"] == 13
    assert usage["utilization_percent"] == 13.0
    (event,) = [
        one
        for one in read(client, member, "/events")
        if one["event_type"] == "analysis_completed"
    ]
    assert (event["credits_amount"], event["balance_after"]) == (-13, 87)
    assert event["analysis_job_id"] == job_id


def test_what_the_credits_do_not_cover_is_refused_and_leaves_nothing(
    client: TestClient, service: Service, member: Member
) -> None:
    for _ in range(5):
        assert submit(client, member).status_code == 201
    before = stored(service, member)

    answer = submit(client, member)

    assert answer.status_code == 429
    body = answer.json()
    assert body["error"] == "QUOTA_EXCEEDED"
    resets_at = read(client, member, "/usage")["current_period_end"]
    assert "wait until" in body["details"].pop("hint")
    assert body["details"] == {
        "quota_type": "credits",
        "limit": 100,
        "current": 5 * WORST,
        "resets_at": resets_at,
        "required": WORST,
        "available": 10,
        "balance": 10,
    }
    assert stored(service, member) == before


def test_the_periods_analyses_are_refused_with_their_limit(
    client: TestClient, service: Service, member: Member, operator: Member
) -> None:
    """Fault 18: an earlier service answered limit 0 and current 0, always."""
    made = override(client, operator, member, feature="analyses", limit_value=2)
    assert made.status_code == 201, made.text
    for _ in range(2):
        assert submit(client, member).status_code == 201
    before = stored(service, member)

    answer = submit(client, member)

    assert answer.status_code == 429
    details = answer.json()["details"]
    assert (details["quota_type"], details["limit"], details["current"]) == (
        "analyses",
        2,
        2,
    )
    assert stored(service, member) == before


def test_a_repeated_request_holds_once(client: TestClient, member: Member) -> None:
    """Fault 16: counted after it was queued, and again for each retry."""
    answers = [submit(client, member, **{"Idempotency-Key": "once"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert balance(client, member) == (100 - WORST, WORST)
    assert used(client, member) == (1, 0)


def test_who_cancels_before_the_start_pays_and_uses_nothing(
    client: TestClient, member: Member
) -> None:
    job_id = submit(client, member).json()["job_id"]
    path = f"{BASE}/analysis/{job_id}"

    assert client.delete(path, headers=member.headers).status_code == 200
    assert client.delete(path, headers=member.headers).status_code == 409

    assert balance(client, member) == (100, 0)
    assert used(client, member) == (0, 0)


def test_an_override_holds_at_once_and_until_it_is_ended(
    client: TestClient, member: Member, operator: Member
) -> None:
    made = override(client, operator, member, feature="analyses", limit_value=0)
    assert made.status_code == 201, made.text
    assert submit(client, member).status_code == 429
    usage = read(client, member, "/usage")
    assert usage["monthly_analysis_limit"] == 0

    path = f"{BASE}/billing/organization/{member.organization_id}/overrides"
    one = f"{path}/{made.json()['id']}"
    assert client.delete(one, headers=member.headers).status_code == 403
    ended = client.delete(one, headers=operator.headers)
    assert ended.status_code == 200, ended.text
    assert ended.json()["ended_by"] == str(operator.user_id)
    assert client.delete(one, headers=operator.headers).status_code == 409
    assert submit(client, member).status_code == 201

    (listed,) = client.get(path, headers=member.headers).json()
    assert listed == ended.json()


def test_credits_of_an_operator_are_for_what_the_own_do_not_cover(
    client: TestClient, member: Member, operator: Member
) -> None:
    made = override(client, operator, member, feature="credits", limit_value=120)
    assert made.status_code == 201, made.text

    answers = [submit(client, member) for _ in range(8)]

    # Six of 18 within 120; the sixth finds 10 of its own left and takes none of them.
    assert [answer.status_code for answer in answers] == [201] * 6 + [429] * 2
    assert answers[-1].json()["details"]["limit"] == 120
    assert balance(client, member) == (10, 90)


def test_a_feature_can_be_given_to_one_organization(
    client: TestClient, member: Member, operator: Member
) -> None:
    assert "security_fuzzing" in submit(client, member).json()["skipped_features"]
    override(client, operator, member, feature="security_fuzzing", unlimited=True)

    answer = submit(client, member).json()

    assert "security_fuzzing" not in answer["skipped_features"]
    assert answer["estimated_cost_credits"] == WORST + 5


@pytest.mark.parametrize(
    "values",
    [
        {"feature": "analyses"},
        {"feature": "analyses", "limit_value": 1, "unlimited": True},
        {"feature": "analyses", "limit_value": 1.5},
        {"feature": "analyses", "limit_value": -1},
        {"feature": "nonsense", "limit_value": 1},
        {"feature": "analyses", "limit_value": 1, "expires_at": "2020-01-01T00:00:00Z"},
        {"feature": "analyses", "limit_value": 1, "reason": ""},
    ],
)
def test_an_override_without_sense_is_refused(
    client: TestClient, member: Member, operator: Member, values: dict[str, object]
) -> None:
    answer = override(client, operator, member, **values)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"]["errors"]


def test_sixty_four_clients_get_what_the_balance_covers_and_no_more(
    client: TestClient, member: Member
) -> None:
    """Faults 14 and 16. 100 credits cover five of 18, whoever asks at the same moment."""
    together = threading.Barrier(64, timeout=60)

    def ask(_: int) -> Response:
        together.wait()
        return submit(client, member)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(64)))

    assert Counter(answer.status_code for answer in answers) == {201: 5, 429: 59}
    assert balance(client, member) == (10, 90)
    assert used(client, member) == (5, 0)
    assert len({UUID(one.json()["job_id"]) for one in answers if one.is_success}) == 5


def test_sixty_four_clients_get_the_analyses_of_the_period_and_no_more(
    client: TestClient, member: Member, operator: Member, service: Service
) -> None:
    override(client, operator, member, feature="credits", unlimited=True)
    together = threading.Barrier(64, timeout=60)

    def ask(_: int) -> Response:
        together.wait()
        return submit(client, member)

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(ask, range(64)))

    assert Counter(answer.status_code for answer in answers) == {201: 10, 429: 54}
    refused = [answer.json()["details"] for answer in answers if not answer.is_success]
    assert {(one["quota_type"], one["limit"], one["current"]) for one in refused} == {
        ("analyses", 10, 10)
    }
    # Nothing of the organization's own was touched.
    assert balance(client, member) == (100, 0)
    with service.system.transaction() as session:
        found = ledger.balance(session, member.organization_id)
    assert found.available_credits == 100
