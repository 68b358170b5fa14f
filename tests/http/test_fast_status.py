"""The fast path answers what the ordinary one would, and nothing else."""

import asyncio
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text
from starlette.testclient import TestClient

from tests.api.running import Member, a_member, a_service
from vexxy.analysis.submission import service as submission
from vexxy.analysis.submission.types import Progress
from vexxy.bootstrap import Service
from vexxy.http import app as floor
from vexxy.http.deps import Caller, Transaction
from vexxy.http.fast_status import ROUTE, FastStatus
from vexxy.http.routing import Router
from vexxy.kit import ids
from vexxy.kit.reads import Reads

INSERT = text(
    "insert into premium_analysis_jobs (id, organization_id, image_ref, profile, config,"
    " status, deadline_seconds, estimated_duration_minutes, estimated_cost_credits,"
    " created_at) values (:id, :organization_id, 'nginx:1.25', 'standard', '{}', 'queued',"
    " 60, 5, 18, now())"
)


def encoded(progress: Progress) -> bytes:
    return msgspec.json.encode({"by": "the fast path", "progress": progress})


@contextmanager
def serving(service: Service, reads: Reads) -> Iterator[TestClient]:
    layer = functools.partial(FastStatus, service=service, reads=reads, write=encoded)
    app = floor.create(service, inner=[layer], endings=[reads.close])
    router = Router()

    @router.get(ROUTE)
    def ordinary(job_id: UUID, session: Transaction, who: Caller) -> dict[str, object]:
        found = submission.get_progress(session, job_id)
        return {"by": "the route", "progress": msgspec.to_builtins(found)}

    app.include_router(router)
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def service(database_url: str) -> Iterator[Service]:
    with a_service(database_url) as made:
        yield made


@pytest.fixture
def client(service: Service, database_url: str) -> Iterator[TestClient]:
    with serving(service, Reads(database_url, connections=2)) as made:
        yield made


@pytest.fixture
def member(service: Service) -> Member:
    return a_member(service, role="viewer")


def an_analysis(service: Service, organization_id: UUID, *, running: bool = False) -> UUID:
    analysis_id = ids.new_id()
    with service.request.transaction(organization_id) as session:
        session.execute(INSERT, {"id": analysis_id, "organization_id": organization_id})
        if running:
            session.execute(
                text(
                    "update premium_analysis_jobs set status = 'running',"
                    " started_at = now(),"
                    " progress_percent = 15, current_phase = 'deploy' where id = :id"
                ),
                {"id": analysis_id},
            )
    return analysis_id


@pytest.mark.parametrize("running", [False, True])
def test_it_says_what_the_ordinary_route_says(
    client: TestClient, service: Service, member: Member, *, running: bool
) -> None:
    analysis_id = an_analysis(service, member.organization_id, running=running)
    path = f"/api/v1/analysis/{analysis_id}/status"
    fast = client.get(path, headers=member.headers)
    with serving(service, Reads("postgresql://nobody@127.0.0.1:1/none")) as slow_client:
        slow = slow_client.get(path, headers=member.headers)
    assert (fast.status_code, slow.status_code) == (200, 200)
    assert fast.json()["by"] == "the fast path"
    assert slow.json()["by"] == "the route", "a database that is away is left to the route"
    assert fast.json()["progress"] == slow.json()["progress"]
    assert set(fast.headers) == set(slow.headers)
    assert fast.headers["Content-Type"] == slow.headers["Content-Type"]


def test_what_is_not_ours_is_left_to_the_route(
    client: TestClient, service: Service, member: Member
) -> None:
    stranger = a_member(service)
    theirs = an_analysis(service, stranger.organization_id)
    for analysis_id in (theirs, ids.new_id()):
        answer = client.get(
            f"/api/v1/analysis/{analysis_id}/status", headers=member.headers
        )
        assert answer.status_code == 404
        assert answer.json()["error"] == "RESOURCE_NOT_FOUND"
    mine = client.get(f"/api/v1/analysis/{theirs}/status", headers=stranger.headers)
    assert mine.json()["by"] == "the fast path"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic eDp5"},
        {"X-API-Key": "vxy_nonsense"},
    ],
    ids=repr,
)
def test_credentials_that_do_not_hold_are_left_to_the_route(
    client: TestClient, service: Service, member: Member, headers: dict[str, str]
) -> None:
    analysis_id = an_analysis(service, member.organization_id)
    answer = client.get(f"/api/v1/analysis/{analysis_id}/status", headers=headers)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        "update users set is_active = false where id = :id",
        "update users set token_generation = token_generation + 1 where id = :id",
    ],
)
def test_a_proof_that_is_remembered_holds_no_longer_than_its_user(
    client: TestClient, service: Service, member: Member, change: str
) -> None:
    analysis_id = an_analysis(service, member.organization_id)
    path = f"/api/v1/analysis/{analysis_id}/status"
    assert client.get(path, headers=member.headers).status_code == 200
    with service.system.transaction() as session:
        session.execute(text(change), {"id": member.user_id})
    assert client.get(path, headers=member.headers).status_code == 401


def test_a_member_who_moved_takes_no_token_along(
    client: TestClient, service: Service, member: Member
) -> None:
    analysis_id = an_analysis(service, member.organization_id)
    elsewhere = a_member(service)
    with service.system.transaction() as session:
        session.execute(
            text("update users set organization_id = :to where id = :id"),
            {"id": member.user_id, "to": elsewhere.organization_id},
        )
    path = f"/api/v1/analysis/{analysis_id}/status"
    assert client.get(path, headers=member.headers).status_code == 401


def test_it_is_counted_against_the_organization(database_url: str) -> None:
    with (
        a_service(database_url, rate_limit_per_organization=12) as service,
        serving(service, Reads(database_url)) as client,
    ):
        member = a_member(service)
        path = f"/api/v1/analysis/{an_analysis(service, member.organization_id)}/status"
        statuses = [client.get(path, headers=member.headers).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_a_statement_leaves_no_organization_behind(
    client: TestClient, service: Service, member: Member, database_url: str
) -> None:
    """The connection is used again, by whoever comes next."""
    analysis_id = an_analysis(service, member.organization_id)

    async def look() -> tuple[str | None, str]:
        reads = Reads(database_url, connections=1)
        query = "select * from vexxy_analysis_status($1, $2, null, $3)"
        await reads.row(query, member.organization_id, member.user_id, analysis_id)
        left = await reads.row(
            "select current_setting('vexxy.organization_id', true), current_user::text,"
            " (select count(*) from premium_analysis_jobs)"
        )
        await reads.close()
        assert left is not None
        assert left[2] == 0
        return left[0], left[1]

    bound, role = asyncio.run(look())
    assert not bound
    assert role == "vexxy_request"
