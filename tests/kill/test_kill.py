"""Kill -9 of workers, their processes, the broker and the database.

Thirty-five rounds, and with VEXXY_TEST_KILLS (`make nightly`) a hundred. A round puts jobs
into the queue and kills somebody at a random moment while the jobs of this round and of
earlier ones are worked on; whoever was killed is started again at once. At the end every
job has had its effect exactly once, and no process is left.
"""

import os
import random
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from tests.kill import processes
from tests.redis_server import RedisServer
from tests.service_values import an_organization
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.integrations.embedded_postgres.server import Server
from vexxy.jobs import service
from vexxy.jobs.types import NewJob
from vexxy.kit import ids
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import Unavailable
from vexxy.migrations import service as migrations
from vexxy.worker.guard import descendants

pytestmark = pytest.mark.alone

EMBEDDED_ROUNDS = {"worker": 36, "process": 20, "database": 14}
CELERY_ROUNDS = {"broker": 9, "pool process": 13, "worker": 3, "beat": 3, "database": 2}
EVERY_ROUND = bool(os.environ.get("VEXXY_TEST_KILLS"))
MOMENT_SECONDS = 0.25
DRAIN_SECONDS = 120


def test_there_are_a_hundred_rounds() -> None:
    rounds = sum(EMBEDDED_ROUNDS.values()) + sum(CELERY_ROUNDS.values())
    assert rounds == 100
    killed = len(shuffled(EMBEDDED_ROUNDS)) + len(shuffled(CELERY_ROUNDS))
    assert killed == (100 if EVERY_ROUND else 35)


@dataclass
class Scene:
    """A database of its own, the processes at work, and the jobs they were given."""

    server: Server
    system: Database
    organizations: list[UUID]
    posts: dict[str, tuple[Callable[..., None], tuple[str, ...]]] = field(
        default_factory=dict
    )
    running: dict[str, BaseProcess] = field(default_factory=dict)
    jobs: list[UUID] = field(default_factory=list)
    marker: str = field(default_factory=lambda: f"kill-test-{ids.new_id().hex}")

    def employ(self, name: str, target: Callable[..., None], *arguments: str) -> None:
        """Have the process run from now on, as a supervisor of services does."""
        self.posts[name] = (target, arguments)
        self.start(name)

    def start(self, name: str) -> None:
        target, arguments = self.posts[name]
        process = nursery.Process(target=target, args=arguments)
        process.start()
        self.running[name] = process

    def supervise(self) -> None:
        """Start again who ended: Celery does when it loses too much at once."""
        for name, process in self.running.items():
            if not process.is_alive():
                process.join()
                self.start(name)

    def enqueue(self) -> None:
        """Ten jobs of every kind, for organizations and for none."""
        new = [
            NewJob(kind, organization_id, {"marker": self.marker}, max_attempts=100)
            for kind, organization_id in zip(
                ["count"] * 6 + ["limited"] * 2 + ["sandbox"] * 2,
                [None, *self.organizations] * 4,
                strict=False,
            )
        ]
        ends = time.monotonic() + DRAIN_SECONDS
        while True:
            # Nothing is enqueued, or all of it: a lost answer to a commit is looked up.
            try:
                with self.system.transaction() as session:
                    batch = [service.enqueue(session, one) for one in new]
            except Unavailable:
                assert time.monotonic() < ends
                threading.Event().wait(0.1)
            else:
                self.jobs += batch
                return

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.join()

    def kill_something_below(self, name: str) -> None:
        """Kill any process that a worker started; there may be none at the moment."""
        below = descendants(self.running[name].pid or 0)
        if below:
            with suppress(ProcessLookupError):
                os.kill(random.choice(below), signal.SIGKILL)  # noqa: S311  no secret

    def kill_database(self) -> None:
        os.kill(self.server.pid, signal.SIGKILL)
        while self.server.is_alive():
            threading.Event().wait(0.01)
        self.server.run()

    def await_progress(self) -> None:
        """Wait until work goes on again: Celery takes seconds to begin."""
        began = self.effects()
        ends = time.monotonic() + DRAIN_SECONDS
        while self.effects() == began:
            assert time.monotonic() < ends, "nobody works"
            self.supervise()
            threading.Event().wait(0.05)

    def effects(self) -> int:
        with suppress(Unavailable), self.system.transaction() as session:
            return int(session.execute(text("select count(*) from effects")).scalar_one())
        return -1

    def drain(self) -> None:
        ends = time.monotonic() + DRAIN_SECONDS
        while True:
            with suppress(Unavailable), self.system.transaction() as session:
                left = session.execute(
                    text(
                        "select kind, state, count(*), max(attempts), max(error) from jobs"
                        " where state <> 'done' group by kind, state"
                    )
                ).all()
                if not left:
                    return
                assert time.monotonic() < ends, left
            self.supervise()
            threading.Event().wait(0.1)

    def stop(self) -> None:
        for name in list(self.running):
            self.kill(name)


