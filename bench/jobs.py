"""The queue: enqueue, no-op jobs embedded and through Celery, submit to start.

Each figure stands beside a bare limit that was measured in the same run: a single-row
insert with its commit, a bare loop of SKIP LOCKED. Commits are durable throughout.
"""

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg

from tests.redis_server import RedisServer
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.jobs import service as jobs
from vexxy.jobs.ports import JobContext
from vexxy.jobs.types import NewJob
from vexxy.kit.db import Database, Role
from vexxy.migrations import service as migrations
from vexxy.worker.loop import Loop
from vexxy.worker.work import Work

ROWS: Final = 3000
PROBES: Final = 300
PAUSE_SECONDS: Final = 0.02
WORKERS: Final = 2
PATIENCE_SECONDS: Final = 120
NEW: Final = NewJob("noop", None, {})


def nothing(_context: JobContext) -> None:
    """Do nothing."""


WORKS: Final = {"noop": Work(nothing)}


def main() -> int:
    """Print the figures; return 1 if one misses its aim."""
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data")
        try:
            migrations.upgrade(running.url)
            return measure(running.url)
        finally:
            running.stop()


def measure(url: str) -> int:
    """Measure everything on one database."""
    dsn = url.replace("postgresql+psycopg", "postgresql")
    system = Database(url, role=Role.SYSTEM)
    bare_insert = insert_bare(dsn)
    enqueued = enqueue_each(system)
    clear(dsn)
    bare_loop = loop_bare(dsn)
    embedded = run_queued(dsn, system, lambda: embedded_workers(url))
    p50, p99 = submit_to_start(dsn, system, lambda: embedded_workers(url))
    with RedisServer() as broker:
        celery = run_queued(dsn, system, lambda: celery_workers(url, broker.url))
        celery_p50, celery_p99 = submit_to_start(
            dsn, system, lambda: celery_workers(url, broker.url)
        )
    system.close()
    rows = [
        ("enqueue/s, one client", enqueued, bare_insert, "insert and commit/s", 200.0),
        ("no-op jobs/s, 2 threads", embedded, bare_loop, "bare SKIP LOCKED/s", 800.0),
        ("no-op jobs/s, Celery, 2 processes", celery, bare_loop, "the same", 300.0),
    ]
    for name, figure, limit, what, aim in rows:
        print(
            f"{name:36}{figure:8.0f}   {figure / limit:5.2f} x {what} ({limit:.0f});"
            f" aim {aim:.0f}"
        )
    print(f"{'submit to start, idle, ms':36} p50 {p50:6.1f}  p99 {p99:6.1f}; aim p99 100")
    print(f"{'  through Celery':36} p50 {celery_p50:6.1f}  p99 {celery_p99:6.1f}")
    missed = any(figure < aim for _, figure, _, _, aim in rows) or p99 >= 100
    return int(missed)


def insert_bare(dsn: str) -> float:
    """Return single-row inserts with their commits, a second, of one client."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create table bare (id serial primary key, state text)")
        began = time.perf_counter()
        for _ in range(ROWS):
            connection.execute("insert into bare (state) values ('queued')")
        return ROWS / (time.perf_counter() - began)


def enqueue_each(system: Database) -> float:
    """Return enqueued jobs a second, each in a transaction of its own."""
    began = time.perf_counter()
    for _ in range(ROWS):
        with system.transaction() as session:
            jobs.enqueue(session, NEW)
    return ROWS / (time.perf_counter() - began)


def loop_bare(dsn: str) -> float:
    """Return rows a second that two threads take and mark, by the shortest SQL."""

    def work() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while row := connection.execute(
                "update bare set state = 'running' where id = (select id from bare where"
                " state = 'queued' order by id limit 1 for update skip locked) returning id"
            ).fetchone():
                connection.execute("update bare set state = 'done' where id = %s", row)

    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create index bare_queued on bare (id) where state = 'queued'")
    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ROWS / (time.perf_counter() - began)


@contextmanager
def embedded_workers(url: str) -> Iterator[None]:
    """Run the threads of `vexxy worker`, in this process."""
    loop = Loop(url, WORKS, threads=WORKERS)
    loop.start()
    try:
        yield
    finally:
        loop.close()


@contextmanager
def celery_workers(url: str, redis_url: str) -> Iterator[None]:
    """Run `vexxy worker` and `vexxy beat` with Celery, in processes of their own."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.jobs", role, url, redis_url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for role in ("worker", "beat")
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def run_queued(dsn: str, system: Database, workers: Callable[[], object]) -> float:
    """Return jobs a second, from the first claim to the last end."""
    clear(dsn)
    with system.transaction() as session:
        for _ in range(ROWS):
            jobs.enqueue(session, NEW)
    with workers():  # type: ignore[attr-defined]
        await_done(dsn, ROWS)
    with psycopg.connect(dsn) as connection:
        connection.execute("set role vexxy_system")
        row = connection.execute(
            "select extract(epoch from max(finished_at) - min(claimed_at)) from jobs"
            " where kind = 'noop'"
        ).fetchone()
    assert row is not None
    return ROWS / float(row[0])


def submit_to_start(
    dsn: str, system: Database, workers: Callable[[], object]
) -> tuple[float, float]:
    """Return median and 99th percentile, in milliseconds, from the call to the claim."""
    clear(dsn)
    called = {}
    with workers():  # type: ignore[attr-defined]
        with system.transaction() as session:
            jobs.enqueue(session, NEW)
        await_done(dsn, 1)
        time.sleep(1)
        for _ in range(PROBES):
            began = time.time()
            with system.transaction() as session:
                called[jobs.enqueue(session, NEW)] = began
            time.sleep(PAUSE_SECONDS)
        await_done(dsn, PROBES + 1)
    with psycopg.connect(dsn) as connection:
        connection.execute("set role vexxy_system")
        rows = connection.execute(
            "select id, extract(epoch from claimed_at) from jobs where kind = 'noop'"
        ).fetchall()
    waits = [1000 * (float(at) - called[one]) for one, at in rows if one in called]
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49], cuts[98]


def clear(dsn: str) -> None:
    """Empty the queue, and give its room back."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("truncate jobs")
        connection.execute("analyze jobs")


def await_done(dsn: str, number: int) -> None:
    """Wait until so many jobs are done."""
    ends = time.monotonic() + PATIENCE_SECONDS
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set role vexxy_system")
        while True:
            row = connection.execute(
                "select count(*) from jobs where state = 'done' and kind = 'noop'"
            ).fetchone()
            assert row is not None
            if row[0] >= number:
                return
            assert time.monotonic() < ends, f"{row[0]} of {number} were done"
            time.sleep(0.2)


def serve(role: str, url: str, redis_url: str) -> None:
    """Be one of the processes of `celery_workers`."""
    from vexxy.worker import celery_app, crew  # noqa: PLC0415  not for embedded ones
    from vexxy.worker.beat import Beat  # noqa: PLC0415  the same

    app = celery_app.make(redis_url)
    if role == "beat":
        beat = Beat(url, app)
        beat.start()
        threading.Event().wait()
    crew.order(url, WORKS, concurrency=WORKERS)
    app.worker_main(["worker", f"--concurrency={WORKERS}", "--loglevel=WARNING"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(*sys.argv[1:])
    else:
        sys.exit(main())
