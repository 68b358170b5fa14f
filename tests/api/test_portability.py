"""An organization takes its data along, and goes."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import SETTINGS, Member, a_client, a_member, a_service
from tests.fakes.jobs import an_attempt
from vexxy.bootstrap import Service
from vexxy.portability.errors import ExportTooLarge
from vexxy.worker import portability
from vexxy.worker.handlers import HANDLERS
from vexxy.worker.schedule import PERIODIC

V1 = "/api/v1"
CORE = {"X-Service-Key": str(SETTINGS["core_service_key"])}


@pytest.fixture(scope="module")
def store_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def service(database_url: str, store_path: Path) -> Iterator[Service]:
    with a_service(database_url, storage_path=str(store_path)) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture(autouse=True)
def settings_of_workers(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_PATH", str(store_path))


@pytest.fixture
def owner(service: Service) -> Member:
    return a_member(service)


@pytest.fixture(scope="module")
def operator(service: Service) -> Member:
    return a_member(service, is_admin=True)


def path_of(member: Member, rest: str = "") -> str:
    return f"{V1}/organizations/{member.organization_id}{rest}"


def ask(client: TestClient, member: Member, **body: object) -> dict[str, Any]:
    answer = client.post(path_of(member, "/export"), json=body, headers=member.headers)
    assert answer.status_code == 202, answer.text
    found: dict[str, Any] = answer.json()
    return found


def make(service: Service, member: Member, export: dict[str, Any]) -> None:
    """Do what a worker does."""
    attempt = an_attempt(
        service.worker, member.organization_id, kind="export", export_id=export["id"]
    )
    portability.export(attempt)


def read(client: TestClient, member: Member, export: dict[str, Any]) -> dict[str, Any]:
    path = path_of(member, f"/export/{export['id']}")
    answer = client.get(path, headers=member.headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_an_owner_downloads_everything_with_a_link(
    client: TestClient, service: Service, owner: Member
) -> None:
    export = ask(client, owner, include_files=True)
    assert (export["state"], export["download_url"]) == ("queued", None)
    make(service, owner, export)
    done = read(client, owner, export)
    assert (done["state"], done["progress_percent"]) == ("done", 100)
    answer = client.get(done["download_url"])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["x-checksum-sha256"] == done["checksum"]
    assert hashlib.sha256(answer.content).hexdigest() == done["checksum"]
    assert len(answer.content) == done["file_size"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["organization_id"] == str(owner.organization_id)
    [user] = archive.read("tables/users.jsonl").splitlines()
    assert json.loads(user)["id"] == str(owner.user_id)
    listed = client.get(path_of(owner, "/export"), headers=owner.headers).json()
    assert [one["id"] for one in listed["exports"]] == [export["id"]]


def test_a_link_opens_one_archive_and_no_other(
    client: TestClient, service: Service, owner: Member
) -> None:
    export = ask(client, owner)
    make(service, owner, export)
    url = str(read(client, owner, export)["download_url"])
    changed = url[:-4] + ("AAAA" if url[-4:] != "AAAA" else "BBBB")
    assert client.get(changed).status_code == 401
    assert client.get(url.replace(export["id"], str(uuid4()))).status_code == 401
    elsewhere = url.replace(str(owner.organization_id), str(uuid4()))
    assert client.get(elsewhere).status_code == 404


def test_an_archive_that_is_not_there_is_a_conflict(
    client: TestClient, service: Service, owner: Member
) -> None:
    export = ask(client, owner)
    make(service, owner, export)
    url = read(client, owner, export)["download_url"]
    with service.system.transaction() as session:
        session.execute(
            text(
                "update organization_exports set expires_at = now() - interval '1 second'"
                " where id = :id"
            ),
            {"id": export["id"]},
        )
    portability.expire(an_attempt(service.system, None, kind="portability_expiry"))
    assert client.get(url).status_code == 409
    assert read(client, owner, export)["state"] == "expired"


@pytest.mark.parametrize("role", ["analyst", "viewer"])
def test_only_owners_and_admins_export(
    client: TestClient, service: Service, owner: Member, role: str
) -> None:
    member = a_member(service, owner.organization_id, role=role)
    path = path_of(owner, "/export")
    assert client.post(path, json={}, headers=member.headers).status_code == 403
    assert client.get(path, headers=member.headers).status_code == 403


def test_an_operator_exports_any_organization_and_strangers_none(
    client: TestClient, service: Service, owner: Member, operator: Member
) -> None:
    path = path_of(owner, "/export")
    stranger = a_member(service)
    assert client.post(path, json={}, headers=stranger.headers).status_code == 404
    made = client.post(path, json={}, headers=operator.headers)
    assert made.status_code == 202
    assert read(client, owner, made.json())["id"] == made.json()["id"]
    nowhere = f"{V1}/organizations/{uuid4()}/export"
    assert client.post(nowhere, json={}, headers=operator.headers).status_code == 404


def test_a_job_that_fails_for_good_says_so(
    client: TestClient, service: Service, owner: Member
) -> None:
    export = ask(client, owner)
    attempt = an_attempt(
        service.worker, owner.organization_id, kind="export", export_id=export["id"]
    )
    reason = ExportTooLarge("the export is larger than an archive may be").message
    portability.export_abandoned(attempt, reason)
    found = read(client, owner, export)
    assert (found["state"], found["error"]) == ("failed", reason)


def slug_of(client: TestClient, member: Member) -> str:
    answer = client.get(f"{V1}/organizations/current", headers=member.headers)
    return str(answer.json()["slug"])


def erase(service: Service, organization_id: UUID) -> None:
    attempt = an_attempt(service.system, None, kind="erasure")
    payload = {"organization_id": str(organization_id)}
    attempt.job = replace(attempt.job, payload=payload)
    portability.erase(attempt)


def test_an_owner_ends_their_organization(
    client: TestClient, service: Service, owner: Member, operator: Member
) -> None:
    colleague = a_member(service, owner.organization_id, role="admin")
    made = client.post(
        f"{V1}/auth/api-keys",
        json={"name": "k", "scopes": ["analysis.read"]},
        headers=owner.headers,
    ).json()
    key = {"X-API-Key": made["key"]}
    assert client.get(f"{V1}/analysis", headers=key).status_code == 200

    asked = client.delete(
        path_of(owner), params={"confirm": slug_of(client, owner)}, headers=owner.headers
    )

    assert (asked.status_code, asked.json()["stage"]) == (202, "requested")
    for headers in (owner.headers, colleague.headers, key):
        assert client.get(f"{V1}/analysis", headers=headers).status_code == 401
    seen = client.get(path_of(owner, "/erasure"), headers=operator.headers)
    assert seen.json() == asked.json()
    erase(service, owner.organization_id)
    done = client.get(path_of(owner, "/erasure"), headers=operator.headers).json()
    assert (done["stage"], done["proof"]["blobs"]) == ("done", 0)
    again = client.delete(path_of(owner), headers=operator.headers)
    assert (again.status_code, again.json()) == (202, done)
    export = client.post(path_of(owner, "/export"), json={}, headers=operator.headers)
    assert export.status_code == 409


def test_nobody_else_ends_it(
    client: TestClient, service: Service, owner: Member, operator: Member
) -> None:
    confirmed = {"confirm": slug_of(client, owner)}
    made = client.post(
        f"{V1}/auth/api-keys", json={"name": "k"}, headers=owner.headers
    ).json()
    key = {"X-API-Key": made["key"]}
    admin = a_member(service, owner.organization_id, role="admin")
    stranger = a_member(service)
    for headers, status in (
        (key, 403),
        (admin.headers, 403),
        (stranger.headers, 404),
    ):
        answer = client.delete(path_of(owner), params=confirmed, headers=headers)
        assert answer.status_code == status
    wrong = {"confirm": "another"}
    for headers in (owner.headers, operator.headers):
        assert client.delete(path_of(owner), headers=headers).status_code == 400
        answer = client.delete(path_of(owner), params=wrong, headers=headers)
        assert answer.status_code == 400
    assert client.get(f"{V1}/analysis", headers=owner.headers).status_code == 200
    own = client.delete(
        path_of(operator),
        params={"confirm": slug_of(client, operator)},
        headers=operator.headers,
    )
    assert own.status_code == 409


def test_an_operator_ends_any_organization(
    client: TestClient, service: Service, owner: Member, operator: Member
) -> None:
    confirmed = {"confirm": slug_of(client, owner)}
    answer = client.delete(path_of(owner), params=confirmed, headers=operator.headers)
    assert answer.status_code == 202
    erase(service, owner.organization_id)
    found = client.get(path_of(owner, "/erasure"), headers=operator.headers).json()
    assert found["stage"] == "done"


def test_base_vexxy_is_told_that_it_does_not_come_back(
    client: TestClient, service: Service, operator: Member
) -> None:
    home = str(uuid4())
    told = {"id": home, "name": "Core"}
    path = f"{V1}/billing/organizations/sync"
    assert client.post(path, json=told, headers=CORE).status_code == 200
    with service.system.transaction() as session:
        query = text("select slug from organizations where id = :id")
        slug = session.scalars(query, {"id": home}).one()
    erased = client.delete(
        f"{V1}/organizations/{home}", params={"confirm": slug}, headers=operator.headers
    )
    assert erased.status_code == 202
    refused = client.post(path, json=told, headers=CORE)
    assert (refused.status_code, refused.json()["error"]) == (409, "RESOURCE_CONFLICT")
    user = {**told, "id": str(uuid4()), "organization_id": home, "email": "a@example.com"}
    users = f"{V1}/billing/users/sync"
    assert client.post(users, json=user, headers=CORE).status_code == 409


def test_workers_know_the_kinds_and_when_they_are_due() -> None:
    assert {"export", "erasure", "portability_expiry"} <= set(HANDLERS)
    assert {"erasures", "portability_expiry"} <= {each.name for each in PERIODIC}


def test_the_audit_log_of_an_organization_is_read_by_operators(
    client: TestClient, service: Service, owner: Member, operator: Member
) -> None:
    client.patch(
        f"{V1}/organizations/current", json={"name": "Another"}, headers=owner.headers
    )
    path = f"{V1}/billing/organization/{owner.organization_id}/audit-log"
    mine = client.get(f"{V1}/billing/audit-log", headers=owner.headers).json()
    assert mine["total"] > 0
    for headers in (owner.headers, operator.headers):
        assert client.get(path, headers=headers).json() == mine
        whole = client.get(f"{path}/export", params={"format": "json"}, headers=headers)
        assert whole.json() == mine["entries"]
    stranger = a_member(service)
    viewer = a_member(service, owner.organization_id, role="viewer")
    for suffix in ("", "/export"):
        assert client.get(path + suffix, headers=stranger.headers).status_code == 404
        assert client.get(path + suffix, headers=viewer.headers).status_code == 403


def test_what_is_held_and_runs_ends_with_the_request(
    client: TestClient, service: Service, owner: Member
) -> None:
    """An analysis that waits, and a hold of a program of the organization's own."""
    submitted = client.post(
        f"{V1}/analysis/submit", json={"image_ref": "nginx:1.25"}, headers=owner.headers
    )
    assert submitted.is_success, submitted.text
    held = client.post(
        f"{V1}/billing/holds", json={"key": "k", "credits": 5}, headers=owner.headers
    )
    assert held.is_success, held.text
    before = credits_of(service, owner)
    assert before["held_credits"] > 5

    confirmed = {"confirm": slug_of(client, owner)}
    assert client.delete(path_of(owner), params=confirmed, headers=owner.headers).is_success

    after = credits_of(service, owner)
    assert after["held_credits"] == 0
    assert after["available_credits"] == sum(before.values())
    states = text(
        "select (select status from premium_analysis_jobs where organization_id = :id),"
        " (select status from subscriptions where organization_id = :id)"
    )
    with service.system.transaction() as session:
        found = session.execute(states, {"id": owner.organization_id}).one()
    assert tuple(found) == ("cancelled", "canceled")
    erase(service, owner.organization_id)
    assert credits_of(service, owner) == after


def credits_of(service: Service, member: Member) -> dict[str, int]:
    query = text(
        "select available_credits, held_credits from credit_accounts"
        " where organization_id = :id"
    )
    with service.system.transaction() as session:
        row = session.execute(query, {"id": member.organization_id}).one()
    return dict(row._mapping)
