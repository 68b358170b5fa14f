"""Keeping evidence and handing it out.

A blob is stored before the row that names it, and removed after that row is gone. What
a crash leaves between the two is bytes without a row, which `sweep` finds; never a row
without bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import BinaryIO, Final, Self
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit import types as acts
from vexxy.audit.types import Act
from vexxy.evidence import repository, rules, wire
from vexxy.evidence.errors import EvidenceNotFound, StoreFailed
from vexxy.evidence.ports import BlobStore
from vexxy.evidence.types import Blob, Evidence, NewEvidence, Removed, Staged, Sums
from vexxy.jobs import service as jobs
from vexxy.jobs.types import NewJob
from vexxy.kit import clock, ids
from vexxy.kit.db import Database

RETENTION_KIND: Final = "retention"
_BATCH: Final = 500
# A blob that loses to another upload of the same content looks for it this often.
_TRIES: Final = 3
Step = Callable[[], object]


def _go_on() -> None:
    """Do nothing between two batches."""


def stage(
    store: BlobStore, new: NewEvidence, *, bytes_max: int = rules.BYTES_MAX
) -> Staged:
    """Store the bytes of new evidence; needs no database.

    Nothing names them yet: `record` does, in the transaction that the evidence belongs
    to. When that never happens, retention removes them after `rules.GARBAGE_AFTER`.

    Raises:
        UnknownContentType: It is not handed out.
        EvidenceTooLarge: Nothing was stored.
        StoreFailed: Nothing was stored.
    """
    with wire.spool() as packed:
        sums = _pack(new, packed, bytes_max=bytes_max)
        staged = _fresh(new, sums)
        _upload(store, staged.blob, packed=packed)
    return staged


def record(session: Session, staged: Staged) -> Evidence:
    """Name staged bytes by a row, in the caller's transaction.

    Content that the organization has already is kept once: the row then names the
    older blob, and the staged one becomes garbage. The same content of the same type is
    one row of an analysis, so a phase that is run again may record again.
    """
    blob = staged.blob
    for _ in range(_TRIES):
        if repository.add_blob(session, blob):
            return _name(session, staged, blob=blob)
        kept = repository.lock_blob(session, blob.organization_id, blob.sums.checksum)
        if kept is not None:
            return _name(session, staged, blob=kept)
        # Removed by retention between the two statements: ours is the first again.
    raise StoreFailed("keep content that is being removed at the same time")


def put(
    session: Session,
    store: BlobStore,
    new: NewEvidence,
    *,
    bytes_max: int = rules.BYTES_MAX,
) -> Evidence:
    """Store new evidence and name it by a row, in the caller's transaction.

    Content that the organization has already is not sent again, unless the store has
    lost it: then this mends it. The transaction is open while bytes travel, so use
    `stage` and `record` for what is large.

    Raises:
        UnknownContentType: It is not handed out.
        EvidenceTooLarge: Nothing was stored.
        StoreFailed: Nothing was stored.
    """
    with wire.spool() as packed:
        sums = _pack(new, packed, bytes_max=bytes_max)
        kept = repository.lock_blob(session, new.organization_id, sums.checksum)
        if kept is None:
            staged = _fresh(new, sums)
            _upload(store, staged.blob, packed=packed)
            return record(session, staged)
        if store.find_size(kept.path) != kept.sums.stored_bytes:
            mended = Blob(organization_id=kept.organization_id, path=kept.path, sums=sums)
            _upload(store, mended, packed=packed)
            repository.replace_sums(session, mended)
            kept = mended
    return _name(session, Staged(new=new, blob=kept), blob=kept)


def get(
    session: Session, evidence_id: UUID, *, analysis_job_id: UUID | None = None
) -> Evidence:
    """Return what is known of a piece of evidence, without its bytes.

    Raises:
        EvidenceNotFound: There is none, or it is another organization's, or another
            analysis's where one is named.
    """
    found = repository.find_evidence(session, evidence_id)
    if found is None or analysis_job_id not in {None, found.analysis_job_id}:
        raise EvidenceNotFound(evidence_id)
    return found


def list_for_analysis(
    session: Session, analysis_job_id: UUID, *, skip: int = 0, limit: int = 200
) -> Sequence[Evidence]:
    """Return the evidence of an analysis, oldest first."""
    return repository.list_of_analysis(session, analysis_job_id, skip=skip, limit=limit)


def count_for_analysis(session: Session, analysis_job_id: UUID) -> int:
    """Return how many pieces of evidence an analysis has."""
    return repository.count_of_analysis(session, analysis_job_id)


@dataclass(slots=True)
class Opened:
    """Evidence whose stored bytes were compared with their checksum; close it."""

    evidence: Evidence
    _stored: BinaryIO = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def pieces(self) -> Iterator[bytes]:
        """Return the content, a MiB or less at a time; closes itself at the end.

        Raises:
            EvidenceDamaged: In place of the last piece: it is not what was kept.
        """
        with self:
            yield from wire.unpack(self._stored, sums=self.evidence.blob.sums)

    def close(self) -> None:
        """Forget the bytes."""
        self._stored.close()


def open_content(store: BlobStore, evidence: Evidence) -> Opened:
    """Fetch the bytes of a piece of evidence; needs no database.

    They are fetched whole (to disk beyond 8 MiB) and compared before the first is
    handed out, so that damage is an error and not a broken download.

    Raises:
        BlobMissing: The store lost them.
        EvidenceDamaged: They are not those that were stored.
        StoreFailed: The store does not answer.
    """
    blob = evidence.blob
    with ExitStack() as unless_whole:
        stored = unless_whole.enter_context(wire.spool())
        wire.receive(store.read(blob.path), stored, sums=blob.sums)
        stored.seek(0)
        unless_whole.pop_all()
    return Opened(evidence, stored)


def delete_expired(
    database: Database,
    store: BlobStore,
    organization_id: UUID,
    *,
    before: datetime,
    step: Step = _go_on,
) -> Removed:
    """Remove evidence that was kept before the instant, and blobs nobody names now.

    Rows first, bytes after the commit. May run at any time, twice and beside others.
    `step` is called before each batch and may raise to stop there.
    """
    rows = 0
    while True:
        step()
        with database.transaction(organization_id) as session:
            deleted = repository.delete_older(session, before=before, limit=_BATCH)
            _note(session, organization_id, deleted=deleted, before=before)
        rows += deleted
        if deleted < _BATCH:
            break
    blobs = 0
    while True:
        step()
        with database.transaction(organization_id) as session:
            paths = repository.delete_unnamed(session, limit=_BATCH)
        store.delete(paths)
        blobs += len(paths)
        if len(paths) < _BATCH:
            return Removed(rows=rows, blobs=blobs)


def sweep(
    database: Database,
    store: BlobStore,
    organization_id: UUID,
    *,
    before: datetime,
    step: Step = _go_on,
) -> Removed:
    """Remove bytes that no row names and that were stored before the instant.

    They are what a crash leaves between a blob and its row, or between a removed row
    and its blob. Younger ones may belong to a transaction that is still open.
    """
    folder = rules.folder(organization_id)
    found = (blob.path for blob in store.list_blobs(folder) if blob.modified_at < before)
    garbage = 0
    for paths in _batches(found):
        step()
        with database.transaction(organization_id) as session:
            known = repository.known_paths(session, paths)
        unknown = [path for path in paths if path not in known]
        store.delete(unknown)
        garbage += len(unknown)
    unfinished = store.discard_unfinished(folder, before=before)
    return Removed(garbage=garbage, unfinished=unfinished)


def retain(
    database: Database,
    store: BlobStore,
    organization_id: UUID,
    *,
    retention_days: int,
    now: datetime,
    step: Step = _go_on,
) -> Removed:
    """Do all of retention for one organization; what a job of the kind does."""
    before = now - timedelta(days=retention_days)
    expired = delete_expired(database, store, organization_id, before=before, step=step)
    young = now - rules.GARBAGE_AFTER
    swept = sweep(database, store, organization_id, before=young, step=step)
    return Removed(
        rows=expired.rows,
        blobs=expired.blobs,
        garbage=swept.garbage,
        unfinished=swept.unfinished,
    )


def erase_organization(store: BlobStore, organization_id: UUID) -> int:
    """Remove all bytes of an organization whose rows are gone; return how many blobs."""
    erased = 0
    found = store.list_blobs(rules.folder(organization_id))
    for paths in _batches(blob.path for blob in found):
        store.delete(paths)
        erased += len(paths)
    return erased


def enqueue_retention(session: Session) -> int:
    """Enqueue a job of the kind "retention" for every organization; SYSTEM only.

    An organization whose job of last time is unfinished gets no second one.
    """
    organizations = repository.list_organizations(session)
    for organization_id in organizations:
        key = f"{RETENTION_KIND}:{organization_id}"
        new = NewJob(RETENTION_KIND, organization_id, {}, key=key, deadline_seconds=3600)
        jobs.enqueue(session, new)
    return len(organizations)


def _note(
    session: Session, organization_id: UUID, *, deleted: int, before: datetime
) -> None:
    if deleted:
        act = Act(
            action="evidence.expired",
            actor=acts.system("retention"),
            organization_id=organization_id,
            resource_type="organization",
            resource_id=organization_id,
            metadata={"evidence": deleted, "before": clock.rfc3339(before)},
        )
        audit.record(session, act)


def _pack(new: NewEvidence, into: BinaryIO, *, bytes_max: int) -> Sums:
    rules.check_content_type(new.content_type)
    return wire.pack(wire.pieces(new.content), into, bytes_max=bytes_max)


def _fresh(new: NewEvidence, sums: Sums) -> Staged:
    path = rules.address(new.organization_id, sums.checksum, blob_id=ids.new_id())
    blob = Blob(organization_id=new.organization_id, path=path, sums=sums)
    return Staged(new=new, blob=blob)


def _upload(store: BlobStore, blob: Blob, *, packed: BinaryIO) -> None:
    packed.seek(0)
    store.put(blob.path, packed)
    if store.find_size(blob.path) != blob.sums.stored_bytes:
        raise StoreFailed("store all bytes of a blob")


def _name(session: Session, staged: Staged, *, blob: Blob) -> Evidence:
    evidence_id = repository.add_evidence(session, staged, path=blob.path)
    return get(session, evidence_id)


def _batches(paths: Iterable[str]) -> Iterator[Sequence[str]]:
    left = iter(paths)
    while batch := list(islice(left, _BATCH)):
        yield batch
