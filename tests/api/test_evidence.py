"""Evidence over HTTP: who may read it, what a link opens, what damage looks like."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import Member, a_client, a_member, a_service
from tests.evidence.values import an_analysis, some_evidence
from vexxy.bootstrap import Service
from vexxy.evidence import rules
from vexxy.evidence import service as evidence
from vexxy.evidence.types import Evidence, EvidenceType, LinkGrant, NewEvidence
from vexxy.integrations.object_storage.local import LocalDisk

CONTENT = b'{"processes": ["nginx"]}'
HTML = b"<script>alert(document.domain)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stored") / "evidence"


@pytest.fixture(scope="module")
def service(database_url: str, folder: Path) -> Iterator[Service]:
    with a_service(database_url, storage_path=str(folder)) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return a_member(service, role="viewer")


@pytest.fixture
def stranger(service: Service) -> Member:
    return a_member(service)


@pytest.fixture
def analysis(service: Service, member: Member) -> tuple[UUID, UUID]:
    return an_analysis(service.system, member.organization_id)


def keep(service: Service, new: NewEvidence) -> Evidence:
    with service.worker.transaction(new.organization_id) as session:
        return evidence.put(session, service.evidence, new)


@pytest.fixture
def kept(service: Service, analysis: tuple[UUID, UUID]) -> Evidence:
    new = some_evidence(analysis, CONTENT, description="what ran")
    return keep(service, replace(new, summary={"processes": 1}))


def listed(client: TestClient, member: Member, kept: Evidence) -> dict[str, object]:
    url = f"/api/v1/analysis/{kept.analysis_job_id}/evidence"
    answer = client.get(url, headers=member.headers)
    assert answer.status_code == 200
    (item,) = answer.json()["evidence"]
    assert isinstance(item, dict)
    return item


def test_the_evidence_of_an_analysis_is_listed(
    client: TestClient, member: Member, kept: Evidence
) -> None:
    item = listed(client, member, kept)
    assert item["id"] == str(kept.id)
    assert item["analysis_job_id"] == str(kept.analysis_job_id)
    assert item["evidence_type"] == "execution_trace"
    assert item["file_size"] == len(CONTENT)
    assert item["checksum"] == hashlib.sha256(CONTENT).hexdigest()
    assert item["evidence_data"] == {"processes": 1}
    assert item["description"] == "what ran"
    assert str(item["created_at"]).endswith("Z")


def test_a_listing_says_when_evidence_will_be_removed(
    client: TestClient, member: Member, kept: Evidence
) -> None:
    item = listed(client, member, kept)
    removed = datetime.fromisoformat(str(item["expires_at"]))
    assert removed - kept.created_at == timedelta(days=90)


def test_a_listing_is_paged(
    client: TestClient, service: Service, member: Member, analysis: tuple[UUID, UUID]
) -> None:
    kept = [keep(service, some_evidence(analysis, b"%d" % n)) for n in range(3)]
    url = f"/api/v1/analysis/{analysis[1]}/evidence?skip=1&limit=1"
    page = client.get(url, headers=member.headers).json()
    assert (page["total"], page["skip"], page["limit"]) == (3, 1, 1)
    assert [item["id"] for item in page["evidence"]] == [str(kept[1].id)]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "skip=-1", "skip=10000001", "limit=x"]
)
def test_a_page_out_of_bounds_is_refused(
    client: TestClient, member: Member, kept: Evidence, query: str
) -> None:
    url = f"/api/v1/analysis/{kept.analysis_job_id}/evidence?{query}"
    answer = client.get(url, headers=member.headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "VALIDATION_ERROR"


def test_an_analysis_without_evidence_has_an_empty_listing(
    client: TestClient, member: Member, analysis: tuple[UUID, UUID]
) -> None:
    url = f"/api/v1/analysis/{analysis[1]}/evidence"
    assert client.get(url, headers=member.headers).json()["evidence"] == []


def urls(kept: Evidence) -> list[str]:
    return [
        f"/api/v1/evidence/{kept.id}",
        f"/api/v1/analysis/{kept.analysis_job_id}/evidence/{kept.id}",
    ]


def test_evidence_is_downloaded_with_its_checksum(
    client: TestClient, member: Member, kept: Evidence
) -> None:
    digest = hashlib.sha256(CONTENT).digest()
    encoded = base64.b64encode(digest).decode()
    for url in urls(kept):
        answer = client.get(url, headers=member.headers)
        assert answer.status_code == 200
        assert answer.content == CONTENT
        assert answer.headers["X-Checksum-SHA256"] == digest.hex()
        assert answer.headers["Repr-Digest"] == f"sha-256=:{encoded}:"
        assert answer.headers["Digest"] == f"sha-256={encoded}"
        assert answer.headers["Content-Length"] == str(len(CONTENT))


def test_a_download_is_saved_and_never_shown(
    client: TestClient, service: Service, member: Member, analysis: tuple[UUID, UUID]
) -> None:
    """Goal: HTML of a hostile image runs in no browser, under no link."""
    new = some_evidence(analysis, HTML, evidence_type=EvidenceType.CONTAINER_LOGS)
    kept = keep(service, replace(new, content_type="text/plain"))
    link = str(listed(client, member, kept)["download_url"])
    for url in [*urls(kept), link]:
        answer = client.get(url, headers=member.headers)
        assert answer.content == HTML
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        disposition = answer.headers["Content-Disposition"]
        assert disposition.startswith('attachment; filename="container_logs-')
        assert disposition.endswith('.txt"')
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "no-store"


def test_large_evidence_is_streamed(
    client: TestClient, service: Service, member: Member, analysis: tuple[UUID, UUID]
) -> None:
    content = bytes(range(256)) * 20_000
    kept = keep(service, some_evidence(analysis, content))
    assert client.get(urls(kept)[0], headers=member.headers).content == content


# --- who may ---


@pytest.mark.parametrize("known", [True, False])
def test_another_organization_finds_nothing(
    client: TestClient, stranger: Member, kept: Evidence, *, known: bool
) -> None:
    """Goal: an id that exists answers exactly as one that does not."""
    analysis_id = kept.analysis_job_id if known else uuid4()
    evidence_id = kept.id if known else uuid4()
    for url in (
        f"/api/v1/analysis/{analysis_id}/evidence",
        f"/api/v1/evidence/{evidence_id}",
        f"/api/v1/analysis/{analysis_id}/evidence/{evidence_id}",
    ):
        answer = client.get(url, headers=stranger.headers)
        assert answer.status_code == 404
        assert answer.json()["error"] == "RESOURCE_NOT_FOUND"


def test_evidence_of_another_analysis_is_not_found_under_this_one(
    client: TestClient, service: Service, member: Member, kept: Evidence
) -> None:
    _, other = an_analysis(service.system, member.organization_id)
    url = f"/api/v1/analysis/{other}/evidence/{kept.id}"
    assert client.get(url, headers=member.headers).status_code == 404


def test_without_credentials_nothing_is_read(client: TestClient, kept: Evidence) -> None:
    for url in [*urls(kept), f"/api/v1/analysis/{kept.analysis_job_id}/evidence"]:
        assert client.get(url).status_code == 401


# --- links ---


def test_a_link_needs_no_credentials(
    client: TestClient, member: Member, kept: Evidence
) -> None:
    answer = client.get(str(listed(client, member, kept)["download_url"]))
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["X-Checksum-SHA256"] == hashlib.sha256(CONTENT).hexdigest()


def test_a_listing_says_until_when_its_links_hold(
    client: TestClient, member: Member, kept: Evidence
) -> None:
    until = str(listed(client, member, kept)["download_url_expires_at"])
    left = datetime.fromisoformat(until) - datetime.now(UTC)
    assert timedelta(minutes=14) < left <= timedelta(minutes=15)


def link_of(service: Service, evidence_id: UUID, organization_id: UUID, **past: int) -> str:
    until = datetime.now(UTC) + timedelta(hours=1) - timedelta(**past)
    grant = LinkGrant(organization_id=organization_id, expires_at=until)
    token = rules.sign(service.link_keys[0], evidence_id, grant=grant)
    return f"/api/v1/evidence/{evidence_id}/download?token={token}"


def test_a_link_ends_when_it_says(
    client: TestClient, service: Service, kept: Evidence
) -> None:
    expired = link_of(service, kept.id, kept.organization_id, hours=2)
    answer = client.get(expired)
    assert answer.status_code == 401
    assert answer.json()["error"] == "UNAUTHORIZED"


def test_a_link_opens_no_other_evidence(
    client: TestClient, service: Service, member: Member, kept: Evidence
) -> None:
    other = keep(service, some_evidence((kept.organization_id, kept.analysis_job_id), b"2"))
    link = link_of(service, kept.id, kept.organization_id)
    moved = link.replace(str(kept.id), str(other.id))
    assert client.get(moved).status_code == 401
    assert client.get(moved, headers=member.headers).status_code == 401


def test_a_genuine_link_of_another_organization_finds_nothing_of_this_one(
    client: TestClient, service: Service, stranger: Member, kept: Evidence
) -> None:
    """Row-level security holds even where our own signature would be wrong."""
    link = link_of(service, kept.id, stranger.organization_id)
    assert client.get(link).status_code == 404


@pytest.mark.parametrize("token", ["", "x", "%00", "A" * 75, "A" * 200, "é"])
def test_a_made_up_link_is_refused(client: TestClient, kept: Evidence, token: str) -> None:
    answer = client.get(f"/api/v1/evidence/{kept.id}/download?token={token}")
    assert answer.status_code == 401


def test_a_link_without_its_token_is_malformed(client: TestClient, kept: Evidence) -> None:
    assert client.get(f"/api/v1/evidence/{kept.id}/download").status_code == 400


class Presigning(LocalDisk):
    """A store that has URLs of its own."""

    def link(self, path: str, *, seconds: int) -> str | None:
        return f"https://bucket.example.com/signed?for={seconds}"


def test_a_link_leads_on_to_the_buckets_own_where_that_is_wanted(
    service: Service, member: Member, kept: Evidence, folder: Path
) -> None:
    presigning = replace(service, evidence=Presigning(folder))
    with a_client(presigning) as client:
        link = link_of(service, kept.id, kept.organization_id)
        answer = client.get(link, follow_redirects=False)
        own = client.get(urls(kept)[0], headers=member.headers)
    assert answer.status_code == 307
    assert answer.headers["Location"] == "https://bucket.example.com/signed?for=60"
    assert answer.headers["X-Checksum-SHA256"] == hashlib.sha256(CONTENT).hexdigest()
    assert own.content == CONTENT


# --- damage ---


def test_damage_is_an_error_and_not_a_broken_download(
    client: TestClient, member: Member, kept: Evidence, folder: Path
) -> None:
    file = folder / kept.blob.path
    file.write_bytes(file.read_bytes()[:-1])
    for url in urls(kept):
        answer = client.get(url, headers=member.headers)
        assert answer.status_code == 502
        assert answer.json()["error"] == "EXTERNAL_SERVICE_ERROR"
        assert "X-Checksum-SHA256" not in answer.headers


def test_no_answer_names_where_evidence_lies(
    client: TestClient, service: Service, member: Member, kept: Evidence, folder: Path
) -> None:
    answers = [
        client.get(
            f"/api/v1/analysis/{kept.analysis_job_id}/evidence", headers=member.headers
        ),
        client.get(urls(kept)[0], headers=member.headers),
    ]
    service.evidence.delete([kept.blob.path])
    answers.append(client.get(urls(kept)[0], headers=member.headers))
    assert answers[-1].status_code == 502
    for answer in answers:
        said = answer.text + str(answer.headers)
        assert str(folder) not in said
        assert kept.blob.path not in said
        assert kept.blob.path.rsplit("/", 1)[-1] not in said
        assert str(kept.organization_id) not in said


def test_a_user_who_was_deactivated_reads_nothing(
    client: TestClient, service: Service, member: Member, kept: Evidence
) -> None:
    off = text("update users set is_active = false where id = :id")
    with service.system.transaction() as session:
        session.execute(off, {"id": member.user_id})
    for url in [*urls(kept), f"/api/v1/analysis/{kept.analysis_job_id}/evidence"]:
        assert client.get(url, headers=member.headers).status_code == 401


def test_a_key_that_may_not_read_analyses_reads_no_evidence(
    client: TestClient, service: Service, kept: Evidence
) -> None:
    owner = a_member(service, kept.organization_id)
    answer = client.post(
        "/api/v1/auth/api-keys",
        json={"name": "books", "scopes": ["billing.read"]},
        headers=owner.headers,
    )
    assert answer.status_code == 201
    key = {"X-API-Key": answer.json()["key"]}
    for url in [*urls(kept), f"/api/v1/analysis/{kept.analysis_job_id}/evidence"]:
        assert client.get(url, headers=key).status_code == 403
