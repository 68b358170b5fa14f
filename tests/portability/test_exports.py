"""What an organization has leaves whole, and nothing of anybody else's with it."""

import hashlib
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import zstandard
from sqlalchemy import text

from tests.evidence.values import some_evidence
from tests.portability.values import Home, a_full_organization, lines, unzipped
from tests.service_values import an_organization
from vexxy.audit import types as acts
from vexxy.evidence import service as evidence
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit import clock
from vexxy.kit.db import Database
from vexxy.portability import rules
from vexxy.portability.errors import ExportNotFound, NoSuchTenant, StillErasing
from vexxy.portability.exports import service, wire
from vexxy.portability.types import Export, ExportState, Wanted

ACTOR = acts.system("a test")


def go_on() -> None:
    pass


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> LocalDisk:
    return LocalDisk(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def home(database_url: str, db_system: Database, store: LocalDisk) -> Home:
    return a_full_organization(database_url, db_system, store, word="Zebulon-Quux")


@pytest.fixture(scope="module")
def stranger(database_url: str, db_system: Database, store: LocalDisk) -> Home:
    return a_full_organization(database_url, db_system, store, word="Somebody-Else")


def ask(request: Database, organization_id: UUID, *, files: bool = False) -> Export:
    with request.transaction(organization_id) as session:
        return service.request(
            session, Wanted(organization_id, None, files_included=files), actor=ACTOR
        )


def work(
    worker: Database, store: LocalDisk, export: Export, step: Callable[[], object] = go_on
) -> service.Work:
    return service.Work(
        database=worker, store=store, export=export, retention_days=7, step=step
    )


def again(worker: Database, export: Export) -> Export:
    with worker.transaction(export.organization_id) as session:
        return service.get(session, export.id)


def archive_of(store: LocalDisk, export: Export) -> zipfile.ZipFile:
    archive = service.archive_of(export)
    return unzipped(b"".join(wire.open_archive(store, archive).pieces()))


@pytest.fixture(scope="module")
def made(
    db_request: Database,
    db_worker: Database,
    *,
    store: LocalDisk,
    home: Home,
    stranger: Home,
) -> tuple[Export, zipfile.ZipFile]:
    del stranger
    with db_request.transaction(home.organization_id) as session:
        sbom = zstandard.compress(b'{"bomFormat": "CycloneDX"}')
        session.execute(
            text("update sboms set content = :content, size_bytes = 26"), {"content": sbom}
        )
    export = ask(db_request, home.organization_id, files=True)
    service.make(work(db_worker, store, export))
    done = again(db_worker, export)
    return done, archive_of(store, done)


def test_every_table_leaves_with_every_row(
    made: tuple[Export, zipfile.ZipFile], db_system: Database, home: Home
) -> None:
    export, archive = made
    assert export.state is ExportState.DONE
    manifest = json.loads(archive.read("manifest.json"))
    assert [table["name"] for table in manifest["tables"]] == [
        table.name for table in rules.EXPORTED
    ]
    for entry in manifest["tables"]:
        raw = archive.read(entry["path"])
        assert hashlib.sha256(raw).hexdigest() == entry["sha256"], entry["name"]
        assert raw.count(b"\n") == entry["rows"], entry["name"]
        assert entry["rows"] > 0 or entry["name"] == "organization_erasures"
    with db_system.transaction() as session:
        names = session.scalars(
            text("select name from users where organization_id = :id"),
            {"id": home.organization_id},
        ).all()
    assert [user["name"] for user in lines(archive, export, "users")] == list(names)
    assert manifest["ledger"]["sequence"] == 0
    assert len(manifest["ledger"]["chain_head"]) == 64
    assert export.rows_written == sum(table["rows"] for table in manifest["tables"])


def test_no_secret_and_nothing_of_a_stranger_is_in_it(
    made: tuple[Export, zipfile.ZipFile], stranger: Home
) -> None:
    export, archive = made
    for name in archive.namelist():
        content = archive.read(name).decode()
        assert stranger.word not in content, name
        assert str(stranger.organization_id) not in content, name
    for table in rules.EXPORTED:
        for row in lines(archive, export, table.name):
            assert not set(row) & set(table.left_out), table.name
            assert row[table.column] == str(export.organization_id), table.name


def test_files_and_sboms_are_in_it_byte_for_byte(
    made: tuple[Export, zipfile.ZipFile], home: Home
) -> None:
    export, archive = made
    manifest = json.loads(archive.read("manifest.json"))
    for entry in manifest["files"]:
        raw = archive.read(entry["path"])
        assert (len(raw), hashlib.sha256(raw).hexdigest()) == (
            entry["size_bytes"],
            entry["sha256"],
        )
    [sbom] = lines(archive, export, "sboms")
    assert archive.read(f"sboms/{sbom['id']}.json") == b'{"bomFormat": "CycloneDX"}'
    kept = {path for path in archive.namelist() if path.startswith("files/")}
    [path] = kept
    assert json.loads(archive.read(path)) == {"by": home.word}
    # One row was only made to look like evidence: it is named, and costs nothing else.
    assert len(manifest["files_missing"]) == 1


def test_an_archive_of_tables_alone_has_no_files(
    db_system: Database, db_request: Database, db_worker: Database, store: LocalDisk
) -> None:
    organization_id = an_organization(db_system)
    export = ask(db_request, organization_id)
    service.make(work(db_worker, store, export))
    archive = archive_of(store, again(db_worker, export))
    assert not [name for name in archive.namelist() if name.startswith("files/")]
    assert json.loads(archive.read("manifest.json"))["ledger"] is None


def test_asking_twice_is_asking_once(db_system: Database, db_request: Database) -> None:
    organization_id = an_organization(db_system)
    assert ask(db_request, organization_id).id == ask(db_request, organization_id).id
    with db_system.transaction() as session:
        counted = session.execute(
            text("select count(*) from jobs where organization_id = :id"),
            {"id": organization_id},
        ).scalar_one()
    assert counted == 1


def test_nobody_sees_or_makes_anothers_export(
    db_system: Database, db_request: Database
) -> None:
    export = ask(db_request, an_organization(db_system))
    other = an_organization(db_system)
    with db_request.transaction(other) as session, pytest.raises(ExportNotFound):
        service.get(session, export.id)
    wanted = Wanted(export.organization_id, None)
    with db_request.transaction(other) as session, pytest.raises(NoSuchTenant):
        service.request(session, wanted, actor=ACTOR)


def test_an_organization_that_is_erased_is_not_exported(
    db_system: Database, db_request: Database
) -> None:
    organization_id = an_organization(db_system)
    with db_system.transaction() as session:
        session.execute(
            text(
                "insert into organization_erasures (organization_id, requested_by)"
                " values (:id, 'x')"
            ),
            {"id": organization_id},
        )
    with pytest.raises(StillErasing):
        ask(db_request, organization_id)


class KilledError(BaseException):
    """A process that ends."""


def test_an_export_that_is_killed_anywhere_is_whole_the_next_time(
    db_system: Database, db_request: Database, db_worker: Database, store: LocalDisk
) -> None:
    """Method: count the steps of one, then end each of as many others at its own step."""
    counted = Steps()
    export = ask(db_request, an_organization(db_system))
    service.make(work(db_worker, store, export, counted))
    assert counted.taken > len(rules.EXPORTED)
    for at in range(1, counted.taken + 1, 5):
        export = ask(db_request, an_organization(db_system))
        with pytest.raises(KilledError):
            service.make(work(db_worker, store, export, Steps(ends_at=at)))
        service.make(work(db_worker, store, again(db_worker, export)))
        done = again(db_worker, export)
        assert done.state is ExportState.DONE
        archive_of(store, done)


class Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, ends_at: int | None = None) -> None:
        self.taken = 0
        self._ends_at = ends_at

    def __call__(self) -> None:
        self.taken += 1
        if self.taken == self._ends_at:
            raise KilledError


