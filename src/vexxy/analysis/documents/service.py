"""Take in SBOMs; issue, reissue and show VEX documents."""

import codecs
import hashlib
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import zstandard
from sqlalchemy.orm import Session

from vexxy.analysis import inputs
from vexxy.analysis.documents import repository
from vexxy.analysis.documents.errors import (
    EditionNotFound,
    SbomNotFound,
    SbomsBusy,
    SbomTooLarge,
    VexNotFound,
)
from vexxy.analysis.documents.models import EditionRow, SbomRow, VexRow
from vexxy.analysis.documents.types import Edition, Issued, Sbom
from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.kit import clock, ids
from vexxy.sbom import service as sbom_service
from vexxy.vex import service as vex
from vexxy.vex.service import Format
from vexxy.vex.types import Document, Extras
from vexxy.vex.wire import openvex

NAME_MAX: Final = 255
SMALL_BYTES: Final = 256 * 1024
LARGE_AT_ONCE_MAX: Final = 2
_places: Final = threading.BoundedSemaphore(LARGE_AT_ONCE_MAX)
REASON_FIRST: Final = "the analysis was completed"
# Names of VEX documents are derived from their analyses, so that a retried step issues
# the same document and not a second one.
_NAMESPACE: Final = uuid.UUID("6f1d0d0e-5f5c-4f0b-9a2e-3f4f7f0f9b57")


@dataclass(frozen=True, slots=True)
class Upload:
    """An SBOM as it was sent.

    Attributes:
        name: For people; None takes the name of what it describes.
        limit_bytes: Largest content that is taken.
        examined: What `examine` found, for who cannot wait for it inside a transaction.
    """

    organization_id: UUID
    content: bytes
    limit_bytes: int
    name: str | None = None
    created_by: UUID | None = None
    examined: "Examined | None" = None


@dataclass(frozen=True, slots=True)
class Examined:
    """What reading a document found; `packed` is the content, compressed."""

    format: str
    subject: str
    packages: int
    digest: str
    packed: bytes


def vex_id_of(analysis_id: UUID) -> UUID:
    """Return the id of the document that an analysis issues, now or at a retry."""
    return uuid.uuid5(_NAMESPACE, str(analysis_id))


def examine(content: bytes, *, limit_bytes: int) -> Examined:
    """Read a document; needs no database, and for a large one seconds.

    Raises:
        SbomTooLarge: Over the limit.
        InvalidSbom: No CycloneDX, SPDX 2 or Syft document, or one of too many packages.
        SbomsBusy: As many large documents as may be are being read at this moment.
    """
    if len(content) > limit_bytes:
        raise SbomTooLarge(len(content), limit_bytes)
    with _place(len(content)):
        inventory = sbom_service.parse_sbom(content.removeprefix(codecs.BOM_UTF8))
        return Examined(
            format=_format(inventory.sources[0]),
            subject=inventory.subject.name if inventory.subject else "",
            packages=len(inventory.packages),
            digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
            packed=zstandard.compress(content),
        )


@contextmanager
def _place(size_bytes: int) -> Iterator[None]:
    """Let only a few large documents be read at once, so that others are answered."""
    if size_bytes <= SMALL_BYTES:
        yield
        return
    if not _places.acquire(blocking=False):
        raise SbomsBusy
    try:
        yield
    finally:
        _places.release()


def store_sbom(session: Session, upload: Upload, *, actor: Actor) -> Sbom:
    """Keep the SBOM after reading it.

    Raises:
        SbomTooLarge: Over the limit.
        InvalidSbom: No CycloneDX, SPDX 2 or Syft document.
    """
    examined = upload.examined or examine(upload.content, limit_bytes=upload.limit_bytes)
    name = _storable(upload.name or examined.subject) or "sbom"
    row = SbomRow(
        id=ids.new_id(),
        organization_id=upload.organization_id,
        name=name[:NAME_MAX],
        format=examined.format,
        digest=examined.digest,
        size_bytes=len(upload.content),
        packages=examined.packages,
        content=examined.packed,
        created_by=upload.created_by,
        created_at=clock.instant(),
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        Act(
            action="sbom.uploaded",
            actor=actor,
            organization_id=upload.organization_id,
            resource_type="sbom",
            resource_id=row.id,
            after={"name": row.name, "format": row.format, "digest": row.digest},
        ),
    )
    return _sbom(row)


def _format(source: str) -> str:
    """Return `spdx` of `SPDX 2.3`."""
    return re.split(r"[^a-z]", source.lower(), maxsplit=1)[0]


