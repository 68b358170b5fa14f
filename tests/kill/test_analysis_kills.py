"""Kill -9 at every boundary of an analysis: it ends complete, once, charged once.

The worker, the process it runs the analysis in, and the database are killed in turn;
with VEXXY_TEST_KILLS each of them at each boundary.
"""

import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.analysis.desk import SEALER, Desk
from tests.billing.quotas.till import Till
from tests.fakes.container_engine import FakeEngine
from tests.fakes.patience import until
from tests.kill import analysis_process
from vexxy.analysis.publication import Publisher
from vexxy.billing.ledger.checks import service as checks
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.integrations.embedded_postgres.server import Server
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit import logging
from vexxy.kit.db import Database, Role
from vexxy.migrations import service as migrations
from vexxy.worker.analysis import Analyses
from vexxy.worker.guard import descendants
from vexxy.worker.loop import Loop
from vexxy.worker.work import Work

pytestmark = pytest.mark.alone

# No attempt may be lost for another reason than the kill: there are three.
LEASE_SECONDS = 3
VICTIMS = ("worker", "process", "database")
PLACES = [(phase, who) for phase in analysis_process.PHASES for who in VICTIMS]
if not os.environ.get("VEXXY_TEST_KILLS"):
    # Each boundary and each victim, not each with each; that takes two minutes.
    PLACES = [PLACES[number] for number in (0, 4, 8, 10, 12)]
nursery = get_context("forkserver")

ENDED = text("""
select status, retry_count, billed_at is not null, cost_credits > 0, error_message,
  (select count(*) from vex_documents d where d.analysis_job_id = a.id),
  (select count(*) from analysis_evidence e
    where e.analysis_job_id = a.id and e.evidence_type = 'container_logs'),
  (select count(*) from notification_deliveries n
    where n.organization_id = a.organization_id and n.event_type = 'analysis.finished'
      and n.body->'data'->>'job_id' = a.id::text),
  (select state from jobs j where j.id = a.queue_job_id)
from premium_analysis_jobs a where a.id = :id
""")
COMPLETE = ("complete", True, True, None, 1, 1, 1, "done")
# Charged once, and as much as the analysis says.
CHARGES = text("""
select count(*) = 1 and sum(e.credits) = min(a.cost_credits)
from billing_events e join premium_analysis_jobs a on a.id = e.analysis_job_id
where e.kind = 'settle' and a.id = :id
""")


@contextmanager
def no_engine() -> Iterator[FakeEngine]:
    yield FakeEngine()


def worker(url: str, folder: str) -> None:
    """Take analyses until killed."""
    logging.configure(level="CRITICAL")
    os.environ[analysis_process.MOMENTS] = folder
    tempfile.tempdir = folder
    work = Analyses(
        sealer=SEALER,
        store=LocalDisk(Path(folder) / "evidence"),
        publisher=Publisher("Somebody"),
        open_engine=no_engine,
        command=(sys.executable, "-m", analysis_process.__name__),
    )
    works = {"analysis": Work(work.handle, work.abandoned, organization_limit=9)}
    loop = Loop(url, works, threads=2, lease_seconds=LEASE_SECONDS, periodic=())
    loop.start()
    threading.Event().wait()


@dataclass
class Scene:
    """A database, a worker and somebody who submits."""

    server: Server
    desk: Desk
    system: Database
    folder: Path
    worker: BaseProcess = field(init=False)

    def start(self) -> None:
        self.worker = nursery.Process(
            target=worker, args=(self.server.url, str(self.folder))
        )
        self.worker.start()

    def reached(self, analysis_id: UUID) -> list[str]:
        written = self.folder / str(analysis_id)
        return written.read_text().split() if written.exists() else []

    def kill(self, victim: str, analysis_id: UUID) -> None:
        """Kill it, and start again what nobody else starts again."""
        match victim:
            case "worker":
                self.worker.kill()
                self.worker.join()
                self.start()
            case "process":
                for pid in descendants(self.worker.pid or 0):
                    if str(analysis_id).encode() in command_of(pid):
                        os.kill(pid, signal.SIGKILL)
            case _:
                os.kill(self.server.pid, signal.SIGKILL)
                until(lambda: not self.server.is_alive())
                self.server.run()
                # Our own connections are cut as well.
                self.system.close()
                self.desk.request.close()

    def state(self, analysis_id: UUID) -> tuple[object, ...]:
        with self.system.transaction() as session:
            return tuple(session.execute(ENDED, {"id": analysis_id}).one())

    def charged_once(self, analysis_id: UUID) -> bool:
        with self.system.transaction() as session:
            return bool(session.execute(CHARGES, {"id": analysis_id}).scalar_one())


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def left(analysis_id: UUID) -> list[str]:
    """Return the processes that still work on the analysis."""
    found = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [str(pid) for pid in found if str(analysis_id).encode() in command_of(pid)]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    nursery.set_forkserver_preload([__name__])
    with tempfile.TemporaryDirectory(prefix="vexxy-kill-") as base:
        Path(base).chmod(0o755)
        folder = Path(base) / "work"
        folder.mkdir()
        server = embedded_postgres.start(Path(base) / "data", durable=False)
        try:
            migrations.upgrade(server.url)
            system = Database(server.url, role=Role.SYSTEM)
            request = Database(server.url, role=Role.REQUEST)
            made = Scene(server, Desk(system, request), system, folder)
            made.start()
            try:
                yield made
            finally:
                made.worker.kill()
                made.worker.join()
                system.close()
                request.close()
        finally:
            server.stop()


@pytest.mark.parametrize(("phase", "victim"), PLACES)
def test_an_analysis_ends_complete_and_once_whoever_is_killed_where(
    scene: Scene, phase: str, victim: str
) -> None:
    analysis_id = scene.desk.submit().job_id
    until(lambda: phase in scene.reached(analysis_id))
    scene.kill(victim, analysis_id)
    until(lambda: scene.state(analysis_id)[8] in {"done", "failed", "cancelled"})

    status, attempts, *rest = scene.state(analysis_id)
    assert (status, *rest) == COMPLETE
    assert attempts == (0 if victim == "database" else 1)
    assert scene.charged_once(analysis_id)
    till = Till(scene.system, scene.desk.organization_id)
    assert till.discrepancies() == []
    assert till.balance()[1] == 0
    assert checks.check(scene.system, scene.desk.organization_id).differences == []
    until(lambda: not left(analysis_id))
    # Whoever begins again goes on from what was kept; the database's end begins nothing.
    reached = Counter(scene.reached(analysis_id))
    assert reached["begun"] == 1 + attempts
    watched = {"watching": {2}, "observed": {1, 2}, "decided": {1, 2}}
    # On a busy machine the worker has yet to read what its process told it before.
    assert reached["watching"] in (watched.get(phase, {1}) if attempts else {1})
    assert not list(scene.folder.glob(f"vexxy-analysis-{analysis_id}-*"))