def test_an_archive_is_removed_when_its_time_is_over(
    db_system: Database, db_request: Database, db_worker: Database, store: LocalDisk
) -> None:
    export = ask(db_request, an_organization(db_system))
    service.make(work(db_worker, store, export))
    archive = service.archive_of(again(db_worker, export))
    now = clock.now()
    sooner, later = now + timedelta(days=6), now + timedelta(days=8)
    service.remove_expired(db_system, store, now=sooner, step=go_on)
    assert store.find_size(archive.path) is not None
    assert service.remove_expired(db_system, store, now=later, step=go_on) > 0
    assert store.find_size(archive.path) is None
    assert again(db_worker, export).state is ExportState.EXPIRED
    assert service.remove_expired(db_system, store, now=later, step=go_on) == 0


def test_what_cannot_be_made_says_why_and_leaves_nothing(
    db_system: Database, db_request: Database, db_worker: Database, store: LocalDisk
) -> None:
    export = ask(db_request, an_organization(db_system))
    place = {"export_id": export.id, "reason": "the store does not answer"}
    service.give_up(db_worker, store, export.organization_id, **place)  # type: ignore[arg-type]
    found = again(db_worker, export)
    assert (found.state, found.error) == (ExportState.FAILED, "the store does not answer")
    # A late attempt brings nothing back.
    service.make(work(db_worker, store, export))
    assert again(db_worker, export).state is ExportState.FAILED
    assert list(store.list_blobs(rules.folder(export.organization_id))) == []
    assert ask(db_request, export.organization_id).id != export.id


def test_memory_does_not_grow_with_what_is_exported(
    db_system: Database, db_request: Database, db_worker: Database, tmp_path: Path
) -> None:
    """48 MiB of documents in 24 rows and 32 MiB of evidence, in a sixth of the memory."""
    organization_id = an_organization(db_system)
    store = LocalDisk(tmp_path)
    with db_system.transaction() as session:
        session.execute(text(BULK), {"id": organization_id})
        analysis_id = session.scalars(
            text("select id from premium_analysis_jobs where organization_id = :id"),
            {"id": organization_id},
        ).first()
    assert analysis_id is not None
    pieces = (bytes([number]) * 1024**2 for number in range(32))
    with db_worker.transaction(organization_id) as session:
        evidence.put(session, store, some_evidence((organization_id, analysis_id), pieces))
    export = ask(db_request, organization_id, files=True)
    tracemalloc.start()
    try:
        service.make(work(db_worker, store, export))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    done = again(db_worker, export)
    assert service.archive_of(done).size_bytes > 0
    assert peak < 32 * 1024**2


BULK = """
insert into premium_analysis_jobs (id, organization_id, image_ref, profile, config, status,
  deadline_seconds, estimated_duration_minutes, estimated_cost_credits, created_at, summary)
select gen_random_uuid(), :id, 'nginx:1', 'minimal', '{}', 'queued', 60, 1, 10, now(),
  jsonb_build_object('x', repeat('y', 2 * 1024 * 1024)) from generate_series(1, 24)
"""
