"""All SQL about documents. Row-level security adds the organization."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vexxy.analysis.documents.models import EditionRow, SbomRow, VexRow


def find_sbom(session: Session, sbom_id: UUID) -> SbomRow | None:
    """Return the SBOM without its content."""
    return session.get(SbomRow, sbom_id)


def find_sbom_content(session: Session, sbom_id: UUID) -> tuple[SbomRow, bytes] | None:
    """Return the SBOM and its compressed content."""
    query = select(SbomRow, SbomRow.content).where(SbomRow.id == sbom_id)
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def list_sboms(session: Session, *, skip: int, limit: int) -> Sequence[SbomRow]:
    """Return SBOMs without content, newest first."""
    order = (SbomRow.created_at.desc(), SbomRow.id.desc())
    query = select(SbomRow).order_by(*order).offset(skip).limit(limit)
    return session.scalars(query).all()


def count_sboms(session: Session) -> int:
    """Return how many SBOMs there are."""
    return session.scalars(select(func.count()).select_from(SbomRow)).one()


def find_vex(session: Session, vex_id: UUID) -> VexRow | None:
    """Return the document's newest edition."""
    return session.get(VexRow, vex_id)


def lock_vex(session: Session, vex_id: UUID) -> VexRow | None:
    """Return the document, locked: editions are numbered one after the other."""
    query = select(VexRow).where(VexRow.id == vex_id).with_for_update()
    return session.scalars(query).one_or_none()


def find_edition(session: Session, vex_id: UUID, version: int) -> str | None:
    """Return the text of one edition."""
    query = select(EditionRow.document).where(
        EditionRow.vex_document_id == vex_id, EditionRow.version == version
    )
    return session.scalars(query).one_or_none()


def list_editions(
    session: Session, vex_id: UUID, *, skip: int, limit: int
) -> Sequence[EditionRow]:
    """Return the editions without their texts, newest first."""
    query = (
        select(EditionRow)
        .where(EditionRow.vex_document_id == vex_id)
        .order_by(EditionRow.version.desc())
        .offset(skip)
        .limit(limit)
    )
    return session.scalars(query).all()
