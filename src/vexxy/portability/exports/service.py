"""Asking for an export, making it, handing it out and removing it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import BinaryIO, Final, cast
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.analysis.documents import service as documents
from vexxy.audit import service as audit
from vexxy.audit import types as acts
from vexxy.audit.types import Act, Actor
from vexxy.evidence import rules as evidence_rules
from vexxy.evidence import service as evidence
from vexxy.evidence import wire as frames
from vexxy.evidence.errors import EvidenceDamaged, EvidenceNotFound, EvidenceTooLarge
from vexxy.evidence.ports import BlobStore
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import clock
from vexxy.kit.db import Database
from vexxy.portability import rules
from vexxy.portability.errors import (
    ExportNotFound,
    ExportNotReady,
    ExportTooLarge,
    NoSuchTenant,
    StillErasing,
)
from vexxy.portability.exports import repository, wire
from vexxy.portability.exports.wire import Part
from vexxy.portability.types import Archive, Export, ExportState, Wanted

KIND: Final = "export"
DEADLINE_SECONDS: Final = 6 * 3600
ATTEMPTS_MAX: Final = 3
PERCENT_OF_TABLES: Final = 70
_PAGE: Final = 50
_ROWS_A_STEP: Final = 1000
Step = Callable[[], object]


def request(session: Session, wanted: Wanted, *, actor: Actor) -> Export:
    """Queue an export; while one is unfinished, return that one.

    Raises:
        NoSuchTenant: There is no such organization.
        StillErasing: Nothing of it is handed over any more.
    """
    organization_id = wanted.organization_id
    if not repository.is_known(session, organization_id):
        raise NoSuchTenant
    if repository.is_erasing(session, organization_id):
        raise StillErasing
    export_id = repository.add(session, wanted)
    if export_id is None:
        found = repository.find_unfinished(session, organization_id)
        if found is None:
            # It ended between the two statements.
            return request(session, wanted, actor=actor)
        return found
    queued = NewJob(
        KIND,
        organization_id,
        {"export_id": str(export_id)},
        key=f"{KIND}:{export_id}",
        deadline_seconds=DEADLINE_SECONDS,
        max_attempts=ATTEMPTS_MAX,
    )
    repository.change(session, export_id, queue_job_id=jobs.enqueue(session, queued))
    _note(session, organization_id, export_id, action="export.requested", actor=actor)
    return get(session, export_id)


def get(session: Session, export_id: UUID) -> Export:
    """Return an export.

    Raises:
        ExportNotFound: There is none, or it is another organization's.
    """
    found = repository.find(session, export_id)
    if found is None:
        raise ExportNotFound
    return found


def list_(session: Session, *, limit: int, offset: int) -> tuple[int, list[Export]]:
    """Return how many exports the session's organization has, and some, newest first."""
    return repository.list_(session, limit=limit, offset=offset)


@dataclass(slots=True)
class Work:
    """One attempt to make an export.

    Attributes:
        database: As a role that sees one organization at a time.
        step: Called now and then; may raise to stop.
    """

    database: Database
    store: BlobStore
    export: Export
    retention_days: int
    step: Step
    parts: list[Part] = field(default_factory=list)
    rows: int = 0
    missing: list[str] = field(default_factory=list)

    @property
    def organization_id(self) -> UUID:
        """Whose it is."""
        return self.export.organization_id

    def told(self, percent: int, part: str) -> None:
        """Write down how far it is."""
        self.step()
        with self.database.transaction(self.organization_id) as session:
            repository.change(
                session,
                self.export.id,
                state=ExportState.RUNNING.value,
                progress_percent=percent,
                current_part=part,
                rows_written=self.rows,
            )

    def add(self, part: Part) -> None:
        """Remember what was written."""
        self.parts.append(part)
        self.rows += part.rows or 0


def make(work: Work) -> None:
    """Write the archive, store it and say so; done twice it is the same archive's place.

    Nothing is kept in memory but a few rows; the archive lies in temporary files until
    it is whole. A crash at any point leaves at most bytes that the next attempt replaces.

    Raises:
        ExportTooLarge: Nothing was stored.
    """
    export = work.export
    if export.state not in {ExportState.QUEUED, ExportState.RUNNING}:
        return
    path = rules.address(work.organization_id, export.id)
    with ExitStack() as files:
        plain = cast("BinaryIO", files.enter_context(tempfile.TemporaryFile()))
        with wire.Archive(plain) as archive:
            _write(work, archive)
        plain.seek(0)
        packed = files.enter_context(frames.spool())
        try:
            sums = frames.pack(
                frames.read(plain), packed, bytes_max=rules.ARCHIVE_BYTES_MAX
            )
        except EvidenceTooLarge as error:
            raise ExportTooLarge("the export is larger than an archive may be") from error
        packed.seek(0)
        work.step()
        work.store.put(path, packed)
    _finish(work, Archive(path=path, **asdict(sums)))


def _write(work: Work, archive: wire.Archive) -> None:
    with work.database.transaction() as session:
        repository.freeze(session, work.organization_id)
        manifest: dict[str, object] = {
            "format": rules.FORMAT,
            "organization_id": str(work.organization_id),
            "export_id": str(work.export.id),
            "taken_at": clock.rfc3339(clock.now()),
            "files_included": work.export.files_included,
            "ledger": repository.chain(session, work.organization_id),
        }
        manifest["tables"] = list(_tables(work, archive, session))
        for part in _sboms(work, archive, session):
            work.add(part)
    if work.export.files_included:
        for part in _files(work, archive):
            work.add(part)
    manifest["files"] = [
        {"path": part.path, "size_bytes": part.size_bytes, "sha256": part.sha256}
        for part in work.parts
        if part.rows is None
    ]
    manifest["files_missing"] = work.missing
    manifest["left_out"] = dict(rules.NOT_EXPORTED)
    archive.describe(manifest)


