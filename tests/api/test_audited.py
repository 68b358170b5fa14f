"""Every operation that changes something leaves a row in the record of acts."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api import running
from tests.fuzz.server import furnish
from vexxy import asgi
from vexxy.bootstrap import Service

API = "/api/v1"
# Changes nothing that lasts, or is tried where its state can be reached.
ELSEWHERE = {
    "POST /auth/login": "tests/api/test_auth.py",
    "POST /auth/password-reset": "tests/identity",
    "POST /auth/password-reset/confirm": "tests/identity",
    "POST /auth/password": "tests/identity",
    "POST /auth/invitations/accept": "tests/identity",
    "POST /analysis/{job_id}/reevaluate": "tests/api/test_analysis.py",
    "POST /notifications/deliveries/{delivery_id}/replay": "tests/notifications",
}
CALLS: dict[str, dict[str, Any]] = {
    "POST /analysis/submit": {"json": {"image_ref": "nginx:1.25"}},
    "DELETE /analysis/{job_id}": {},
    "POST /sboms": {"content": b'{"bomFormat":"CycloneDX","specVersion":"1.5"}'},
    "POST /notifications/endpoints": {
        "json": {"url": "https://ci.example.com/x", "event_types": ["analysis.finished"]}
    },
    "POST /notifications/endpoints/{endpoint_id}/rotate": {},
    "DELETE /notifications/endpoints/{endpoint_id}": {},
    "POST /auth/register": {
        "json": {
            "email": "ada@example.com",
            "password": "four unrelated plain words",
            "name": "Ada",
            "organization_name": "Analytical",
        }
    },
    "POST /auth/api-keys": {"json": {"name": "k", "scopes": ["analysis.read"]}},
    "DELETE /auth/api-keys/{key_id}": {},
    "PATCH /members/{user_id}": {"json": {"role": "analyst"}},
    "DELETE /members/{user_id}": {},
    "POST /members/invitations": {"json": {"email": "eve@example.com", "role": "viewer"}},
    "DELETE /members/invitations/{invitation_id}": {},
    "PATCH /organizations/current": {"json": {"name": "Renamed"}},
    "POST /auth/logout-everywhere": {},
}
SYNCED = {"POST /billing/organizations/sync", "POST /billing/users/sync"}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url, default_tier="professional") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


def test_every_operation_that_changes_something_is_named(service: Service) -> None:
    document = asgi.build(service).openapi()
    changing = {
        f"{method.upper()} {path.removeprefix(API)}"
        for path, item in document["paths"].items()
        for method in item
        if method in {"post", "put", "patch", "delete"}
    }
    assert changing == set(CALLS) | set(ELSEWHERE) | SYNCED


def test_what_changes_something_leaves_a_row(service: Service, client: TestClient) -> None:
    member = running.a_member(service)
    known = furnish(service, client, member)
    # The last of each is one that the act can still be done to.
    ids = {name: found[-1] for name, found in known.items()}
    for call, given in CALLS.items():
        method, path = call.split()
        before = _acts(service)
        answer = client.request(
            method, f"{API}{path.format(**ids)}", headers=member.headers, **given
        )
        assert answer.is_success, (call, answer.text)
        assert _acts(service) > before, call


def _acts(service: Service) -> int:
    query = text("select count(*) from billing_audit_log")
    with service.system.transaction() as session:
        return int(session.execute(query).scalar_one())
