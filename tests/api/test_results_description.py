"""What an analysis answers is what its description says."""

import json
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from tests.api.running import a_client, a_member, a_service
from tests.api.test_analysis import complete
from tests.fakes.values import a_match, a_result, a_verdict
from vexxy.api.v1.analysis import ResultsView
from vexxy.bootstrap import Service


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url) as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with a_client(service) as made:
        yield made


def test_results_hold_what_is_described(service: Service, client: TestClient) -> None:
    member = a_member(service)
    submitted = client.post(
        "/api/v1/analysis/submit", json={"image_ref": "web:1"}, headers=member.headers
    ).json()
    complete(
        service, member, submitted["job_id"], a_result(a_verdict(), matches=(a_match(),))
    )

    answer = client.get(
        f"/api/v1/analysis/{submitted['job_id']}/results", headers=member.headers
    )

    described = ResultsView.model_validate_json(answer.content)
    assert described.reachability_results is not None
    assert described.execution_profile is not None
    assert described.summary is not None
    told = json.loads(described.model_dump_json())
    for name in ("reachability_results", "execution_profile"):
        assert told[name] == answer.json()[name]


def test_the_description_names_every_field_of_a_finding(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert set(schemas["FindingView"]["required"]) >= {
        *("vulnerability_id", "aliases", "cve_id", "package", "severity", "status"),
        *("fixed_versions", "justification", "confidence_score", "reason", "evidence"),
    }
    assert {"completeness", "functions", "code_coverage_percent"} <= set(
        schemas["ExecutionProfile"]["properties"]
    )
