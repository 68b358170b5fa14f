"""What the database itself holds to, whoever writes: states, secrets, tenants."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.analysis.desk import SEALER, Desk
from tests.fakes.values import a_profile, a_result, an_image
from tests.service_values import an_organization
from vexxy.analysis.attempts import service as attempts
from vexxy.analysis.documents import service as documents
from vexxy.analysis.documents.errors import SbomNotFound
from vexxy.analysis.documents.service import Upload
from vexxy.analysis.publication import Publisher
from vexxy.analysis.submission import repository, service
from vexxy.analysis.submission.errors import AnalysisEnded, AnalysisNotFound, AnalysisOver
from vexxy.analysis.submission.types import Filter, Status
from vexxy.analysis.types import Observation, Profile
from vexxy.audit.types import system
from vexxy.billing.types import Tier
from vexxy.jobs import service as jobs
from vexxy.jobs.types import State
from vexxy.kit.db import Database
from vexxy.kit.progress import Progress

PUBLISHER = Publisher("Somebody")
WHOLE = {
    Status.RUNNING: "started_at = now()",
    Status.ANALYZING: "progress_percent = 80",
    Status.COMPLETE: "completed_at = now(), billed_at = now(), cost_credits = 10",
    Status.FAILED: "completed_at = now()",
    Status.CANCELLED: "completed_at = now()",
}
WAYS = {
    Status.QUEUED: [],
    Status.RUNNING: [Status.RUNNING],
    Status.ANALYZING: [Status.RUNNING, Status.ANALYZING],
    Status.COMPLETE: [Status.RUNNING, Status.ANALYZING, Status.COMPLETE],
    Status.FAILED: [Status.FAILED],
    Status.CANCELLED: [Status.CANCELLED],
}


def move(session: Session, analysis: UUID, status: Status) -> None:
    statement = (
        f"update premium_analysis_jobs set status = :s, {WHOLE[status]} where id = :i"  # noqa: S608  of this test
    )
    session.execute(text(statement), {"s": status.value, "i": analysis})


def brought(desk: Desk, db_worker: Database, status: Status) -> UUID:
    analysis = desk.submit().job_id
    with db_worker.transaction(desk.organization_id) as session:
        for step in WAYS[status]:
            move(session, analysis, step)
    return analysis


@pytest.mark.parametrize("now", list(Status))
@pytest.mark.parametrize("then", [one for one in Status if one is not Status.QUEUED])
def test_the_database_lets_only_the_ways_of_the_contract_be_gone(
    desk: Desk, db_worker: Database, *, now: Status, then: Status
) -> None:
    analysis = brought(desk, db_worker, now)
    allowed = then in {
        Status.QUEUED: {Status.RUNNING, Status.FAILED, Status.CANCELLED},
        Status.RUNNING: {Status.RUNNING, Status.ANALYZING, Status.FAILED, Status.CANCELLED},
        Status.ANALYZING: {
            *(Status.ANALYZING, Status.COMPLETE, Status.FAILED, Status.CANCELLED),
        },
    }.get(now, set())
    if now is then and now in WHOLE:
        return  # staying is asked below
    if allowed:
        with db_worker.transaction(desk.organization_id) as session:
            move(session, analysis, then)
    else:
        with (
            pytest.raises(IntegrityError),
            db_worker.transaction(desk.organization_id) as session,
        ):
            move(session, analysis, then)


@pytest.mark.parametrize("end", [Status.COMPLETE, Status.FAILED, Status.CANCELLED])
@pytest.mark.parametrize(
    "change",
    [
        "cost_credits = 99", "billed_at = now() + interval '1 s'", "image_digest = 'x'",
        "completed_at = now() + interval '1 s'", "error_message = 'x'", "retry_count = 9",
        "image_ref = 'x'", "progress_percent = 7", "status = 'queued'",
    ],
)  # fmt: skip
def test_what_is_over_is_settled(
    desk: Desk, db_worker: Database, *, end: Status, change: str
) -> None:
    analysis = brought(desk, db_worker, end)
    statement = f"update premium_analysis_jobs set {change} where id = :i"  # noqa: S608  of this test
    with (
        pytest.raises(IntegrityError),
        db_worker.transaction(desk.organization_id) as session,
    ):
        session.execute(text(statement), {"i": analysis})


def test_what_later_advisories_say_may_be_written_into_what_is_over(
    desk: Desk, db_worker: Database
) -> None:
    analysis = brought(desk, db_worker, Status.COMPLETE)
    statement = "update premium_analysis_jobs set reachability_results = '[]' where id = :i"
    with db_worker.transaction(desk.organization_id) as session:
        session.execute(text(statement), {"i": analysis})


def test_nothing_is_complete_without_being_settled(desk: Desk, db_worker: Database) -> None:
    analysis = brought(desk, db_worker, Status.ANALYZING)
    statement = (
        "update premium_analysis_jobs set status = 'complete', completed_at = now()"
        " where id = :i"
    )
    with (
        pytest.raises(IntegrityError),
        db_worker.transaction(desk.organization_id) as session,
    ):
        session.execute(text(statement), {"i": analysis})


def test_an_analysis_and_its_job_are_queued_together(
    db_system: Database, db_request: Database
) -> None:
    desk = Desk(db_system, db_request, tier=Tier.ENTERPRISE)
    accepted = desk.submit(profile=Profile.COMPREHENSIVE)
    with db_system.transaction() as session:
        row = repository.find(session, accepted.job_id)
        assert row is not None
        assert row.queue_job_id is not None
        job = jobs.get(session, row.queue_job_id)
    assert job.state is State.QUEUED
    assert job.payload == {"analysis_id": str(accepted.job_id)}
    assert job.priority == row.priority == 3
    assert job.organization_id == desk.organization_id


def test_cancelling_takes_the_job_out_of_the_queue(desk: Desk, db_system: Database) -> None:
    analysis = desk.submit().job_id
    desk.cancel(analysis)
    with db_system.transaction() as session:
        row = repository.find(session, analysis)
        assert row is not None
        assert row.queue_job_id is not None
        assert jobs.get(session, row.queue_job_id).state is State.CANCELLED


def test_an_sbom_of_another_organization_cannot_be_named(
    desk: Desk, db_system: Database, db_request: Database
) -> None:
    other = an_organization(db_system)
    content = b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}'
    with db_request.transaction(other) as session:
        upload = Upload(other, content, limit_bytes=1000)
        theirs = documents.store_sbom(session, upload, actor=system("test"))
    with pytest.raises(SbomNotFound):
        desk.submit(sbom_id=theirs.id)

    analysis = desk.submit().job_id
    with pytest.raises(IntegrityError), db_system.transaction() as session:
        session.execute(
            text("update premium_analysis_jobs set sbom_id = :s where id = :i"),
            {"s": theirs.id, "i": analysis},
        )


def test_an_analysis_of_another_organization_is_not_there(
    desk: Desk, db_system: Database, db_request: Database
) -> None:
    analysis = desk.submit().job_id
    with db_request.transaction(an_organization(db_system)) as session:
        for look in (service.get_progress, service.get_results):
            with pytest.raises(AnalysisNotFound):
                look(session, analysis)
        with pytest.raises(AnalysisNotFound):
            service.cancel(session, analysis, actor=system("test"))
        assert service.list_(session, Filter(), skip=0, limit=9) == (0, [])
        assert service.list_progress(session, [analysis]) == {}


def race(*acts: Callable[[], None]) -> list[BaseException | None]:
    """Do all at once; return what each ended with."""
    gate = threading.Barrier(len(acts))
    ended: list[BaseException | None] = [None] * len(acts)

    def run(number: int, act: Callable[[], None]) -> None:
        gate.wait()
        try:
            act()
        except (AnalysisEnded, AnalysisOver) as error:
            ended[number] = error

    threads = [
        threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


@pytest.mark.parametrize("_round", range(5))
def test_of_a_completion_and_a_cancellation_at_once_one_wins(
    desk: Desk, db_worker: Database, *, _round: int
) -> None:
    """Goal: never cancelled and charged. Method: let both race for the row."""
    analysis = desk.submit().job_id
    with db_worker.transaction(desk.organization_id) as session:
        attempts.begin(session, analysis, attempt=1, sealer=SEALER)
        seen = Observation(an_image().image_id, a_profile(), driven=True)
        attempts.keep_observation(session, analysis, seen, resumable=True)

    def complete() -> None:
        with db_worker.transaction(desk.organization_id) as session:
            attempts.complete(session, analysis, a_result(), publisher=PUBLISHER)

    completed, cancelled = race(complete, lambda: desk.cancel(analysis))

    assert (completed is None) != (cancelled is None)
    with db_worker.transaction(desk.organization_id) as session:
        row = repository.find(session, analysis)
        assert row is not None
        assert row.status == ("complete" if completed is None else "cancelled")
        assert (row.billed_at is not None) == (completed is None)


def test_two_workers_that_complete_at_once_charge_once(
    desk: Desk, db_worker: Database
) -> None:
    analysis = desk.submit().job_id
    with db_worker.transaction(desk.organization_id) as session:
        attempts.begin(session, analysis, attempt=1, sealer=SEALER)
        seen = Observation(an_image().image_id, a_profile(), driven=True)
        attempts.keep_observation(session, analysis, seen, resumable=True)

    def complete() -> None:
        with db_worker.transaction(desk.organization_id) as session:
            attempts.complete(session, analysis, a_result(), publisher=PUBLISHER)

    ended = race(complete, complete, complete)

    assert sum(one is None for one in ended) == 1


def test_progress_never_tells_that_it_is_done_before_it_is(
    desk: Desk, db_worker: Database
) -> None:
    analysis = desk.submit().job_id
    with db_worker.transaction(desk.organization_id) as session:
        attempts.begin(session, analysis, attempt=1, sealer=SEALER)
        before = service.get_progress(session, analysis)
        attempts.note_progress(session, analysis, Progress("Cleaning up", 100))
        after = service.get_progress(session, analysis)
    assert after.progress_percent == 99
    assert after.revision == before.revision + 1
    assert after.estimated_completion is not None
    assert after.estimated_completion > datetime.now(UTC)
