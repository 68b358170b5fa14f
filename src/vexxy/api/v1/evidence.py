"""`/analysis/{job_id}/evidence` and `/evidence/{id}` (contract, section 3)."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from vexxy.analysis.submission import service as submission
from vexxy.bootstrap import Service
from vexxy.evidence import rules
from vexxy.evidence import service as evidence
from vexxy.evidence.types import Evidence, EvidenceType, LinkGrant
from vexxy.http import downloads, openapi
from vexxy.http.deps import Adapters, Transaction, require
from vexxy.http.downloads import Download, Elsewhere
from vexxy.http.fields import Instant
from vexxy.http.routing import Router
from vexxy.identity.types import Permission
from vexxy.kit import clock
from vexxy.kit.errors import ExternalFailure, Unauthenticated

router: Final = Router(tags=["evidence"])
READING: Final = [Depends(require(Permission.ANALYSIS_READ))]
FILE: Final = openapi.merged(
    downloads.documented(rules.EXTENSIONS), openapi.responses(ExternalFailure)
)
# The bucket's own URL is followed at once or not at all.
PRESIGNED_SECONDS: Final = 60

Skip = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=200)]
Token = Annotated[str, Query(max_length=200, description="Of `download_url`")]


class EvidenceItem(BaseModel):
    """A piece of evidence, without its bytes."""

    id: UUID
    analysis_job_id: UUID
    evidence_type: EvidenceType
    content_type: str = Field(description="Of the file", examples=["application/json"])
    file_size: int = Field(description="Bytes of the file", examples=[48213])
    checksum: str = Field(description="SHA-256 of the file, hexadecimal")
    description: str | None
    evidence_data: dict[str, Any] | None = Field(description="Figures worth a look first")
    created_at: Instant
    expires_at: Instant = Field(description="When retention may remove it")
    download_url: str = Field(
        description="Path on this service; needs no credentials until it expires"
    )
    download_url_expires_at: Instant


class EvidenceList(BaseModel):
    """The evidence of an analysis, oldest first."""

    total: int
    skip: int
    limit: int
    evidence: list[EvidenceItem]


@router.get("/analysis/{job_id}/evidence", dependencies=READING)
def list_evidence(
    job_id: UUID,
    adapters: Adapters,
    session: Transaction,
    *,
    skip: Skip = 0,
    limit: Limit = 50,
) -> EvidenceList:
    """List what an analysis observed, each with a link to download it."""
    submission.get_progress(session, job_id)
    found = evidence.list_for_analysis(session, job_id, skip=skip, limit=limit)
    now = clock.now()
    return EvidenceList(
        total=evidence.count_for_analysis(session, job_id),
        skip=skip,
        limit=limit,
        evidence=[_item(adapters, each, now=now) for each in found],
    )


@router.get(
    "/evidence/{evidence_id}",
    dependencies=READING,
    response_class=Response,
    responses=FILE,
)
def read_evidence(evidence_id: UUID, adapters: Adapters, session: Transaction) -> Response:
    """Download a piece of evidence, with its checksum in the headers."""
    return _download(adapters, evidence.get(session, evidence_id))


@router.get(
    "/analysis/{job_id}/evidence/{evidence_id}",
    dependencies=READING,
    response_class=Response,
    responses=FILE,
)
def read_evidence_of_analysis(
    job_id: UUID, evidence_id: UUID, *, adapters: Adapters, session: Transaction
) -> Response:
    """Download a piece of evidence of this analysis, with its checksum in the headers."""
    return _download(adapters, evidence.get(session, evidence_id, analysis_job_id=job_id))


def granted(evidence_id: UUID, token: Token, adapters: Adapters) -> LinkGrant:
    """Say what a link allows; it is its own credentials.

    Raises:
        LinkRefused: It is not ours, was altered, or has expired.
    """
    return rules.verify(adapters.link_keys, evidence_id, token=token, now=clock.now())


def linked(
    adapters: Adapters, grant: Annotated[LinkGrant, Depends(granted)]
) -> Iterator[Session]:
    """Provide a session bound to the organization that the link names."""
    with adapters.request.transaction(grant.organization_id) as session:
        yield session


@router.get(
    "/evidence/{evidence_id}/download",
    response_class=Response,
    responses=openapi.merged(
        FILE,
        openapi.merged(
            openapi.responses(Unauthenticated),
            {307: {"description": "To the bucket's own URL: STORAGE_PRESIGNED_LINKS"}},
        ),
    ),
)
def follow_link(
    evidence_id: UUID,
    adapters: Adapters,
    session: Annotated[Session, Depends(linked, scope="function")],
) -> Response:
    """Download a piece of evidence by the link that a listing gave."""
    found = evidence.get(session, evidence_id)
    path = found.blob.path
    url = partial(adapters.evidence.link, path, seconds=PRESIGNED_SECONDS)
    return Elsewhere(url, here=_download(adapters, found))


def _download(adapters: Service, found: Evidence) -> Download:
    sums = found.blob.sums
    return Download(
        partial(evidence.open_content, adapters.evidence, found),
        media_type=found.content_type,
        name=rules.file_name(
            found.evidence_type, found.content_type, checksum=sums.checksum
        ),
        size_bytes=sums.size_bytes,
        sha256=sums.checksum,
    )


def _item(adapters: Service, found: Evidence, *, now: datetime) -> EvidenceItem:
    settings = adapters.settings
    until = now + timedelta(seconds=settings.evidence_link_seconds)
    grant = LinkGrant(organization_id=found.organization_id, expires_at=until)
    token = rules.sign(adapters.link_keys[0], found.id, grant=grant)
    return EvidenceItem(
        id=found.id,
        analysis_job_id=found.analysis_job_id,
        evidence_type=found.evidence_type,
        content_type=found.content_type,
        file_size=found.blob.sums.size_bytes,
        checksum=found.blob.sums.checksum,
        description=found.description,
        evidence_data=None if found.summary is None else dict(found.summary),
        created_at=found.created_at,
        expires_at=rules.expires_at(
            found.created_at, retention_days=settings.evidence_retention_days
        ),
        download_url=f"/api/v1/evidence/{found.id}/download?token={token}",
        download_url_expires_at=until,
    )
