"""An analysis through the service: registered, submitted, followed, read, published."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.api import running
from tests.e2e.conftest import FILES, osv
from tests.fakes import image_archive
from tests.fakes.image_archive import Recipe
from tests.fakes.patience import until
from vexxy import bootstrap
from vexxy.advisories import service as advisories
from vexxy.analysis.publication import Publisher
from vexxy.bootstrap import Service
from vexxy.sandbox import service as sandbox
from vexxy.sandbox.ports import ContainerEngine
from vexxy.settings import Settings
from vexxy.worker.analysis import Analyses
from vexxy.worker.loop import Loop
from vexxy.worker.work import Work

pytestmark = [pytest.mark.engine, pytest.mark.kernel]

BASE = "/api/v1"
EVIDENCE = {
    "execution_trace", "file_access_log", "syscall_log", "network_log", "container_logs",
    "fuzzing_results", "profiler_output", "sbom", "vex_document",
}  # fmt: skip


@dataclass
class Customer:
    """Somebody with a program that speaks to the service."""

    client: TestClient
    headers: dict[str, str]

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401  JSON
        answer = self.client.get(f"{BASE}{path}", params=query, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def submit(self, image: str, **body: object) -> str:
        wanted = {"image_ref": image, **body}
        answer = self.client.post(
            f"{BASE}/analysis/submit", json=wanted, headers=self.headers
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["job_id"])

    def status(self, job_id: str) -> str:
        return str(self.get(f"/analysis/{job_id}/status")["status"])


@pytest.fixture
def image(engine: ContainerEngine, tmp_path: Path) -> Iterator[str]:
    """A web server with two packages, known to the engine by a name."""
    name = f"localhost/vexxy-service/{uuid.uuid4().hex[:12]}:1"
    path = tmp_path / "image.tar"
    recipe = Recipe(
        ports=(80,), files=FILES, environment={"SEED": uuid.uuid4().hex}, name=name
    )
    path.write_bytes(image_archive.docker_archive(recipe))
    (image_id,) = engine.load(path)
    yield name
    engine.remove_image(image_id)


@pytest.fixture
def service(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    records = tmp_path / "records"
    records.mkdir()
    for number, name in enumerate(("libplanted1", "busybox-static"), start=1):
        (records / f"{number}.json").write_text(json.dumps(osv(name, number)))
    settings = Settings()
    settings.data_directory.mkdir()
    advisories.import_path(settings.database_path, records)
    with running.a_service(database_url, default_tier="professional") as made:
        yield made


@contextmanager
def a_worker(service: Service, database_url: str) -> Iterator[None]:
    analyses = Analyses(
        sealer=service.sealer,
        store=service.evidence,
        publisher=Publisher("Somebody", "https://vex.test"),
        open_engine=lambda: bootstrap.engine(Settings()),
    )
    works = {"analysis": Work(analyses.handle, abandoned=analyses.abandoned)}
    loop = Loop(database_url, works, threads=1, upkeep=False)
    loop.start()
    try:
        yield
    finally:
        loop.close()


@pytest.fixture
def customer(service: Service) -> Iterator[Customer]:
    with running.a_client(service) as client:
        body = {
            "email": f"{uuid.uuid4().hex}@example.com",
            "password": "correct horse battery staple",
            "name": "Somebody",
            "organization_name": "Example",
        }
        answer = client.post(f"{BASE}/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        token = answer.json()["access_token"]
        yield Customer(client, {"Authorization": f"Bearer {token}"})


def test_an_image_is_submitted_followed_and_published(
    service: Service, customer: Customer, *, image: str, database_url: str
) -> None:
    config = {
        "analysis_duration": 30,
        "ports": [80],
        "test_script": 'wget -q -O- "http://$HOST:$PORT/" || true',
        "environment": {"TOKEN": "hunter2"},
        "health_check_path": "/index.html",
    }
    job_id = customer.submit(image, profile="minimal", config=config)
    with a_worker(service, database_url):
        path = f"{BASE}/analysis/{job_id}/events"
        with customer.client.stream("GET", path, headers=customer.headers) as stream:
            phases = [
                json.loads(line.removeprefix("data: "))["current_phase"]
                for line in stream.iter_lines()
                if line.startswith("data: ")
            ]

    results = customer.get(f"/analysis/{job_id}/results")
    assert results["status"] == "complete", results["error_message"]
    assert phases[-1] == "Complete"
    assert "Observing" in phases
    assert results["image_digest"].startswith("sha256:")
    found = {
        finding["vulnerability_id"]: finding["status"]
        for finding in results["reachability_results"]
    }
    assert found["CVE-2026-0002"] == "affected"
    completeness = results["execution_profile"]["completeness"]
    assert completeness["traffic_requests"] > 0
    # 10 and 3 for watching; whoever got less than was paid for pays nothing.
    assert results["cost_credits"] == (0 if completeness["partial"] else 13)
    assert "hunter2" not in json.dumps(results)

    vex = customer.get(f"/vex/{results['generated_vex_id']}")
    assert vex == results["vex_document"]
    assert vex["@id"] == f"https://vex.test/{results['generated_vex_id']}"
    listed = customer.get(f"/analysis/{job_id}/evidence")
    assert {one["evidence_type"] for one in listed["evidence"]} == EVIDENCE


def test_what_is_cancelled_leaves_no_container(
    service: Service,
    customer: Customer,
    engine: ContainerEngine,
    *,
    image: str,
    database_url: str,
) -> None:
    config = {"analysis_duration": 600, "ports": [80]}
    job_id = customer.submit(image, profile="minimal", config=config)
    with a_worker(service, database_url):
        until(lambda: len(sandbox.list_jobs(engine).get(job_id, ())) > 1)
        path = f"{BASE}/analysis/{job_id}"
        answer = customer.client.delete(path, headers=customer.headers)
        assert answer.json()["status"] == "cancelled"
        until(lambda: job_id not in sandbox.list_jobs(engine))

    assert customer.status(job_id) == "cancelled"
    assert customer.get(f"/analysis/{job_id}/results")["cost_credits"] == 0


def test_an_image_of_another_digest_is_a_failed_analysis(
    service: Service, customer: Customer, *, image: str, database_url: str
) -> None:
    digest = "sha256:" + "0" * 64
    job_id = customer.submit(image, image_digest=digest)
    with a_worker(service, database_url):
        until(lambda: customer.status(job_id) == "failed")

    results = customer.get(f"/analysis/{job_id}/results")
    assert "no such image" in results["error_message"]
    assert results["image_digest"] == digest
    assert results["vex_document"] is None
    assert results["cost_credits"] == 0
