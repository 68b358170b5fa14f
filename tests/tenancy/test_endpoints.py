"""Every endpoint, asked by a member of one organization for what another one has."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlalchemy import Connection, text
from starlette.testclient import TestClient

from tests.api import running
from tests.api.running import Member
from tests.fuzz.server import Known, furnish
from tests.tenancy import rows
from vexxy.bootstrap import Service

# What is no operation on a thing of an organization; everything else must be a case.
OPEN = {
    ("get", "/metrics"),
    ("get", "/health"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    # Plans and prices are for everybody.
    ("get", "/api/v1/billing/tiers"),
    ("post", "/api/v1/auth/register"),
    ("post", "/api/v1/auth/login"),
    ("post", "/api/v1/auth/password-reset"),
    ("post", "/api/v1/auth/password-reset/confirm"),
    ("post", "/api/v1/auth/invitations/accept"),
}
# What is opened with a link, whose token is its own credentials.
LINKS = {
    ("get", "/api/v1/evidence/{evidence_id}/download"),
    ("get", "/api/v1/organizations/{org_id}/export/{export_id}/download"),
}
# Bodies and queries that are fine but for whose id stands in the path.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("patch", "/api/v1/members/{user_id}"): {"json": {"role": "viewer"}},
    ("post", "/api/v1/billing/holds/{hold_key}/settle"): {"json": {"credits": 1}},
    **{link: {"params": {"token": "x" * 40}} for link in LINKS},
}


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url, default_tier="professional") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture(scope="module")
def ours(service: Service) -> Member:
    return running.a_member(service)


@pytest.fixture(scope="module")
def theirs(service: Service) -> Member:
    return running.a_member(service)


@pytest.fixture(scope="module")
def known(service: Service, client: TestClient, theirs: Member) -> Known:
    """The ids of what the others have, by the names that paths give them."""
    found = furnish(service, client, theirs)
    for table, name in (
        ("analysis_evidence", "evidence_id"),
        ("notification_deliveries", "delivery_id"),
    ):
        with service.system.transaction() as session:
            row = session.execute(
                text(f"select id from {table} where organization_id = :id"),  # noqa: S608
                {"id": theirs.organization_id},
            ).first()
            if row is None:
                row = _inserted(session.connection(), table, theirs, found)
            found[name] = [str(row[0])]
    found["other_id"] = found["job_id"]
    return found


def _inserted(
    connection: Connection, table: str, theirs: Member, found: Known
) -> tuple[UUID]:
    """Store a row where no act of a test makes one, below what the others have."""
    made: dict[str, Any] = {}
    for name, other in rows.tables(connection).items():
        if name in {"evidence_blobs", table}:
            made[name] = rows.insert(connection, other, made, theirs.organization_id, "x")
        elif name == "premium_analysis_jobs":
            made[name] = {
                "id": found["job_id"][0],
                "organization_id": theirs.organization_id,
            }
        elif name == "notification_endpoints":
            made[name] = {
                "id": found["endpoint_id"][0],
                "organization_id": theirs.organization_id,
            }
    return (made[table]["id"],)


def operations(client: TestClient) -> list[tuple[str, str, dict[str, Any]]]:
    document = client.get("/openapi.json").json()
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if "responses" in operation
    ]


def test_every_operation_is_open_on_purpose_or_asks_who_it_is(client: TestClient) -> None:
    unguarded = {
        (method, path)
        for method, path, operation in operations(client)
        if not operation.get("security")
    }
    assert unguarded - OPEN == LINKS
    assert unguarded >= OPEN, "an operation is gone, or guarded now"


def test_without_credentials_nothing_is_answered(client: TestClient) -> None:
    for method, path, operation in operations(client):
        if operation.get("security"):
            answer = client.request(method, _named(path, {}))
            assert answer.status_code == 401, (method, path, answer.text)
            assert answer.json()["error"] == "UNAUTHORIZED"


def test_every_path_that_names_a_thing_is_tried_with_theirs(
    client: TestClient, service: Service, ours: Member, theirs: Member, known: Known
) -> None:
    """404, as for an id that nobody has: never 403, and nothing of theirs changes."""
    # What they called themselves is written a moment later.
    client.app.state.calls.flush()  # type: ignore[attr-defined]
    before = _rows_of(service, theirs)
    tried = 0
    for method, path, operation in operations(client):
        names = [
            item["name"] for item in operation.get("parameters", ()) if item["in"] == "path"
        ]
        if not names:
            continue
        assert set(names) <= set(known), f"no id of theirs for {path}: add it to `known`"
        given = BODIES.get((method, path), {})
        for number in range(max(len(known[name]) for name in names)):
            ids = {name: known[name][min(number, len(known[name]) - 1)] for name in names}
            answer = client.request(
                method, _named(path, ids), headers=ours.headers, **given
            )
            nobodys = client.request(
                method, _named(path, {}), headers=ours.headers, **given
            )
            expected = 401 if path.endswith("/download") else 404
            assert answer.status_code == expected, (method, path, answer.text)
            assert _said(answer, ids) == _said(nobodys, {}), (method, path)
            tried += 1
    assert tried > 20
    assert _rows_of(service, theirs) == before


def test_no_list_shows_what_is_theirs(
    client: TestClient, ours: Member, theirs: Member, known: Known
) -> None:
    marks = {mark for found in known.values() for mark in found}
    marks |= {str(theirs.organization_id), str(theirs.user_id)}
    for method, path, operation in operations(client):
        if method != "get" or "{" in path or (method, path) in OPEN:
            continue
        mine = client.get(path, headers=ours.headers)
        others = client.get(path, headers=theirs.headers)
        assert mine.status_code == 200, (path, mine.text)
        assert [mark for mark in marks if mark in mine.text] == [], path
        assert any(mark in others.text for mark in marks), (
            f"{path} shows nothing to anybody"
        )
        assert operation["security"]


def test_a_body_names_nothing_of_theirs(
    client: TestClient, ours: Member, known: Known
) -> None:
    answer = client.post(
        "/api/v1/analysis/submit",
        json={"image_ref": "nginx:1.25", "sbom_id": known["sbom_id"][0]},
        headers=ours.headers,
    )
    assert answer.status_code == 404


def test_an_api_key_reaches_no_further_than_its_organization(
    client: TestClient, ours: Member, known: Known
) -> None:
    made = client.post(
        "/api/v1/auth/api-keys",
        json={"name": "k", "scopes": ["analysis.read"]},
        headers=ours.headers,
    ).json()
    key = {"X-API-Key": made["key"]}
    assert client.get("/api/v1/analysis", headers=key).json()["jobs"] == []
    for part in ("status", "results", "evidence"):
        path = f"/api/v1/analysis/{known['job_id'][0]}/{part}"
        assert client.get(path, headers=key).status_code == 404, path


def _named(path: str, ids: dict[str, str]) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        name, _, after = rest.partition("}")
        path = before + ids.get(name, str(uuid4())) + after
    return path


def _said(answer: Response, ids: dict[str, str]) -> object:
    body = answer.json()
    words = json.dumps([body["error"], body["message"], body["details"]])
    for identifier in [*ids.values(), *answer.request.url.path.split("/")]:
        if len(identifier) == 36:
            words = words.replace(identifier, "ID")
    return words


def _rows_of(service: Service, member: Member) -> dict[str, list[str]]:
    found = {}
    with service.system.transaction() as session:
        for table in rows.tables(session.connection()).values():
            if table.tenant is not None:
                query = f"select to_jsonb(t)::text from {table.name} t where {table.tenant} = :id order by 1"  # noqa: S608, E501
                found[table.name] = list(
                    session.execute(text(query), {"id": member.organization_id}).scalars()
                )
    return found
