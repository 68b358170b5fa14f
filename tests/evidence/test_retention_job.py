"""Retention as a worker does it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.evidence.values import an_analysis, make_older, some_evidence
from tests.fakes.patience import until
from vexxy.evidence import service
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit.db import Database
from vexxy.worker import retention, schedule
from vexxy.worker.handlers import HANDLERS
from vexxy.worker.loop import Loop
from vexxy.worker.work import Work


@dataclass
class Context:
    """A job under way, as the handler of retention uses it."""

    database: Database
    organization_id: UUID | None
    beats: int = 0

    @property
    def job(self) -> SimpleNamespace:
        return SimpleNamespace(organization_id=self.organization_id)

    def heartbeat(self) -> None:
        self.beats += 1


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalDisk:
    monkeypatch.setenv("STORAGE_PATH", str(tmp_path))
    monkeypatch.setenv("EVIDENCE_RETENTION_DAYS", "30")
    return LocalDisk(tmp_path)


def test_the_job_removes_what_the_settings_say(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, analysis_id = analysis = an_analysis(db_system)
    with db_worker.transaction(organization_id) as session:
        old = service.put(session, store, some_evidence(analysis, b"old"))
        young = service.put(session, store, some_evidence(analysis, b"young"))
    make_older(db_system, old.id, datetime.now(UTC) - timedelta(days=31))
    make_older(db_system, young.id, datetime.now(UTC) - timedelta(days=29))
    context = Context(db_worker, organization_id)

    retention.handle(context)  # type: ignore[arg-type]
    retention.handle(context)  # type: ignore[arg-type]

    with db_worker.transaction(organization_id) as session:
        left = service.list_for_analysis(session, analysis_id)
    assert [each.id for each in left] == [young.id]
    assert [blob.path for blob in store.list_blobs("")] == [young.blob.path]
    assert context.beats > 0


def test_the_job_of_the_installation_makes_one_for_each_organization(
    db_system: Database,
) -> None:
    organization_id, _ = an_analysis(db_system)
    retention.handle(Context(db_system, None))  # type: ignore[arg-type]
    found = text("select kind, key from jobs where organization_id = :id")
    with db_system.transaction() as session:
        rows = session.execute(found, {"id": organization_id}).all()
    assert [tuple(row) for row in rows] == [("retention", f"retention:{organization_id}")]


def test_a_worker_knows_the_kind() -> None:
    assert HANDLERS[service.RETENTION_KIND].handler is retention.handle


def test_a_worker_does_what_the_schedule_makes(
    database_url: str, db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    """Goal: hourly retention happens. Method: the schedule's act, then real workers."""
    organization_id, analysis_id = analysis = an_analysis(db_system)
    with db_worker.transaction(organization_id) as session:
        old = service.put(session, store, some_evidence(analysis, b"old"))
    make_older(db_system, old.id, datetime.now(UTC) - timedelta(days=31))
    (due,) = [each for each in schedule.PERIODIC if each.name == service.RETENTION_KIND]

    works = {service.RETENTION_KIND: Work(retention.handle)}
    loop = Loop(database_url, works, threads=2, lease_seconds=15, upkeep=False)
    loop.start()
    try:
        with db_system.transaction() as session:
            due.act(session)
        until(lambda: not list(store.list_blobs("")))
    finally:
        loop.close()

    with db_worker.transaction(organization_id) as session:
        assert service.list_for_analysis(session, analysis_id) == []
