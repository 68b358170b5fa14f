"""The processes that are killed, and the jobs that they do."""

import random
import sys
import threading

from sqlalchemy import text

from vexxy.jobs.errors import RetryLater
from vexxy.jobs.ports import JobContext
from vexxy.kit import logging
from vexxy.kit.errors import Unavailable
from vexxy.worker import child
from vexxy.worker.loop import Loop
from vexxy.worker.work import Work

LEASE_SECONDS = 1
THREADS = 4
# Something that runs in a sandbox: a process, and one that made itself independent.
SANDBOX = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    time.sleep(600)
print('{"phase": 1}', flush=True)
time.sleep(float(sys.argv[1]))
print('{"phase": 2}', flush=True)
"""
EFFECT = text("insert into effects (job_id, attempt) values (:job_id, :attempt)")
EFFECTS = """
create table effects (number bigserial, job_id uuid not null, attempt int not null);
grant select, insert on effects to vexxy_system, vexxy_worker;
grant usage on effects_number_seq to vexxy_system, vexxy_worker;
"""


def pause(most_seconds: float) -> None:
    """Let a moment pass in which somebody may be killed."""
    threading.Event().wait(random.uniform(0, most_seconds))  # noqa: S311  no secret


def count(context: JobContext) -> None:
    """Have an effect once: in one commit with the end of the job."""
    pause(0.05)
    effect(context)


def sandbox(context: JobContext) -> None:
    """Run processes of the job's own before the effect."""
    marker = str(context.job.payload["marker"])
    phases: list[object] = []
    command = [sys.executable, "-I", "-S", "-c", SANDBOX, "0.1", marker]
    end = child.run(context, command, on_line=phases.append, grace_seconds=1)
    context.heartbeat()
    if end.exit_code != 0 or len(phases) != 2:
        raise RetryLater("its process was killed", delay_seconds=0.1)
    effect(context)


def effect(context: JobContext) -> None:
    organization_id = context.job.organization_id
    values = {"job_id": context.job.job_id, "attempt": context.job.attempt}
    try:
        with context.database.transaction(organization_id) as session:
            session.execute(EFFECT, values)
            pause(0.02)
            context.finish(session)
    except Unavailable as error:
        raise RetryLater("the database went away", delay_seconds=0.2) from error


WORKS = {
    "count": Work(count),
    "limited": Work(count, organization_limit=2),
    "sandbox": Work(sandbox),
}


def embedded_worker(url: str) -> None:
    logging.configure(level="CRITICAL")
    loop = Loop(url, WORKS, threads=THREADS, lease_seconds=LEASE_SECONDS, periodic=())
    loop.start()
    threading.Event().wait()


def celery_worker(url: str, redis_url: str) -> None:
    from vexxy.worker import celery_app, crew  # noqa: PLC0415  slow to load

    logging.configure(level="CRITICAL")
    crew.order(url, WORKS, concurrency=THREADS, lease_seconds=LEASE_SECONDS)
    app = celery_app.make(redis_url)
    app.worker_main(["worker", f"--concurrency={THREADS}", "--loglevel=CRITICAL"])


def celery_beat(url: str, redis_url: str) -> None:
    from vexxy.worker import celery_app  # noqa: PLC0415  slow to load
    from vexxy.worker.beat import Beat  # noqa: PLC0415  slow to load

    logging.configure(level="CRITICAL")
    app = celery_app.make(redis_url)
    beat = Beat(url, app, lease_seconds=LEASE_SECONDS, again_seconds=2, periodic=())
    beat.start()
    threading.Event().wait()
