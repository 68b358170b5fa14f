"""Celery as the carrier: lost, doubled and reordered messages change nothing."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from sqlalchemy import text

from tests.redis_server import RedisServer
from tests.service_values import an_organization
from vexxy.jobs import service
from vexxy.jobs.types import NewJob
from vexxy.kit.db import Database
from vexxy.worker import celery_app
from vexxy.worker.beat import Beat

WAIT_SECONDS = 40


@pytest.fixture(scope="module")
def broker() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def app(broker: RedisServer) -> Iterator[Celery]:
    made = celery_app.make(broker.url)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _empty(db_system: Database, broker: RedisServer) -> None:
    with db_system.transaction() as session:
        session.execute(text("delete from jobs"))
    broker.flush()


@contextmanager
def a_worker(
    url: str, broker: RedisServer, *, concurrency: int = 2
) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "tests.worker.celery_process", url, broker.url]
    with subprocess.Popen([*command, str(concurrency)]) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(WAIT_SECONDS)
            finally:
                process.kill()


@contextmanager
def a_beat(url: str, app: Celery, **more: float) -> Iterator[Beat]:
    """One that is stepped by hand."""
    beat = Beat(url, app, periodic=(), **more)  # type: ignore[arg-type]
    try:
        yield beat
    finally:
        beat.close()


@contextmanager
def a_running_beat(url: str, app: Celery, **more: float) -> Iterator[Beat]:
    with a_beat(url, app, **more) as beat:
        beat.start()
        yield beat


def enqueue(system: Database, kind: str = "noop", **more: object) -> UUID:
    organization_id = more.pop("organization_id", None)
    with system.transaction() as session:
        return service.enqueue(session, NewJob(kind, organization_id, {}, **more))  # type: ignore[arg-type]


def states(system: Database) -> dict[str, int]:
    with system.transaction() as session:
        rows = session.execute(text("select state, count(*) from jobs group by state"))
        return {row[0]: row[1] for row in rows}


def attempts(system: Database) -> int:
    with system.transaction() as session:
        return int(session.execute(text("select sum(attempts) from jobs")).scalar_one())


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it never came about"
        pause.wait(0.05)


def test_messages_are_sent_for_what_is_committed_and_once(
    database_url: str, db_system: Database, app: Celery, broker: RedisServer
) -> None:
    for _ in range(3):
        enqueue(db_system)

    with a_beat(database_url, app) as beat:
        assert [beat.step(), beat.step()] == [3, 0]
    assert broker.length("vexxy") == 3


def test_a_job_that_nobody_took_is_announced_again(
    database_url: str, db_system: Database, app: Celery, broker: RedisServer
) -> None:
    enqueue(db_system)
    with a_beat(database_url, app) as beat:
        assert beat.step() == 1
    broker.flush()

    with a_beat(database_url, app, again_seconds=0) as again:
        assert again.step() == 1
    assert broker.length("vexxy") == 1


def test_a_broker_that_is_away_leaves_the_job_unannounced(
    database_url: str, db_system: Database
) -> None:
    with RedisServer() as other:
        away = celery_app.make(other.url)
        enqueue(db_system)
        with a_beat(database_url, away) as beat:
            other.kill()
            with pytest.raises(OperationalError):
                beat.step()
            other.start()

            assert beat.step() == 1
        away.close()


def test_lost_doubled_and_reordered_messages_change_nothing(
    database_url: str, db_system: Database, app: Celery, broker: RedisServer
) -> None:
    """Messages of half the jobs are lost, of a quarter doubled, some are of no job."""
    jobs = [enqueue(db_system) for _ in range(40)]
    with a_beat(database_url, app) as beat:
        assert beat.step() == 40
    broker.flush()
    with app.producer_or_acquire() as producer:
        for job_id in [*reversed(jobs[20:30]), *jobs[20:30], *jobs[20:25]]:
            celery_app.announce(app, producer, str(job_id))
        celery_app.announce(app, producer, "no-job-at-all")
        app.send_task(celery_app.TASK, args=["no-job"], producer=producer)

    with a_worker(database_url, broker):
        until(lambda: states(db_system).get("done", 0) >= 25)
        with a_running_beat(database_url, app, again_seconds=0):
            until(lambda: states(db_system) == {"done": 40})

    assert attempts(db_system) == 40


def test_limits_hold_and_what_waited_for_them_is_called(
    database_url: str, db_system: Database, app: Celery, broker: RedisServer
) -> None:
    """Six jobs, one at a time: five messages come while the organization is at its limit,
    and no second announcement is due before this test would have failed."""
    mine = an_organization(db_system)
    for _ in range(6):
        enqueue(db_system, "alone", organization_id=mine)
    with (
        a_running_beat(database_url, app, again_seconds=10 * WAIT_SECONDS),
        a_worker(database_url, broker),
    ):
        until(lambda: states(db_system) == {"done": 6})

    assert attempts(db_system) == 6, "a handler found another one running"


def test_a_process_of_the_pool_that_dies_loses_no_job(
    database_url: str, db_system: Database, app: Celery, broker: RedisServer
) -> None:
    job_id = enqueue(db_system, "suicide")
    with (
        a_running_beat(database_url, app, lease_seconds=2),
        a_worker(database_url, broker),
    ):
        until(lambda: states(db_system) == {"done": 1})

    with db_system.transaction() as session:
        assert service.get(session, job_id).attempts == 2


@pytest.mark.alone
def test_a_stopped_worker_gives_its_job_back_at_once(
    database_url: str, db_system: Database, app: Celery, broker: RedisServer
) -> None:
    enqueue(db_system, "patient")
    with (
        a_running_beat(database_url, app),
        a_worker(database_url, broker) as process,
    ):
        until(lambda: states(db_system) == {"running": 1})
        began = time.monotonic()
        os.kill(process.pid, signal.SIGTERM)
        until(lambda: states(db_system) == {"queued": 1})
        process.wait(WAIT_SECONDS)
        assert time.monotonic() - began < 15

    assert attempts(db_system) == 0


def test_messages_are_json_and_late_acknowledged(app: Celery) -> None:
    conf = app.conf

    assert conf.accept_content == ["json"]
    assert conf.task_serializer == "json"
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert conf.worker_send_task_events
    assert conf.result_backend is None
