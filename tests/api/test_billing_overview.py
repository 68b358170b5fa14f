"""`GET /billing/usage`, for the organization itself and for operators."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from vexxy.bootstrap import Service

USAGE = "/api/v1/billing/usage"
FIELDS = {
    "organization_id", "current_period_analyses", "current_period_credits_used",
    "monthly_analysis_limit", "monthly_credit_limit", "current_period_start",
    "current_period_end", "utilization_percent",
}  # fmt: skip


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


def test_who_never_did_anything_has_a_period_and_used_nothing(
    client: TestClient, member: Member
) -> None:
    """Fault 19: an earlier service answered 500 to whoever had no subscription."""
    answer = client.get(USAGE, headers=member.headers)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == FIELDS
    assert body["organization_id"] == str(member.organization_id)
    assert (body["current_period_analyses"], body["current_period_credits_used"]) == (0, 0)
    assert (body["monthly_analysis_limit"], body["monthly_credit_limit"]) == (10, 100)
    assert body["current_period_start"].endswith("T00:00:00Z")
    assert body["current_period_end"].endswith("T00:00:00Z")
    assert body["utilization_percent"] == 0.0


def test_a_plan_without_limits_has_none_and_is_never_used_up(
    database_url: str,
) -> None:
    with (
        running.a_service(database_url, default_tier="enterprise") as made,
        running.a_client(made) as client,
    ):
        body = client.get(USAGE, headers=running.a_member(made).headers).json()

    assert (body["monthly_analysis_limit"], body["monthly_credit_limit"]) == (None, None)
    assert body["utilization_percent"] == 0.0


def test_operators_read_the_same_of_anybody_and_others_of_themselves(
    client: TestClient, service: Service, member: Member
) -> None:
    path = f"/api/v1/billing/organization/{member.organization_id}/usage"
    own = client.get(USAGE, headers=member.headers).json()
    operator = running.a_member(service, is_admin=True)
    stranger = running.a_member(service)

    assert client.get(path, headers=member.headers).json() == own
    assert client.get(path, headers=operator.headers).json() == own
    assert client.get(path, headers=stranger.headers).status_code == 404


def test_without_the_permission_no_billing_is_read(
    client: TestClient, member: Member
) -> None:
    made = client.post(
        "/api/v1/auth/api-keys",
        json={"name": "k", "scopes": ["analysis.read"]},
        headers=member.headers,
    ).json()

    answer = client.get(USAGE, headers={"X-API-Key": made["key"]})

    assert answer.status_code == 403
