"""A worker of Celery's with jobs of tests; run as a program."""

import os
import signal
import sys
import threading

from sqlalchemy import text

from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.worker import celery_app, crew
from vexxy.worker.work import Work


def nothing(context: JobContext) -> None:
    pass


def alone(context: JobContext) -> None:
    """Fail if another one of the organization runs."""
    with context.database.transaction(context.job.organization_id) as session:
        running = session.execute(
            text("select count(*) from jobs where state = 'running'")
        ).scalar_one()
    assert running == 1


def suicide(context: JobContext) -> None:
    if context.job.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)


def patient(context: JobContext) -> None:
    pause = threading.Event()
    while not context.cancelled():
        pause.wait(0.05)
    context.heartbeat()


WORKS = {
    "noop": Work(nothing),
    "alone": Work(alone, organization_limit=1),
    "suicide": Work(suicide),
    "patient": Work(patient),
}


def main(url: str, redis_url: str, concurrency: str) -> None:
    logging.configure(level="ERROR")
    crew.order(url, WORKS, concurrency=int(concurrency), lease_seconds=2)
    app = celery_app.make(redis_url)
    app.worker_main(["worker", f"--concurrency={concurrency}", "--loglevel=ERROR"])


if __name__ == "__main__":
    main(*sys.argv[1:])