def _storable(text: str) -> str:
    """Return a name that PostgreSQL can keep, from whatever a document calls itself."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "").strip()


def get_sbom(session: Session, sbom_id: UUID) -> Sbom:
    """Return what is known of an SBOM.

    Raises:
        SbomNotFound: None of that id in the organization.
    """
    row = repository.find_sbom(session, sbom_id)
    if row is None:
        raise SbomNotFound(sbom_id)
    return _sbom(row)


def read_sbom(session: Session, sbom_id: UUID) -> tuple[Sbom, bytes]:
    """Return an SBOM and its content, byte for byte as it was sent.

    Raises:
        SbomNotFound: None of that id in the organization.
    """
    found = repository.find_sbom_content(session, sbom_id)
    if found is None:
        raise SbomNotFound(sbom_id)
    row, packed = found
    return _sbom(row), zstandard.decompress(packed, max_output_size=row.size_bytes)


def list_sboms(session: Session, *, skip: int, limit: int) -> tuple[int, Sequence[Sbom]]:
    """Return how many there are, and some of them, newest first."""
    rows = repository.list_sboms(session, skip=skip, limit=limit)
    return repository.count_sboms(session), [_sbom(row) for row in rows]


def issue(
    session: Session, document: Document, *, organization_id: UUID, analysis_id: UUID
) -> UUID:
    """Keep the first edition of an analysis's document; the same again changes nothing."""
    vex_id = vex_id_of(analysis_id)
    if repository.lock_vex(session, vex_id) is not None:
        return vex_id
    now = clock.instant()
    text = openvex.dump(document).decode()
    session.add(
        VexRow(
            id=vex_id,
            organization_id=organization_id,
            analysis_job_id=analysis_id,
            version=document.version,
            document=text,
            created_at=now,
            updated_at=now,
        )
    )
    session.flush()
    session.add(
        EditionRow(
            vex_document_id=vex_id,
            version=document.version,
            organization_id=organization_id,
            document=text,
            reason=REASON_FIRST,
            created_at=now,
        )
    )
    session.flush()
    return vex_id


def publish_edition(
    session: Session, vex_id: UUID, document: Document, *, reason: str
) -> int:
    """Put the next edition in force; return its version.

    `document` comes from `vex.build_document(…, previous=…)`, which raises the version
    when something changed. One that is not newer is left out, so that a step that is
    repeated publishes once.

    Raises:
        VexNotFound: None of that id in the organization.
    """
    row = repository.lock_vex(session, vex_id)
    if row is None:
        raise VexNotFound(vex_id)
    if document.version <= row.version:
        return row.version
    now = clock.instant()
    row.document = openvex.dump(document).decode()
    row.version = document.version
    row.updated_at = now
    session.add(
        EditionRow(
            vex_document_id=vex_id,
            version=document.version,
            organization_id=row.organization_id,
            document=row.document,
            reason=reason,
            created_at=now,
        )
    )
    session.flush()
    return document.version


def get_vex(session: Session, vex_id: UUID, *, version: int | None = None) -> Issued:
    """Return a document, in force or as it once was.

    Raises:
        VexNotFound: None of that id in the organization.
        EditionNotFound: It never had that edition.
    """
    row = repository.find_vex(session, vex_id)
    if row is None:
        raise VexNotFound(vex_id)
    text = row.document
    if version is not None and version != row.version:
        edition = repository.find_edition(session, vex_id, version)
        if edition is None:
            raise EditionNotFound(vex_id, version)
        text = edition
    return Issued(
        id=row.id,
        analysis_job_id=row.analysis_job_id,
        version=row.version if version is None else version,
        content=text.encode(),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def list_editions(
    session: Session, vex_id: UUID, *, skip: int, limit: int
) -> Sequence[Edition]:
    """Return the editions of a document, newest first.

    Raises:
        VexNotFound: None of that id in the organization.
    """
    if repository.find_vex(session, vex_id) is None:
        raise VexNotFound(vex_id)
    rows = repository.list_editions(session, vex_id, skip=skip, limit=limit)
    return [Edition(row.version, row.reason, row.created_at) for row in rows]


def document_of(issued: Issued) -> Document:
    """Return the document as a value."""
    return openvex.read(issued.content).document


def render(
    issued: Issued, form: Format, *, namespace: str | None, sbom: bytes | None = None
) -> bytes:
    """Return a document in a format.

    Args:
        issued: The document.
        form: Which format.
        namespace: URL of the publisher, for CSAF.
        sbom: The CycloneDX SBOM that a CycloneDX VEX is to point into, if there is one.
    """
    if form is Format.OPENVEX:
        return issued.content
    link = inputs.link_into(sbom) if sbom is not None else None
    return vex.render(
        document_of(issued), form, extras=Extras(sbom=link, namespace=namespace)
    )


def _sbom(row: SbomRow) -> Sbom:
    return Sbom(
        id=row.id,
        name=row.name,
        format=row.format,
        digest=row.digest,
        size_bytes=row.size_bytes,
        packages=row.packages,
        created_at=row.created_at,
    )
