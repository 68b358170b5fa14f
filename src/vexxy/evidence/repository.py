"""All SQL of evidence; every query sees what row-level security lets it see."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, Select, delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.evidence.models import AnalysisEvidence, EvidenceBlob
from vexxy.evidence.types import Blob, Evidence, EvidenceType, Staged, Sums
from vexxy.identity.models import Organization
from vexxy.kit import ids

_Found = Row[AnalysisEvidence, EvidenceBlob]


def lock_blob(session: Session, organization_id: UUID, checksum: str) -> Blob | None:
    """Return the blob of this content, kept from removal until the transaction ends.

    Many may hold it at once; retention skips a blob that somebody holds.
    """
    query = select(EvidenceBlob).where(
        EvidenceBlob.organization_id == organization_id, EvidenceBlob.checksum == checksum
    )
    row = session.scalars(query.with_for_update(read=True, key_share=True)).one_or_none()
    return None if row is None else _blob(row)


def add_blob(session: Session, blob: Blob) -> bool:
    """Store the row of a blob; return whether it is the first of its content.

    Waits for a transaction that is adding the same content.
    """
    sums = blob.sums
    statement = insert(EvidenceBlob).values(
        storage_path=blob.path,
        organization_id=blob.organization_id,
        checksum=sums.checksum,
        size_bytes=sums.size_bytes,
        stored_bytes=sums.stored_bytes,
        stored_checksum=sums.stored_checksum,
    )
    statement = statement.on_conflict_do_nothing(
        index_elements=["organization_id", "checksum"]
    )
    added = session.scalars(statement.returning(EvidenceBlob.storage_path)).all()
    return len(added) == 1


def add_evidence(session: Session, staged: Staged, *, path: str) -> UUID:
    """Store a row that names the blob at the path; return its id.

    The same content of the same type is one row of an analysis, however often added.
    """
    new, sums = staged.new, staged.blob.sums
    statement = insert(AnalysisEvidence).values(
        id=ids.new_id(),
        organization_id=new.organization_id,
        analysis_job_id=new.analysis_job_id,
        evidence_type=new.evidence_type.value,
        evidence_data=new.summary,
        storage_path=path,
        file_size=sums.size_bytes,
        checksum=sums.checksum,
        vex_document_data=new.vex_document,
        content_type=new.content_type,
        description=new.description,
    )
    key = ["analysis_job_id", "evidence_type", "checksum"]
    # An update that changes nothing returns the row that was there.
    statement = statement.on_conflict_do_update(
        index_elements=key, set_={"checksum": sums.checksum}
    )
    return session.scalars(statement.returning(AnalysisEvidence.id)).one()


def _with_blob() -> Select[AnalysisEvidence, EvidenceBlob]:
    return select(AnalysisEvidence, EvidenceBlob).join(
        EvidenceBlob,
        (EvidenceBlob.storage_path == AnalysisEvidence.storage_path)
        & (EvidenceBlob.organization_id == AnalysisEvidence.organization_id),
    )


def find_evidence(session: Session, evidence_id: UUID) -> Evidence | None:
    """Return one piece of evidence."""
    query = _with_blob().where(AnalysisEvidence.id == evidence_id)
    row = session.execute(query).one_or_none()
    return None if row is None else _evidence(row)


def list_of_analysis(
    session: Session, analysis_job_id: UUID, *, skip: int, limit: int
) -> Sequence[Evidence]:
    """Return the evidence of an analysis, oldest first."""
    query = (
        _with_blob()
        .where(AnalysisEvidence.analysis_job_id == analysis_job_id)
        .order_by(AnalysisEvidence.created_at, AnalysisEvidence.id)
        .offset(skip)
        .limit(limit)
    )
    return [_evidence(row) for row in session.execute(query)]


def count_of_analysis(session: Session, analysis_job_id: UUID) -> int:
    """Return how many pieces of evidence an analysis has."""
    query = select(func.count()).where(AnalysisEvidence.analysis_job_id == analysis_job_id)
    return session.scalars(query).one()


def delete_older(session: Session, *, before: datetime, limit: int) -> int:
    """Remove rows of evidence that was kept before the instant; return how many."""
    old = (
        select(AnalysisEvidence.id)
        .where(AnalysisEvidence.created_at < before)
        .order_by(AnalysisEvidence.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    statement = delete(AnalysisEvidence).where(AnalysisEvidence.id.in_(old))
    removed = session.scalars(statement.returning(AnalysisEvidence.id)).all()
    return len(removed)


def delete_unnamed(session: Session, *, limit: int) -> Sequence[str]:
    """Remove rows of blobs that no evidence names; return their paths.

    Locks first and asks again then: a row that was added between the two statements is
    seen by the second, and none can be added while the lock is held.
    """
    named = exists().where(
        AnalysisEvidence.storage_path == EvidenceBlob.storage_path,
        AnalysisEvidence.organization_id == EvidenceBlob.organization_id,
    )
    candidates = (
        select(EvidenceBlob.storage_path)
        .where(~named)
        .order_by(EvidenceBlob.storage_path)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    paths = session.scalars(candidates).all()
    statement = delete(EvidenceBlob).where(EvidenceBlob.storage_path.in_(paths), ~named)
    removed = statement.returning(EvidenceBlob.storage_path)
    return session.scalars(removed).all() if paths else []


def list_organizations(session: Session) -> Sequence[UUID]:
    """Return every organization that this session sees, but for those that are closed."""
    query = select(Organization.id).where(Organization.closed_at.is_(None))
    return session.scalars(query.order_by(Organization.id)).all()


def known_paths(session: Session, paths: Collection[str]) -> frozenset[str]:
    """Return which of the paths have a row."""
    query = select(EvidenceBlob.storage_path).where(EvidenceBlob.storage_path.in_(paths))
    return frozenset(session.scalars(query))


def replace_sums(session: Session, blob: Blob) -> None:
    """Note that other bytes now hold the same content at the same path."""
    row = session.get_one(EvidenceBlob, blob.path)
    row.stored_bytes = blob.sums.stored_bytes
    row.stored_checksum = blob.sums.stored_checksum


def _blob(row: EvidenceBlob) -> Blob:
    sums = Sums(
        size_bytes=row.size_bytes,
        checksum=row.checksum,
        stored_bytes=row.stored_bytes,
        stored_checksum=row.stored_checksum,
    )
    return Blob(organization_id=row.organization_id, path=row.storage_path, sums=sums)


def _evidence(found: _Found) -> Evidence:
    row, blob = found
    return Evidence(
        id=row.id,
        organization_id=row.organization_id,
        analysis_job_id=row.analysis_job_id,
        evidence_type=EvidenceType(row.evidence_type),
        content_type=row.content_type,
        description=row.description,
        summary=row.evidence_data,
        created_at=row.created_at,
        blob=_blob(blob),
    )