def _tables(
    work: Work, archive: wire.Archive, session: Session
) -> Iterator[dict[str, object]]:
    for number, table in enumerate(rules.EXPORTED):
        work.told(PERCENT_OF_TABLES * number // len(rules.EXPORTED), table.name)
        found = repository.rows(
            session,
            table,
            names=repository.columns(session, table),
            organization_id=work.organization_id,
        )
        part = archive.add_rows(f"tables/{table.name}.jsonl", _watched(work, found))
        work.add(part)
        yield {
            "name": table.name,
            "path": part.path,
            "rows": part.rows,
            "size_bytes": part.size_bytes,
            "sha256": part.sha256,
            "left_out": dict(table.left_out),
        }


def _watched(work: Work, rows: Iterable[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number % _ROWS_A_STEP == 0:
            work.step()
        yield row


def _sboms(work: Work, archive: wire.Archive, session: Session) -> Iterator[Part]:
    work.told(PERCENT_OF_TABLES, "sboms")
    for sbom_id in _each(session, "sboms"):
        work.step()
        _, content = documents.read_sbom(session, sbom_id)
        yield archive.add(f"sboms/{sbom_id}.json", [content])


def _each(session: Session, table: str) -> Iterator[UUID]:
    after: UUID | None = None
    while page := repository.ids_after(session, table, after, limit=_PAGE):
        yield from page
        after = page[-1]


def _files(work: Work, archive: wire.Archive) -> Iterator[Part]:
    """Yield the pieces of evidence; no transaction is open while bytes travel."""
    work.told(PERCENT_OF_TABLES + 5, "files")
    after: UUID | None = None
    while True:
        with work.database.transaction(work.organization_id) as session:
            page = repository.ids_after(session, "analysis_evidence", after, limit=_PAGE)
        if not page:
            return
        for evidence_id in page:
            work.step()
            part = _file(work, archive, evidence_id)
            if part is not None:
                yield part
        after = page[-1]


def _file(work: Work, archive: wire.Archive, evidence_id: UUID) -> Part | None:
    try:
        with work.database.transaction(work.organization_id) as session:
            found = evidence.get(session, evidence_id)
        opened = evidence.open_content(work.store, found)
    except (EvidenceNotFound, EvidenceDamaged):
        # Its time was over meanwhile, or the store lost it: the rest is still theirs.
        work.missing.append(str(evidence_id))
        return None
    extension = evidence_rules.EXTENSIONS.get(found.content_type, "bin")
    return archive.add(f"files/{evidence_id}.{extension}", opened.pieces())


def _finish(work: Work, archive: Archive) -> None:
    now = clock.now()
    with work.database.transaction(work.organization_id) as session:
        done = repository.change(
            session,
            work.export.id,
            state=ExportState.DONE.value,
            progress_percent=100,
            current_part=None,
            rows_written=work.rows,
            storage_path=archive.path,
            size_bytes=archive.size_bytes,
            checksum=archive.checksum,
            stored_bytes=archive.stored_bytes,
            stored_checksum=archive.stored_checksum,
            finished_at=now,
            expires_at=rules.expires_at(now, retention_days=work.retention_days),
        )
        if done:
            _note(
                session,
                work.organization_id,
                work.export.id,
                action="export.finished",
                actor=acts.system(KIND),
            )
    if not done:
        # Somebody gave it up meanwhile: nobody would ever remove these bytes.
        work.store.delete([archive.path])


def give_up(
    database: Database,
    store: BlobStore,
    organization_id: UUID,
    *,
    export_id: UUID,
    reason: str,
) -> None:
    """Say why an export will not come, and remove what was stored of it."""
    with database.transaction(organization_id) as session:
        repository.change(
            session,
            export_id,
            state=ExportState.FAILED.value,
            current_part=None,
            error=reason,
            finished_at=clock.now(),
        )
    store.delete([rules.address(organization_id, export_id)])


def remove_expired(
    database: Database, store: BlobStore, *, now: datetime, step: Step
) -> int:
    """Remove archives whose time is over, as SYSTEM; return how many.

    Bytes first: a crash in between leaves a row that is found again.
    """
    removed = 0
    while True:
        step()
        with database.transaction() as session:
            found = repository.list_expired(session, now=now, limit=_PAGE)
        if not found:
            return removed
        store.delete([rules.address(one.organization_id, one.id) for one in found])
        with database.transaction() as session:
            for one in found:
                repository.expire(session, one.id)
        removed += len(found)


def archive_of(export: Export) -> Archive:
    """Return what is stored of an export.

    Raises:
        ExportNotReady: Nothing, yet or any more.
    """
    if export.archive is None:
        raise ExportNotReady(export.state.value)
    return export.archive


def _note(
    session: Session, organization_id: UUID, export_id: UUID, *, action: str, actor: Actor
) -> None:
    act = Act(
        action=action,
        actor=actor,
        organization_id=organization_id,
        resource_type="export",
        resource_id=export_id,
    )
    audit.record(session, act)
