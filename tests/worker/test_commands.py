"""`vexxy worker` and `vexxy beat` as a person starts them."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.redis_server import RedisServer
from vexxy.jobs import service
from vexxy.jobs.types import NewJob, State
from vexxy.kit.db import Database

WAIT_SECONDS = 60


@contextmanager
def running(*arguments: str, **environment: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "vexxy", *arguments]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    ) as process:
        drained = threading.Thread(target=lambda: list(process.stderr or ()), daemon=True)
        drained.start()
        try:
            yield process
        finally:
            process.kill()
            drained.join()


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + WAIT_SECONDS
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < ends, "it never came about"
        pause.wait(0.1)


def is_done(system: Database) -> bool:
    with system.transaction() as session:
        latest = service.find_latest(session, "retention")
        return latest is not None and latest.state is State.DONE


def stop(process: "subprocess.Popen[str]") -> int:
    process.send_signal(signal.SIGTERM)
    return process.wait(WAIT_SECONDS)


@pytest.fixture
def environment(database_url: str, db_system: Database, tmp_path: Path) -> dict[str, str]:
    with db_system.transaction() as session:
        session.execute(text("delete from jobs"))
        session.execute(text("delete from job_schedule"))
    return {
        "DATABASE_URL": database_url,
        "VEXXY_DATA_DIRECTORY": str(tmp_path),
        "REDIS_URL": "",
    }


def test_a_worker_alone_does_everything(
    environment: dict[str, str], db_system: Database
) -> None:
    """Nobody enqueues here: it is the worker's own periodic work that it does."""
    with running("worker", "--concurrency", "1", **environment) as worker:
        until(lambda: is_done(db_system))
        with db_system.transaction() as session:
            (seen,) = service.list_workers(session)
        assert seen.detail["broker"] == "none"

        assert stop(worker) == 0

    with db_system.transaction() as session:
        assert service.list_workers(session) == []


def test_worker_and_beat_share_the_work_by_redis(
    environment: dict[str, str], db_system: Database
) -> None:
    with RedisServer() as broker:
        environment["REDIS_URL"] = broker.url
        with (
            running("worker", "--concurrency", "1", **environment) as worker,
            running("beat", **environment) as beat,
        ):
            until(lambda: is_done(db_system))

            assert (stop(beat), stop(worker)) == (0, 0)


def test_beat_without_a_broker_says_that_it_is_not_needed(
    environment: dict[str, str],
) -> None:
    command = [sys.executable, "-m", "vexxy", "beat"]
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "run `vexxy worker` alone" in done.stderr


def test_a_job_of_an_unknown_kind_waits_for_a_worker_that_knows_it(
    environment: dict[str, str], db_system: Database
) -> None:
    with db_system.transaction() as session:
        job_id = service.enqueue(session, NewJob("from_the_future", None, {}))
    with running("worker", "--concurrency", "1", **environment) as worker:
        until(lambda: is_done(db_system))
        assert stop(worker) == 0
    with db_system.transaction() as session:
        assert service.get(session, job_id).state is State.QUEUED
