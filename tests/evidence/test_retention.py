"""What is removed, when, and what a crash at any point leaves."""

import io
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, select, text

from tests.evidence.values import an_analysis, make_older, some_evidence
from vexxy.audit import service as audit
from vexxy.audit.types import Filter
from vexxy.evidence import repository, rules, service
from vexxy.evidence.errors import EvidenceNotFound, StoreFailed
from vexxy.evidence.models import AnalysisEvidence, EvidenceBlob
from vexxy.evidence.types import Evidence, NewEvidence, Removed
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit.db import Database

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=1)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> LocalDisk:
    return LocalDisk(tmp_path / "evidence")


def keep(database: Database, store: LocalDisk, new: NewEvidence) -> Evidence:
    with database.transaction(new.organization_id) as session:
        return service.put(session, store, new)


def retain(
    database: Database, store: LocalDisk, organization_id: UUID, *, now: datetime = NOW
) -> Removed:
    return service.retain(database, store, organization_id, retention_days=90, now=now)


def paths(store: LocalDisk, organization_id: UUID) -> set[str]:
    return {blob.path for blob in store.list_blobs(rules.folder(organization_id))}


def readable(database: Database, store: LocalDisk, evidence: Evidence) -> bytes:
    with database.transaction(evidence.organization_id) as session:
        found = service.get(session, evidence.id)
    with service.open_content(store, found) as opened:
        return b"".join(opened.pieces())


