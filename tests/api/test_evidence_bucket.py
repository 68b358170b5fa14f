"""The whole way with a bucket: kept, listed, downloaded, by its own URL as well."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.testclient import TestClient

from tests.api.running import Member, a_client, a_member, a_service
from tests.contracts.storage import servers
from tests.evidence.values import an_analysis, some_evidence
from vexxy.bootstrap import Service
from vexxy.evidence import service as evidence
from vexxy.evidence.types import Evidence

CONTENT = b'{"in": "a bucket"}' * 1000


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server.endpoint


@pytest.fixture(params=[False, True], ids=["links of ours", "links of the bucket"])
def service(
    request: pytest.FixtureRequest,
    database_url: str,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.SECRET)
    with a_service(
        database_url,
        storage_backend="s3",
        storage_bucket=servers.BUCKET,
        storage_endpoint=endpoint,
        storage_prefix="vexxy",
        storage_region=servers.REGION,
        storage_presigned_links=request.param,
    ) as made:
        yield made


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return a_member(service)


@pytest.fixture
def kept(service: Service, member: Member) -> Evidence:
    new = some_evidence(an_analysis(service.system, member.organization_id), CONTENT)
    staged = evidence.stage(service.evidence, new)
    with service.worker.transaction(member.organization_id) as session:
        return evidence.record(session, staged)


def test_evidence_in_a_bucket_reaches_who_may_read_it(
    client: TestClient, service: Service, member: Member, kept: Evidence
) -> None:
    url = f"/api/v1/analysis/{kept.analysis_job_id}/evidence"
    (item,) = client.get(url, headers=member.headers).json()["evidence"]
    assert servers.BUCKET not in str(item["download_url"])

    own = client.get(f"/api/v1/evidence/{kept.id}", headers=member.headers)
    linked = client.get(item["download_url"], follow_redirects=False)
    if service.settings.storage_presigned_links:
        assert linked.status_code == 307
        # No credentials of ours or theirs; the client unpacks what it is told is packed.
        linked = httpx.get(linked.headers["Location"])

    assert own.content == CONTENT
    assert linked.content == CONTENT


def test_a_bucket_that_is_gone_is_told_without_its_name(
    client: TestClient, service: Service, member: Member, kept: Evidence
) -> None:
    service.evidence.delete([kept.blob.path])
    answer = client.get(f"/api/v1/evidence/{kept.id}", headers=member.headers)
    assert answer.status_code == 502
    assert servers.BUCKET not in answer.text
    assert kept.blob.path not in answer.text
