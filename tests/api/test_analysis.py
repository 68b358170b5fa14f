"""`/analysis`, `/sboms` and `/vex` as a program meets them."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from tests.analysis.documents.test_documents import CYCLONEDX
from tests.analysis.reevaluation.test_reevaluation import a_run
from tests.api import running
from tests.api.running import Member
from tests.fakes.values import (
    a_completeness,
    a_match,
    a_package,
    a_profile,
    a_result,
    a_verdict,
    an_image,
)
from vexxy import asgi
from vexxy.analysis.attempts import service as attempts
from vexxy.analysis.documents import service as documents
from vexxy.analysis.publication import Publisher
from vexxy.analysis.types import Observation, Result
from vexxy.bootstrap import Service
from vexxy.kit.progress import Progress
from vexxy.reachability.types import Verdict
from vexxy.sbom.types import Inventory
from vexxy.vex.types import Status

BASE = "/api/v1"
NOBODYS = UUID(int=1)
RESULT_FIELDS = {
    "job_id", "status", "image_ref", "image_digest", "vex_document", "generated_vex_id",
    "execution_profile", "reachability_results", "security_findings", "summary",
    "cost_credits", "created_at", "completed_at", "error_message",
}  # fmt: skip
STATUS_FIELDS = {
    "job_id", "status", "progress_percent", "current_phase", "created_at", "started_at",
    "estimated_completion", "completed_at", "error_message",
}  # fmt: skip
Submit = Callable[..., str]


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with running.a_service(database_url, default_tier="professional") as made:
        yield made


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with running.a_client(service) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return running.a_member(service)


@pytest.fixture
def submit(client: TestClient, member: Member) -> Submit:
    def send(**body: object) -> str:
        wanted = {"image_ref": "nginx:1.25", **body}
        answer = client.post(f"{BASE}/analysis/submit", json=wanted, headers=member.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["job_id"])

    return send


def a_found(*verdicts: Verdict, **given: object) -> Result:
    packages = tuple({one.package.purl: one.package for one in verdicts}.values())
    values: dict[str, object] = {
        "matches": tuple(a_match(one.package) for one in verdicts),
        "inventory": Inventory(None, packages or (a_package(),)),
        **given,
    }
    return a_result(*verdicts, **values)


def complete(service: Service, member: Member, job_id: str, result: Result) -> None:
    """Do what a worker does."""
    observation = Observation(an_image().image_id, result.profile, driven=True)
    with service.worker.transaction(member.organization_id) as session:
        given = UUID(job_id)
        attempts.begin(session, given, attempt=1, sealer=service.sealer)
        attempts.note_progress(session, given, Progress("Observing", 45))
        attempts.note_image(session, given, an_image())
        attempts.keep_observation(session, given, observation, resumable=True)
        attempts.complete(session, given, result, publisher=Publisher("Somebody"))


def test_a_submission_is_answered_with_what_it_will_take(
    client: TestClient, member: Member
) -> None:
    answer = client.post(
        f"{BASE}/analysis/submit",
        json={"image_ref": "nginx:1.25", "profile": "comprehensive"},
        headers=member.headers,
    )

    assert answer.status_code == 201
    body = answer.json()
    assert body["status"] == "queued"
    assert body["image_ref"] == "nginx:1.25"
    assert body["image_digest"] is None
    assert body["estimated_duration_minutes"] == 16
    # 25 for every part, and the time up to the deadline: 2 * (60 + 900) + 900 s.
    assert body["estimated_cost_credits"] == 25 + 9
    assert body["skipped_features"] == []
    assert body["created_at"].endswith("Z")


def test_the_example_of_the_contract_is_taken(client: TestClient, member: Member) -> None:
    body = {
        "image_ref": "nginx:1.25",
        "image_digest": "sha256:" + "a" * 64,
        "sbom_id": None,
        "profile": "standard",
        "config": {
            "test_script": "curl http://localhost:80",
            "test_timeout": 300,
            "analysis_duration": 300,
            "enable_fuzzing": True,
            "enable_profiling": True,
            "enable_code_coverage": False,
            "ports": [80, 443],
            "environment": {"NAME": "value"},
            "command": None,
            "health_check_path": "/",
            "health_check_timeout": 60,
        },
    }
    answer = client.post(f"{BASE}/analysis/submit", json=body, headers=member.headers)

    assert answer.status_code == 201
    assert answer.json()["image_digest"] == body["image_digest"]


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "image_ref"]),
        ({"image_ref": "-rm"}, ["body", "image_ref"]),
        ({"image_ref": "/etc/passwd"}, ["body", "image_ref"]),
        ({"image_ref": "x", "image_digest": "sha256:1"}, ["body", "image_digest"]),
        ({"image_ref": "x", "profile": "huge"}, ["body", "profile"]),
        ({"image_ref": "x", "sbom_id": "1"}, ["body", "sbom_id"]),
        ({"image_ref": "x", "surplus": 1}, ["body", "surplus"]),
        ({"image_ref": "x", "config": {"ports": [0]}}, ["body", "config", "ports", "0"]),
        ({"image_ref": "x", "config": {"ports": [1] * 33}}, ["body", "config", "ports"]),
        (
            {"image_ref": "x", "config": {"analysis_duration": 29}},
            ["body", "config", "analysis_duration"],
        ),
        (
            {"image_ref": "x", "config": {"health_check_path": "@169.254.169.254/x"}},
            ["body", "config", "health_check_path"],
        ),
        (
            {"image_ref": "x", "config": {"environment": {"A=": "b"}}},
            ["body", "config", "environment"],
        ),
        ({"image_ref": "x", "config": {"command": "'"}}, ["body", "config", "command"]),
    ],
)
def test_what_is_malformed_is_named_by_its_place(
    client: TestClient, member: Member, *, body: object, place: list[str]
) -> None:
    answer = client.post(f"{BASE}/analysis/submit", json=body, headers=member.headers)

    assert answer.status_code == 400
    assert answer.json()["error"] == "VALIDATION_ERROR"
    assert place in [found["loc"] for found in answer.json()["details"]["errors"]]


def test_a_submission_that_is_repeated_with_its_key_is_one_analysis(
    client: TestClient, member: Member
) -> None:
    headers = {**member.headers, "Idempotency-Key": str(uuid4())}
    body = {"image_ref": "nginx:1.25"}
    answers = [
        client.post(f"{BASE}/analysis/submit", json=body, headers=headers) for _ in "ab"
    ]

    assert [one.status_code for one in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    listed = client.get(f"{BASE}/analysis", headers=member.headers).json()
    assert listed["total"] == 1


def test_secrets_of_the_environment_are_never_shown(
    client: TestClient, member: Member, submit: Submit
) -> None:
    job_id = submit(config={"environment": {"TOKEN": "hunter2"}})

    for path in ("", f"/{job_id}/status", f"/{job_id}/results"):
        assert (
            "hunter2"
            not in client.get(f"{BASE}/analysis{path}", headers=member.headers).text
        )


def test_status_has_the_fields_of_the_contract(
    client: TestClient, member: Member, submit: Submit
) -> None:
    answer = client.get(f"{BASE}/analysis/{submit()}/status", headers=member.headers)

    assert answer.status_code == 200
    assert set(answer.json()) == STATUS_FIELDS
    assert answer.json()["status"] == "queued"
    assert answer.json()["progress_percent"] == 0


def test_results_answer_in_every_state(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    path = f"{BASE}/analysis/{job_id}/results"
    early = client.get(path, headers=member.headers)
    complete(service, member, job_id, a_found(a_verdict()))
    done = client.get(path, headers=member.headers)

    assert (early.status_code, done.status_code) == (200, 200)
    assert set(early.json()) >= RESULT_FIELDS
    assert set(done.json()) == set(early.json())
    absent = ("vex_document", "execution_profile", "reachability_results", "summary")
    assert {early.json()[name] for name in absent} == {None}
    body = done.json()
    assert body["status"] == "complete"
    assert body["cost_credits"] == 13
    assert body["execution_profile"]["completeness"]["partial"] is False
    (finding,) = body["reachability_results"]
    assert finding["vulnerability_id"] == "CVE-2026-0001"
    assert 0 <= finding["confidence_score"] <= 1
    assert body["vex_document"]["@context"] == "https://openvex.dev/ns/v0.2.0"
    vex = client.get(f"{BASE}/vex/{body['generated_vex_id']}", headers=member.headers)
    assert vex.json() == body["vex_document"]


def test_an_incomplete_analysis_says_so_and_costs_nothing(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    holed = a_profile(completeness=a_completeness(partial=True, reasons=("2 lost",)))
    complete(service, member, job_id, a_found(profile=holed))

    body = client.get(f"{BASE}/analysis/{job_id}/results", headers=member.headers).json()
    assert body["cost_credits"] == 0
    assert body["summary"]["incomplete"] is True
    assert body["summary"]["incomplete_reasons"] == ["2 lost"]


def test_an_image_without_findings_has_no_document(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    complete(service, member, job_id, a_found())

    body = client.get(f"{BASE}/analysis/{job_id}/results", headers=member.headers).json()
    assert body["status"] == "complete"
    assert body["vex_document"] is None
    assert body["generated_vex_id"] is None
    assert body["reachability_results"] == []


def test_analyses_are_listed_newest_first_and_filtered(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    ids = [submit(image_ref=f"image:{number}") for number in range(3)]
    complete(service, member, ids[1], a_found())

    def listed(**query: object) -> dict[str, object]:
        params = {name: str(value) for name, value in query.items()}
        answer = client.get(f"{BASE}/analysis", params=params, headers=member.headers)
        assert answer.status_code == 200
        found: dict[str, object] = answer.json()
        found["ids"] = [job["job_id"] for job in answer.json()["jobs"]]
        return found

    assert listed()["ids"] == ids[::-1]
    page = listed(skip=1, limit=1)
    assert (page["ids"], page["total"]) == ([ids[1]], 3)
    assert (page["skip"], page["limit"]) == (1, 1)
    assert listed(status_filter="complete")["ids"] == [ids[1]]
    assert listed(status_filter="queued")["total"] == 2
    assert listed(image_ref="image:0")["ids"] == [ids[0]]
    assert listed(skip=10)["ids"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "skip=-1", "status_filter=x"])
def test_a_list_has_bounds(client: TestClient, member: Member, query: str) -> None:
    answer = client.get(f"{BASE}/analysis?{query}", headers=member.headers)
    assert answer.status_code == 400


def test_a_cancelled_analysis_stays_cancelled(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    path = f"{BASE}/analysis/{job_id}"

    first = client.delete(path, headers=member.headers)
    again = client.delete(path, headers=member.headers)

    assert first.status_code == 200
    assert first.json()["status"] == "cancelled"
    assert again.status_code == 409
    assert again.json()["error"] == "RESOURCE_CONFLICT"
    with service.worker.transaction(member.organization_id) as session:
        begun = attempts.begin(session, UUID(job_id), attempt=1, sealer=service.sealer)
    assert begun is None


def test_a_complete_analysis_cannot_be_cancelled(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    complete(service, member, job_id, a_found())
    path = f"{BASE}/analysis/{job_id}"
    assert client.delete(path, headers=member.headers).status_code == 409


def test_a_viewer_reads_and_does_not_write(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    viewer = running.a_member(service, member.organization_id, role="viewer")

    path = f"{BASE}/analysis/{job_id}"
    assert client.get(f"{path}/status", headers=viewer.headers).status_code == 200
    for answer in (
        client.delete(path, headers=viewer.headers),
        client.post(f"{path}/reevaluate", headers=viewer.headers),
        client.post(
            f"{BASE}/analysis/submit", json={"image_ref": "x"}, headers=viewer.headers
        ),
        client.post(f"{BASE}/sboms", content=CYCLONEDX, headers=viewer.headers),
    ):
        assert answer.status_code == 403, answer.text


def test_what_belongs_to_others_is_not_there(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    complete(service, member, job_id, a_found(a_verdict()))
    mine = f"{BASE}/analysis/{job_id}"
    body = client.get(f"{mine}/results", headers=member.headers).json()
    sbom = client.post(f"{BASE}/sboms", content=CYCLONEDX, headers=member.headers).json()
    other = running.a_member(service)
    vex = f"{BASE}/vex/{body['generated_vex_id']}"

    for answer in (
        client.get(f"{mine}/status", headers=other.headers),
        client.get(f"{mine}/results", headers=other.headers),
        client.get(f"{mine}/events", headers=other.headers),
        client.get(f"{mine}/diff/{job_id}", headers=other.headers),
        client.delete(mine, headers=other.headers),
        client.post(f"{mine}/reevaluate", headers=other.headers),
        client.get(vex, headers=other.headers),
        client.get(f"{vex}/versions", headers=other.headers),
        client.get(f"{BASE}/sboms/{sbom['id']}", headers=other.headers),
        client.post(
            f"{BASE}/analysis/submit",
            json={"image_ref": "x", "sbom_id": sbom["id"]},
            headers=other.headers,
        ),
    ):
        assert answer.status_code == 404, answer.text
        assert answer.json()["error"] == "RESOURCE_NOT_FOUND"
    for path in ("analysis", "sboms"):
        assert client.get(f"{BASE}/{path}", headers=other.headers).json()["total"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/analysis/submit"),
        ("GET", "/analysis"),
        ("GET", f"/analysis/{NOBODYS}/status"),
        ("GET", f"/analysis/{NOBODYS}/results"),
        ("GET", f"/analysis/{NOBODYS}/events"),
        ("DELETE", f"/analysis/{NOBODYS}"),
        ("GET", f"/vex/{NOBODYS}"),
        ("GET", "/sboms"),
        ("POST", "/sboms"),
    ],
)
def test_without_credentials_there_is_nothing(
    client: TestClient, method: str, path: str
) -> None:
    assert client.request(method, f"{BASE}{path}").status_code == 401


def events(text: str) -> list[tuple[str, dict[str, object]]]:
    found = []
    for block in text.split("\n\n"):
        lines = dict(
            line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")
        )
        if "data" in lines:
            found.append((lines["id"], json.loads(lines["data"])))
    return found


def test_a_stream_tells_each_change_and_ends_with_the_analysis(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    heard: list[str] = []
    with client.stream(
        "GET", f"{BASE}/analysis/{job_id}/events", headers=member.headers
    ) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        complete(service, member, job_id, a_found())
        heard.extend(answer.iter_text())

    told = events("".join(heard))
    statuses = [data["status"] for _, data in told]
    assert statuses[-1] == "complete"
    assert set(told[0][1]) == STATUS_FIELDS
    numbers = [int(number) for number, _ in told]
    assert numbers == sorted(set(numbers))


def test_a_stream_goes_on_after_the_last_event_that_was_seen(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    path = f"{BASE}/analysis/{job_id}/events"
    complete(service, member, job_id, a_found())
    ((last, data),) = events(client.get(path, headers=member.headers).text)

    headers = {**member.headers, "Last-Event-ID": last}
    again = client.get(path, headers=headers)
    old = client.get(path, headers={**member.headers, "Last-Event-ID": "1"})
    odd = client.get(path, headers={**member.headers, "Last-Event-ID": "nonsense"})

    assert data["status"] == "complete"
    assert again.status_code == 204
    assert [number for number, _ in events(old.text)] == [last]
    assert [number for number, _ in events(odd.text)] == [last]


def test_two_analyses_are_compared(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    old, new = a_package("openssl", "3.0-1"), a_package("openssl", "3.0-2")
    same, other = a_package("zlib"), a_package("curl")
    before, after = submit(), submit()
    complete(
        service,
        member,
        before,
        a_found(
            a_verdict(package=old, fixed_versions=()),
            a_verdict(Status.NOT_AFFECTED, package=same),
            a_verdict(package=a_package("expat"), fixed_versions=()),
        ),
    )
    complete(
        service,
        member,
        after,
        a_found(
            a_verdict(Status.AFFECTED, package=same),
            a_verdict(package=other),
            a_verdict(package=a_package("expat"), fixed_versions=("2.0",)),
            inventory=Inventory(None, (new, same, other, a_package("expat"))),
        ),
    )

    answer = client.get(f"{BASE}/analysis/{before}/diff/{after}", headers=member.headers)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    found = {
        name: [item["package_purl"].split("/")[-1].split("@")[0] for item in body[name]]
        for name in ("new", "gone", "changed", "stale", "now_fixable")
    }
    assert found["new"] == ["curl"]
    assert found["gone"] == ["openssl"]
    assert "zlib" in found["changed"]
    assert found["stale"] == ["openssl"]
    assert found["now_fixable"] == ["expat"] or set(found["now_fixable"]) == {
        "curl",
        "expat",
    }
    (zlib,) = [item for item in body["changed"] if "zlib" in item["package_purl"]]
    assert (zlib["before_status"], zlib["after_status"]) == ("not_affected", "affected")
    assert body["summary"]["stale"] == 1


def test_what_is_not_complete_cannot_be_compared(
    client: TestClient, member: Member, submit: Submit
) -> None:
    one, two = submit(), submit()
    answer = client.get(f"{BASE}/analysis/{one}/diff/{two}", headers=member.headers)
    assert answer.status_code == 409
    assert answer.json()["details"]["status"] == "queued"


@pytest.mark.parametrize(
    ("form", "mark"),
    [("openvex", "@context"), ("cyclonedx", "bomFormat"), ("csaf", "document")],
)
def test_a_document_is_had_in_each_format(
    client: TestClient, service: Service, *, member: Member, submit: Submit, form: str,
    mark: str,
) -> None:  # fmt: skip
    job_id = submit()
    complete(service, member, job_id, a_found(a_verdict()))
    path = f"{BASE}/analysis/{job_id}/results"
    vex_id = client.get(path, headers=member.headers).json()["generated_vex_id"]

    answer = client.get(
        f"{BASE}/vex/{vex_id}", params={"format": form}, headers=member.headers
    )

    assert answer.status_code == 200, answer.text
    assert mark in answer.json()
    assert "CVE-2026-0001" in answer.text


def test_the_editions_of_a_document_are_listed_and_had(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    complete(service, member, job_id, a_found(a_verdict()))
    path = f"{BASE}/analysis/{job_id}/results"
    vex_id = client.get(path, headers=member.headers).json()["generated_vex_id"]
    vex = f"{BASE}/vex/{vex_id}"

    listed = client.get(f"{vex}/versions", headers=member.headers).json()
    assert [one["version"] for one in listed["versions"]] == [1]
    assert client.get(f"{vex}?version=1", headers=member.headers).status_code == 200
    assert client.get(f"{vex}?version=2", headers=member.headers).status_code == 404
    assert client.get(f"{vex}?format=sarif", headers=member.headers).status_code == 400


def test_an_sbom_comes_back_as_it_was_sent(client: TestClient, member: Member) -> None:
    sent = client.post(
        f"{BASE}/sboms",
        params={"name": "mine"},
        content=CYCLONEDX,
        headers={**member.headers, "Content-Type": "application/vnd.cyclonedx+json"},
    )
    assert sent.status_code == 201, sent.text
    body = sent.json()
    assert (body["name"], body["format"], body["packages"]) == ("mine", "cyclonedx", 1)

    back = client.get(f"{BASE}/sboms/{body['id']}", headers=member.headers)
    assert back.content == CYCLONEDX
    assert body["digest"] == f"sha256:{back.headers['x-checksum-sha256']}"
    listed = client.get(f"{BASE}/sboms", headers=member.headers).json()
    assert listed["sboms"] == [body]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b"x" * 1000])
def test_what_is_no_sbom_is_refused(
    client: TestClient, member: Member, content: bytes
) -> None:
    answer = client.post(f"{BASE}/sboms", content=content, headers=member.headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "VALIDATION_ERROR"


def test_an_sbom_over_the_limit_is_refused(database_url: str) -> None:
    with (
        running.a_service(database_url, sbom_bytes_max=2048) as small,
        running.a_client(small) as client,
    ):
        who = running.a_member(small)
        answer = client.post(f"{BASE}/sboms", content=b"{" * 4096, headers=who.headers)
    assert answer.status_code == 413
    assert answer.json()["error"] == "PAYLOAD_TOO_LARGE"


def test_what_the_plan_lacks_is_skipped_and_named(database_url: str) -> None:
    with (
        running.a_service(database_url) as free,
        running.a_client(free) as client,
    ):
        who = running.a_member(free)
        answer = client.post(
            f"{BASE}/analysis/submit",
            json={"image_ref": "x", "profile": "comprehensive"},
            headers=who.headers,
        )
    assert answer.status_code == 201
    assert answer.json()["skipped_features"] == [
        "reachability_analysis",
        "security_fuzzing",
    ]
    assert answer.json()["estimated_cost_credits"] == 13 + 9


def test_a_reevaluation_that_is_asked_for_is_on_record(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    complete(service, member, job_id, a_run())
    path = f"{BASE}/analysis/{job_id}/reevaluate"

    answer = client.post(path, headers=member.headers)

    assert answer.status_code == 202, answer.text
    acts = client.get(f"{BASE}/billing/audit-log", headers=member.headers).json()
    assert "analysis.reevaluation_requested" in str(acts)


def test_a_reevaluation_is_queued_only_of_what_was_kept(
    client: TestClient, member: Member, submit: Submit
) -> None:
    path = f"{BASE}/analysis/{submit()}/reevaluate"
    assert client.post(path, headers=member.headers).status_code == 409


def test_more_streams_than_an_organization_may_have_are_refused(
    database_url: str,
) -> None:
    with running.a_service(database_url, event_streams_per_organization=1) as one:
        who = running.a_member(one)
        with running.a_client(one) as client:
            body = {"image_ref": "x"}
            url = f"{BASE}/analysis/submit"
            job_id = client.post(url, json=body, headers=who.headers).json()["job_id"]
            path = f"{BASE}/analysis/{job_id}"
            with client.stream("GET", f"{path}/events", headers=who.headers) as stream:
                refused = client.get(f"{path}/events", headers=who.headers)
                client.delete(path, headers=who.headers)
                told = events("".join(stream.iter_text()))
    assert refused.status_code == 429
    assert refused.headers["retry-after"]
    assert told[-1][1]["status"] == "cancelled"


def test_a_result_that_is_read_again_is_what_was_decided(
    client: TestClient, service: Service, *, member: Member, submit: Submit
) -> None:
    job_id = submit()
    result = a_found(a_verdict(), container_log="a\0b")
    complete(service, member, job_id, replace(result, warnings=("old advisories",)))
    path = f"{BASE}/analysis/{job_id}/results"
    first, again = (client.get(path, headers=member.headers) for _ in "ab")
    assert first.content == again.content
    assert first.json()["summary"]["warnings"] == ["old advisories"]


def trickled(
    service: Service, headers: dict[str, str], between: Callable[[], None]
) -> tuple[int, int]:
    """Send an SBOM in two pieces; return the status and how many pieces were read."""
    half = len(CYCLONEDX) // 2
    pieces = [(CYCLONEDX[:half], True), (CYCLONEDX[half:], False)]
    statuses: list[int] = []
    read = 0

    async def receive() -> Message:
        nonlocal read
        if read:
            between()
        if read == len(pieces):
            return {"type": "http.disconnect"}
        body, more = pieces[read]
        read += 1
        return {"type": "http.request", "body": body, "more_body": more}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": f"{BASE}/sboms",
        "raw_path": f"{BASE}/sboms".encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in {"Host": "testserver", **headers}.items()
        ],
        "client": ("203.0.113.9", 4711),
        "server": ("testserver", 80),
    }
    asyncio.run(asgi.build(service)(scope, receive, send))
    return statuses[0], read


@pytest.mark.parametrize("key", [None, "a-key-of-this-test"])
def test_a_slow_upload_keeps_no_connection_of_the_database(
    service: Service, member: Member, key: str | None
) -> None:
    """Eight slow clients would otherwise stop the service for everybody."""
    taken: list[int] = []
    headers = {**member.headers, **({"Idempotency-Key": key} if key else {})}

    def between() -> None:
        taken.append(service.request.engine.pool.checkedout())  # type: ignore[attr-defined]

    assert trickled(service, headers, between) == (201, 2)
    assert taken[0] == 0


@pytest.mark.parametrize("key", [None, "a-key-of-this-test"])
@pytest.mark.parametrize("made_up", [None, "vxy_" + "A" * 64])
def test_of_a_stranger_nothing_is_read(
    service: Service, key: str | None, made_up: str | None
) -> None:
    headers = {
        **({"Idempotency-Key": key} if key else {}),
        **({"X-API-Key": made_up} if made_up else {}),
    }
    assert trickled(service, headers, lambda: None) == (401, 0)


def test_only_a_few_large_documents_are_read_at_once(
    client: TestClient, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "_places", threading.BoundedSemaphore(1))
    large = CYCLONEDX + b" " * documents.SMALL_BYTES
    path = f"{BASE}/sboms"
    with documents._place(len(large)):
        busy = client.post(path, content=large, headers=member.headers)
        small = client.post(path, content=CYCLONEDX, headers=member.headers)
    after = client.post(path, content=large, headers=member.headers)

    assert (busy.status_code, small.status_code, after.status_code) == (503, 201, 201)
