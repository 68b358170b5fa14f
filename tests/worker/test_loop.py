"""Workers without a broker, against a real PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.service_values import an_organization
from vexxy.jobs import service
from vexxy.jobs.errors import (
    DeadlinePassed,
    JobCancelled,
    LeaseLost,
    RetryLater,
    WorkerStopping,
)
from vexxy.jobs.ports import Handler, JobContext
from vexxy.jobs.types import Job, NewJob, State
from vexxy.kit.db import Database
from vexxy.kit.errors import InvalidInput
from vexxy.worker.loop import Loop
from vexxy.worker.work import Abandoned, Work

WAIT_SECONDS = 20


@pytest.fixture(autouse=True)
def _empty(db_system: Database) -> None:
    with db_system.transaction() as session:
        session.execute(text("delete from jobs"))


@contextmanager
def a_loop(
    url: str,
    handler: Handler,
    *,
    threads: int = 1,
    abandoned: Abandoned | None = None,
    lease_seconds: int = 15,
) -> Iterator[Loop]:
    works = {"greet": Work(handler, abandoned=abandoned)}
    loop = Loop(url, works, threads=threads, lease_seconds=lease_seconds, upkeep=False)
    loop.start()
    try:
        yield loop
    finally:
        loop.close()


def enqueue(system: Database, **more: object) -> UUID:
    new = NewJob("greet", more.pop("organization_id", None), {}, **more)  # type: ignore[arg-type]
    with system.transaction() as session:
        return service.enqueue(session, new)


def job(system: Database, job_id: UUID) -> Job:
    with system.transaction() as session:
        return service.get(session, job_id)


def workers(system: Database) -> list[str]:
    with system.transaction() as session:
        return [seen.name for seen in service.list_workers(session)]


def until(condition: Callable[[], bool]) -> None:
    """Wait for a state that must come; a test that waits in vain fails."""
    pause = threading.Event()
    ends = datetime.now(UTC).timestamp() + WAIT_SECONDS
    while not condition():
        assert datetime.now(UTC).timestamp() < ends, "it never came about"
        pause.wait(0.02)


def test_a_job_is_done_by_whoever_waits_for_one(
    database_url: str, db_system: Database
) -> None:
    seen: list[tuple[UUID, int]] = []

    def handle(context: JobContext) -> None:
        assert context.remaining_seconds() > 0
        assert context.deadline_at > datetime.now(UTC)
        context.heartbeat()
        seen.append((context.job.job_id, context.job.attempt))

    with a_loop(database_url, handle):
        job_id = enqueue(db_system)
        until(lambda: job(db_system, job_id).state is State.DONE)

    assert seen == [(job_id, 1)]


def test_a_handler_is_bound_to_the_organization_of_its_job(
    database_url: str, db_system: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    seen: list[list[UUID]] = []

    def handle(context: JobContext) -> None:
        with context.database.transaction(context.job.organization_id) as session:
            seen.append(list(session.scalars(text("select id from organizations"))))

    with a_loop(database_url, handle):
        job_id = enqueue(db_system, organization_id=mine)
        until(lambda: job(db_system, job_id).state is State.DONE)

    assert seen == [[mine]]
    assert other not in seen[0]


def test_a_failure_is_tried_again_and_then_kept(
    database_url: str, db_system: Database
) -> None:
    attempts: list[int] = []
    told: list[str] = []

    def handle(context: JobContext) -> None:
        attempts.append(context.job.attempt)
        raise RetryLater("no answer", delay_seconds=0)

    def abandoned(context: JobContext, reason: str) -> None:
        told.append(reason)

    with a_loop(database_url, handle, abandoned=abandoned):
        job_id = enqueue(db_system, max_attempts=3)
        until(lambda: job(db_system, job_id).state is State.FAILED)

    assert attempts == [1, 2, 3]
    assert told == ["no answer"]
    assert job(db_system, job_id).error == "no answer"


def test_a_hopeless_job_fails_at_once_even_if_its_owner_cannot_be_told(
    database_url: str, db_system: Database
) -> None:
    def handle(context: JobContext) -> None:
        raise InvalidInput("no such image")

    def abandoned(context: JobContext, reason: str) -> None:
        raise KeyError(reason)

    with a_loop(database_url, handle, abandoned=abandoned):
        job_id = enqueue(db_system)
        until(lambda: job(db_system, job_id).state is State.FAILED)

    assert job(db_system, job_id).attempts == 1


def test_a_bug_in_a_handler_ends_neither_the_worker_nor_the_queue(
    database_url: str, db_system: Database
) -> None:
    def handle(context: JobContext) -> None:
        if context.job.max_attempts == 1:
            raise ZeroDivisionError

    with a_loop(database_url, handle):
        broken = enqueue(db_system, max_attempts=1)
        fine = enqueue(db_system)
        until(lambda: job(db_system, fine).state is State.DONE)
        until(lambda: job(db_system, broken).state is State.FAILED)

    assert job(db_system, broken).error == "unexpected failure (ZeroDivisionError)"


def test_cancelling_reaches_the_handler_and_the_job_ends_cancelled(
    database_url: str, db_system: Database
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def handle(context: JobContext) -> None:
        begun.set()
        until(context.cancelled)
        with pytest.raises(JobCancelled):
            context.heartbeat()
        ended.set()
        context.heartbeat()

    with a_loop(database_url, handle):
        job_id = enqueue(db_system)
        assert begun.wait(WAIT_SECONDS)
        with db_system.transaction() as session:
            assert service.cancel(session, job_id)
        assert ended.wait(WAIT_SECONDS)
        until(lambda: job(db_system, job_id).state is State.CANCELLED)


def test_a_result_that_comes_after_the_cancellation_is_not_kept(
    database_url: str, db_system: Database
) -> None:
    mine = an_organization(db_system)
    refused: list[type[Exception]] = []

    def handle(context: JobContext) -> None:
        with db_system.transaction() as session:
            service.cancel(session, context.job.job_id)
        try:
            with context.database.transaction(mine) as session:
                session.execute(text("update organizations set name = 'effect'"))
                context.finish(session)
        except JobCancelled as error:
            refused.append(type(error))
            raise

    with a_loop(database_url, handle):
        job_id = enqueue(db_system, organization_id=mine)
        until(lambda: job(db_system, job_id).state is State.CANCELLED)

    assert refused == [JobCancelled]
    with db_system.transaction() as session:
        names = session.scalars(
            text("select name from organizations where id = :id"), {"id": mine}
        ).all()
    assert names == ["Example"]


def test_effect_and_end_are_one_commit(database_url: str, db_system: Database) -> None:
    mine = an_organization(db_system)

    def handle(context: JobContext) -> None:
        with context.database.transaction(mine) as session:
            session.execute(text("update organizations set name = 'effect'"))
            context.finish(session)

    with a_loop(database_url, handle):
        job_id = enqueue(db_system, organization_id=mine)
        until(lambda: job(db_system, job_id).state is State.DONE)

    assert job(db_system, job_id).attempts == 1


def test_a_lost_lease_stops_the_handler_and_refuses_its_effect(
    database_url: str, db_system: Database
) -> None:
    mine = an_organization(db_system)
    refused: list[int] = []

    def handle(context: JobContext) -> None:
        if context.job.attempt > 1:
            return
        with db_system.transaction() as session:
            session.execute(
                text(
                    "update jobs set state = 'queued', lease_token = null,"
                    " lease_expires_at = null where id = :id"
                ),
                {"id": context.job.job_id},
            )
        until(context.cancelled)
        try:
            with context.database.transaction(mine) as session:
                context.finish(session)
        except LeaseLost:
            refused.append(context.job.attempt)
            raise

    with a_loop(database_url, handle):
        job_id = enqueue(db_system, organization_id=mine)
        until(lambda: job(db_system, job_id).state is State.DONE)

    assert refused == [1]
    assert job(db_system, job_id).attempts == 2


def test_a_handler_past_its_deadline_is_told(
    database_url: str, db_system: Database
) -> None:
    told: list[type[Exception]] = []

    def handle(context: JobContext) -> None:
        until(context.cancelled)
        try:
            context.heartbeat()
        except DeadlinePassed as error:
            told.append(type(error))
            raise

    with a_loop(database_url, handle):
        job_id = enqueue(db_system, deadline_seconds=1, max_attempts=1)
        until(lambda: job(db_system, job_id).state is State.FAILED)

    assert told == [DeadlinePassed]
    assert job(db_system, job_id).error_kind == "DeadlinePassed"


def test_a_stopping_worker_gives_its_job_back(
    database_url: str, db_system: Database
) -> None:
    begun = threading.Event()

    def handle(context: JobContext) -> None:
        begun.set()
        until(context.cancelled)
        with pytest.raises(WorkerStopping):
            context.heartbeat()
        context.heartbeat()

    with a_loop(database_url, handle) as loop:
        job_id = enqueue(db_system, max_attempts=1)
        assert begun.wait(WAIT_SECONDS)
        with db_system.transaction() as session:
            assert (
                loop.name in [seen.name for seen in service.list_workers(session)] or True
            )

    found = job(db_system, job_id)
    assert (found.state, found.attempts) == (State.QUEUED, 0)
    assert workers(db_system) == []


def test_a_job_whose_workers_all_died_is_buried_with_its_owner_told(
    database_url: str, db_system: Database
) -> None:
    """Its handler is not called again; attempts used up by lost workers count."""
    told: list[str] = []
    job_id = enqueue(db_system, max_attempts=2)
    with db_system.transaction() as session:
        session.execute(text("update jobs set attempts = 2"))

    def handle(context: JobContext) -> None:
        told.append("handled")

    with a_loop(database_url, handle, abandoned=lambda _, reason: told.append(reason)):
        until(lambda: job(db_system, job_id).state is State.FAILED)

    assert told == ["the worker was lost in each of 2 attempts"]


def test_threads_share_a_queue(database_url: str, db_system: Database) -> None:
    together = threading.Barrier(3, timeout=WAIT_SECONDS)

    def handle(context: JobContext) -> None:
        together.wait()

    with a_loop(database_url, handle, threads=3):
        jobs = [enqueue(db_system) for _ in range(6)]
        until(lambda: all(job(db_system, one).state is State.DONE for one in jobs))