nursery = get_context("forkserver")


@pytest.fixture
def scene() -> Iterator[Scene]:
    nursery.set_forkserver_preload(["tests.kill.processes", "vexxy.worker.beat"])
    with tempfile.TemporaryDirectory(prefix="vexxy-kill-") as folder:
        Path(folder).chmod(0o755)
        server = embedded_postgres.start(Path(folder) / "data", durable=False)
        try:
            migrations.upgrade(server.url)
            dsn = server.url.replace("postgresql+psycopg", "postgresql")
            with psycopg.connect(dsn) as connection:
                connection.execute(processes.EFFECTS)
            system = Database(server.url, role=Role.SYSTEM)
            mine = [an_organization(system) for _ in range(2)]
            made = Scene(server, system, mine)
            try:
                yield made
            finally:
                made.stop()
                system.close()
        finally:
            server.stop()


def shuffled(rounds: dict[str, int]) -> list[str]:
    """Return whom to kill: everybody a third as often, unless all of it is asked for."""
    less = 1 if EVERY_ROUND else 3
    victims = [
        victim
        for victim, number in rounds.items()
        for _ in range(max(min(2, number), number // less))
    ]
    random.shuffle(victims)
    return victims


def moment() -> None:
    threading.Event().wait(random.uniform(0, MOMENT_SECONDS))  # noqa: S311  no secret


def check(scene: Scene) -> None:
    """Nothing lost, nothing twice, nothing left."""
    with scene.system.transaction() as session:
        effects = Counter(session.scalars(text("select job_id from effects")))
        attempts = session.execute(text("select sum(attempts) from jobs")).scalar_one()
        rows = session.execute(text("select count(*) from jobs")).scalar_one()
    assert {job: effects[job] for job in scene.jobs if effects[job] != 1} == {}
    assert set(effects) == set(scene.jobs)
    assert rows == len(scene.jobs)
    assert attempts > rows, "nobody was ever killed at work"
    scene.stop()
    ends = time.monotonic() + 20
    while left := marked(scene.marker):
        assert time.monotonic() < ends, left
        threading.Event().wait(0.05)


def marked(marker: str) -> list[str]:
    """Return the processes that still work for this test's jobs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            command = path.read_bytes()
            if marker.encode() in command:
                found.append(f"{path.parent.name}: {command!r}")
    return found


def test_no_job_is_lost_or_done_twice_by_workers_without_a_broker(scene: Scene) -> None:
    url = scene.server.url
    names = ["one", "two"]
    for name in names:
        scene.employ(name, processes.embedded_worker, url)
    for victim in shuffled(EMBEDDED_ROUNDS):
        scene.enqueue()
        moment()
        name = random.choice(names)  # noqa: S311  no secret
        match victim:
            case "worker":
                scene.kill(name)
                scene.start(name)
            case "process":
                scene.kill_something_below(name)
            case "database":
                scene.kill_database()
    scene.drain()

    check(scene)


def test_no_job_is_lost_or_done_twice_by_celery(scene: Scene) -> None:
    url = scene.server.url
    with RedisServer() as broker:
        scene.employ("worker", processes.celery_worker, url, broker.url)
        scene.employ("beat", processes.celery_beat, url, broker.url)
        for victim in shuffled(CELERY_ROUNDS):
            scene.enqueue()
            scene.await_progress()
            moment()
            match victim:
                case "broker":
                    broker.kill()
                    moment()
                    broker.start()
                case "pool process":
                    scene.kill_something_below("worker")
                case "database":
                    scene.kill_database()
                case name:
                    scene.kill(name)
                    scene.start(name)
        scene.drain()

        check(scene)
