"""Notification endpoints through the API."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.api.running import Member, a_client, a_member, a_service
from vexxy.bootstrap import Service

BASE = "/api/v1/notifications"
NEW = {"url": "https://example.com/hook", "event_types": ["analysis.finished"]}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture
def owner(service: Service) -> Member:
    return a_member(service)


def test_an_endpoint_is_registered_listed_rotated_and_deleted(
    client: TestClient, owner: Member
) -> None:
    made = client.post(f"{BASE}/endpoints", json=NEW, headers=owner.headers)
    assert made.status_code == 201
    one = made.json()
    assert one["secret"].startswith("whsec_")

    (listed,) = client.get(f"{BASE}/endpoints", headers=owner.headers).json()
    assert "secret" not in listed
    assert listed["url"] == NEW["url"]

    path = f"{BASE}/endpoints/{one['id']}"
    again = client.post(f"{path}/rotate", headers=owner.headers).json()
    assert again["secret"] != one["secret"]
    assert client.delete(path, headers=owner.headers).status_code == 204
    assert client.delete(path, headers=owner.headers).status_code == 404


@pytest.mark.parametrize(
    "url", ["http://example.com", "https://u:p@example.com", "ftp://example.com", "x\u0000"]
)
def test_a_misleading_address_is_refused_and_nothing_kept(
    client: TestClient, owner: Member, url: str
) -> None:
    answer = client.post(
        f"{BASE}/endpoints", json=NEW | {"url": url}, headers=owner.headers
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "VALIDATION_ERROR")
    assert client.get(f"{BASE}/endpoints", headers=owner.headers).json() == []


def test_the_twenty_first_is_too_many(client: TestClient, owner: Member) -> None:
    answers = [
        client.post(f"{BASE}/endpoints", json=NEW, headers=owner.headers) for _ in range(21)
    ]
    assert [one.status_code for one in answers] == [201] * 20 + [429]
    assert answers[-1].json()["details"]["limit"] == 20


@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_only_who_manages_members_may_look(
    client: TestClient, service: Service, role: str
) -> None:
    member = a_member(service, role=role)
    assert client.get(f"{BASE}/endpoints", headers=member.headers).status_code == 403
    assert client.get(f"{BASE}/deliveries", headers=member.headers).status_code == 403


def test_a_delivery_that_is_not_there_cannot_be_replayed(
    client: TestClient, owner: Member
) -> None:
    path = f"{BASE}/deliveries/00000000-0000-4000-8000-000000000000/replay"
    assert client.post(path, headers=owner.headers).status_code == 404