def test_evidence_is_removed_after_its_days_and_not_before(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, _ = analysis = an_analysis(db_system)
    old = keep(db_worker, store, some_evidence(analysis, b"old"))
    young = keep(db_worker, store, some_evidence(analysis, b"young"))
    make_older(db_system, old.id, NOW - timedelta(days=90, seconds=1))
    make_older(db_system, young.id, NOW - timedelta(days=89, hours=23))

    assert retain(db_worker, store, organization_id) == Removed(rows=1, blobs=1)
    assert retain(db_worker, store, organization_id) == Removed()

    assert readable(db_worker, store, young) == b"young"
    assert paths(store, organization_id) == {young.blob.path}
    with pytest.raises(EvidenceNotFound):
        readable(db_worker, store, old)


def test_what_retention_removed_is_in_the_record_of_acts(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, _ = analysis = an_analysis(db_system)
    kept = keep(db_worker, store, some_evidence(analysis, b"old"))
    make_older(db_system, kept.id, NOW - timedelta(days=91))
    for _ in range(2):
        retain(db_worker, store, organization_id)
    with db_worker.transaction(organization_id) as session:
        _, acts = audit.list_entries(session, Filter(), offset=0, limit=10)
    assert [(act.action, act.metadata["evidence"]) for act in acts] == [
        ("evidence.expired", 1)
    ]


def test_retention_stops_where_its_job_is_told_to(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, _ = analysis = an_analysis(db_system)
    kept = keep(db_worker, store, some_evidence(analysis, b"old"))
    make_older(db_system, kept.id, NOW - timedelta(days=91))

    def cancelled() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        service.retain(
            db_worker,
            store,
            organization_id,
            retention_days=90,
            now=NOW,
            step=cancelled,
        )
    assert readable(db_worker, store, kept) == b"old"


def test_a_blob_stays_as_long_as_a_row_of_any_analysis_names_it(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    first = an_analysis(db_system)
    second = an_analysis(db_system, first[0])
    old = keep(db_worker, store, some_evidence(first, b"shared"))
    young = keep(db_worker, store, some_evidence(second, b"shared"))
    make_older(db_system, old.id, NOW - timedelta(days=400))

    assert retain(db_worker, store, first[0]) == Removed(rows=1, blobs=0)
    assert readable(db_worker, store, young) == b"shared"

    make_older(db_system, young.id, NOW - timedelta(days=400))
    assert retain(db_worker, store, first[0]) == Removed(rows=1, blobs=1)
    assert paths(store, first[0]) == set()


def test_retention_of_one_organization_leaves_others_alone(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    mine, _ = an_analysis(db_system)
    theirs = keep(db_worker, store, some_evidence(an_analysis(db_system), b"theirs"))
    make_older(db_system, theirs.id, NOW - timedelta(days=400))
    retain(db_worker, store, mine, now=NOW + timedelta(days=400))
    assert readable(db_worker, store, theirs) == b"theirs"


def test_more_than_a_batch_is_removed_in_one_run(
    db_system: Database,
    db_worker: Database,
    store: LocalDisk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "_BATCH", 2)
    organization_id, _ = analysis = an_analysis(db_system)
    for number in range(5):
        kept = keep(db_worker, store, some_evidence(analysis, b"%d" % number))
        make_older(db_system, kept.id, NOW - timedelta(days=91))
        service.stage(store, some_evidence(analysis, b"never recorded %d" % number))

    removed = retain(db_worker, store, organization_id, now=LATER + timedelta(hours=1))

    assert removed == Removed(rows=5, blobs=5, garbage=5)
    assert paths(store, organization_id) == set()


def test_an_erased_analysis_lets_its_bytes_go(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, analysis_id = analysis = an_analysis(db_system)
    keep(db_worker, store, some_evidence(analysis, b"gone"))
    with db_system.transaction() as session:
        erase = text("delete from premium_analysis_jobs where id = :id")
        session.execute(erase, {"id": analysis_id})
    assert retain(db_worker, store, organization_id) == Removed(rows=0, blobs=1)


def test_an_erased_organization_leaves_no_byte(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id, _ = analysis = an_analysis(db_system)
    theirs = keep(db_worker, store, some_evidence(an_analysis(db_system), b"theirs"))
    for number in range(3):
        keep(db_worker, store, some_evidence(analysis, b"%d" % number))
    assert service.erase_organization(store, organization_id) == 3
    assert paths(store, organization_id) == set()
    assert readable(db_worker, store, theirs) == b"theirs"


# --- what a crash leaves ---

KILLED = """
import os, signal, sys
from pathlib import Path
from uuid import UUID
from tests.evidence.values import some_evidence
from vexxy.evidence import service
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit.db import Database, Role

url, folder, organization_id, analysis_id, moment = sys.argv[1:]
store = LocalDisk(Path(folder))
new = some_evidence((UUID(organization_id), UUID(analysis_id)), b"killed")

class Dies(LocalDisk):
    def put(self, path, blob):
        if moment == "after the blob":
            super().put(path, blob)
        os.kill(os.getpid(), signal.SIGKILL)

if moment == "before the commit":
    database = Database(url, role=Role.WORKER)
    with database.transaction(new.organization_id) as session:
        service.put(session, store, new)
        os.kill(os.getpid(), signal.SIGKILL)
service.stage(Dies(Path(folder)), new)
"""


@pytest.mark.parametrize(
    ("moment", "garbage"),
    [("before the blob", 0), ("after the blob", 1), ("before the commit", 1)],
)
def test_a_writer_killed_at_any_point_leaves_garbage_at_most(
    db_system: Database,
    db_worker: Database,
    database_url: str,
    tmp_path: Path,
    moment: str,
    garbage: int,
) -> None:
    """Goal: no row without bytes. Method: kill -9 around the write of each."""
    store = LocalDisk(tmp_path / "evidence")
    organization_id, analysis_id = an_analysis(db_system)
    arguments = [database_url, str(tmp_path / "evidence")]
    arguments += [str(organization_id), str(analysis_id), moment]

    ended = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], cwd=ROOT, check=False
    )

    assert ended.returncode == -signal.SIGKILL
    with db_worker.transaction(organization_id) as session:
        assert service.list_for_analysis(session, analysis_id) == []
    assert len(paths(store, organization_id)) == garbage
    # Too young: it could belong to a transaction that is still open.
    assert retain(db_worker, store, organization_id) == Removed()
    swept = retain(db_worker, store, organization_id, now=LATER + timedelta(hours=1))
    assert swept == Removed(garbage=garbage)
    assert paths(store, organization_id) == set()


def test_what_a_writer_killed_in_mid_write_leaves_is_found(
    db_system: Database, db_worker: Database, store: LocalDisk, tmp_path: Path
) -> None:
    """obstore writes to `NAME#1` and renames it; its listing shows no such name."""
    organization_id, _ = analysis = an_analysis(db_system)
    kept = keep(db_worker, store, some_evidence(analysis, b"whole"))
    half = (tmp_path / "evidence" / kept.blob.path).with_suffix(".zst#1")
    half.write_bytes(b"half")

    assert retain(db_worker, store, organization_id) == Removed()
    assert half.exists()
    before = LATER + timedelta(hours=1)
    assert retain(db_worker, store, organization_id, now=before) == Removed(unfinished=1)
    assert not half.exists()
    assert readable(db_worker, store, kept) == b"whole"


class Unreachable(LocalDisk):
    """A store that is gone when blobs are to be removed."""

    def delete(self, paths: Sequence[str]) -> None:
        if paths:
            raise StoreFailed("remove blobs")


def test_a_crash_between_a_removed_row_and_its_blob_leaves_garbage_that_is_found(
    db_system: Database, db_worker: Database, tmp_path: Path
) -> None:
    store = LocalDisk(tmp_path / "evidence")
    organization_id, _ = analysis = an_analysis(db_system)
    kept = keep(db_worker, store, some_evidence(analysis, b"old"))
    make_older(db_system, kept.id, NOW - timedelta(days=91))

    with pytest.raises(StoreFailed):
        retain(db_worker, Unreachable(tmp_path / "evidence"), organization_id)

    assert paths(store, organization_id) == {kept.blob.path}
    swept = retain(db_worker, store, organization_id, now=LATER + timedelta(hours=1))
    assert swept == Removed(garbage=1)


# --- races ---


def test_retention_passes_a_blob_that_a_writer_is_about_to_name(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    """Goal: never a row without bytes. Method: retention while `put` is uncommitted."""
    first = an_analysis(db_system)
    second = an_analysis(db_system, first[0])
    old = keep(db_worker, store, some_evidence(first, b"same"))
    make_older(db_system, old.id, NOW - timedelta(days=91))

    with db_worker.transaction(first[0]) as session:
        young = service.put(session, store, some_evidence(second, b"same"))
        assert retain(db_worker, store, first[0]) == Removed(rows=1, blobs=0)

    assert young.blob.path == old.blob.path
    assert readable(db_worker, store, young) == b"same"


def test_a_writer_that_meets_a_removal_waits_and_stores_its_own_bytes(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    first = an_analysis(db_system)
    second = an_analysis(db_system, first[0])
    old = keep(db_worker, store, some_evidence(first, b"same"))
    make_older(db_system, old.id, NOW - timedelta(days=91))
    with db_worker.transaction(first[0]) as session:
        repository.delete_older(session, before=NOW - timedelta(days=90), limit=10)

    with ThreadPoolExecutor(1) as pool:
        with db_worker.transaction(first[0]) as session:
            removed = repository.delete_unnamed(session, limit=10)
            writing = pool.submit(keep, db_worker, store, some_evidence(second, b"same"))
        young = writing.result()
    store.delete(removed)

    assert removed == [old.blob.path]
    assert young.blob.path != old.blob.path
    assert readable(db_worker, store, young) == b"same"


def test_writers_and_retention_at_once_never_leave_a_row_without_bytes(
    db_system: Database, db_worker: Database, store: LocalDisk
) -> None:
    """Goal: every row reads. Method: few contents, kept and expired over and over."""
    organization_id, _ = an_analysis(db_system)
    analyses = [an_analysis(db_system, organization_id) for _ in range(4)]
    contents = [b"one", b"two"]
    ended = threading.Event()

    def expire() -> Removed:
        total = Removed()
        while not ended.is_set():
            # Everything is expired at once.
            gone = service.delete_expired(db_worker, store, organization_id, before=LATER)
            total = Removed(rows=total.rows + gone.rows, blobs=total.blobs + gone.blobs)
        return total

    def write(analysis: tuple[UUID, UUID]) -> None:
        for number in range(25):
            content = contents[number % len(contents)]
            keep(db_worker, store, some_evidence(analysis, content))

    with ThreadPoolExecutor(6) as pool:
        expiring = [pool.submit(expire) for _ in range(2)]
        for writer in [pool.submit(write, analysis) for analysis in analyses]:
            writer.result()
        ended.set()
        removed = [each.result() for each in expiring]

    assert sum(each.rows for each in removed) > 0
    assert sum(each.blobs for each in removed) > 0
    with db_worker.transaction(organization_id) as session:
        named = set(session.scalars(select(EvidenceBlob.storage_path)))
        rows = session.scalars(select(func.count()).select_from(AnalysisEvidence)).one()
    assert named <= paths(store, organization_id)
    final = [
        keep(db_worker, store, some_evidence(analysis, content))
        for analysis in analyses
        for content in contents
    ]
    assert rows <= len(final)
    for evidence in final:
        assert readable(db_worker, store, evidence) in contents


def test_every_organization_gets_one_job_of_retention(
    db_system: Database, db_worker: Database
) -> None:
    organization_id, _ = an_analysis(db_system)
    counted = text(
        "select count(*) from jobs where kind = 'retention' and organization_id = :id"
    )
    for _ in range(2):
        with db_system.transaction() as session:
            assert service.enqueue_retention(session) > 0
    with db_system.transaction() as session:
        assert session.scalar(counted, {"id": organization_id}) == 1


def test_the_directory_of_evidence_is_made_late_and_is_nobody_elses(
    store: LocalDisk,
) -> None:
    store.ping()
    assert not store._root.exists()
    store.put("a", io.BytesIO(b"1"))
    mode = store._root.stat().st_mode & 0o777
    assert mode == 0o700
