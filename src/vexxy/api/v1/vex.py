"""`/vex`: the VEX documents that analyses issue (contract, section 3)."""

from functools import lru_cache
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel

from vexxy.analysis.documents import service as documents
from vexxy.analysis.submission import service as submission
from vexxy.http.deps import Transaction, require
from vexxy.http.fields import Instant
from vexxy.http.routing import Router
from vexxy.identity.types import Permission
from vexxy.settings import Settings
from vexxy.vex.service import Format

router: Final = Router(prefix="/vex", tags=["documents"])
READING: Final = [Depends(require(Permission.ANALYSIS_READ))]
Version = Annotated[int, Query(ge=1, le=2**31 - 1)]
CYCLONEDX: Final = "application/vnd.cyclonedx+json"
MEDIA: Final = {Format.CYCLONEDX: CYCLONEDX}
DOCUMENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The document",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            CYCLONEDX: {"schema": {"type": "object"}},
        },
    }
}


class EditionView(BaseModel):
    """One edition of a document."""

    version: int
    reason: str
    created_at: Instant


class EditionList(BaseModel):
    """The editions of a document, newest first."""

    skip: int
    limit: int
    versions: list[EditionView]


@router.get("/{vex_id}", dependencies=READING, response_class=Response, responses=DOCUMENT)
def read_vex(
    vex_id: UUID,
    session: Transaction,
    *,
    form: Annotated[
        Literal["openvex", "cyclonedx", "csaf"], Query(alias="format")
    ] = "openvex",
    version: Version | None = None,
) -> Response:
    """Return a VEX document: OpenVEX 0.2.0, CycloneDX 1.6 or CSAF 2.0."""
    wanted = Format(form)
    issued = documents.get_vex(session, vex_id, version=version)
    sbom = None
    if wanted is Format.CYCLONEDX:
        sbom = submission.find_sbom_of(session, issued.analysis_job_id)
    content = documents.render(issued, wanted, namespace=_namespace(), sbom=sbom)
    return Response(content, media_type=MEDIA.get(wanted, "application/json"))


@lru_cache(maxsize=1)
def _namespace() -> str | None:
    return Settings().vex_namespace


@router.get("/{vex_id}/versions", dependencies=READING)
def list_versions(
    vex_id: UUID,
    session: Transaction,
    *,
    skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> EditionList:
    """List the editions of a document, newest first."""
    found = documents.list_editions(session, vex_id, skip=skip, limit=limit)
    versions = [EditionView.model_validate(one, from_attributes=True) for one in found]
    return EditionList(skip=skip, limit=limit, versions=versions)
