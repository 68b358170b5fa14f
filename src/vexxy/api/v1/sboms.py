"""`/sboms`: SBOMs that analyses can stand on (contract, section 3)."""

from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from vexxy.analysis import levels
from vexxy.analysis.documents import service as documents
from vexxy.analysis.documents.errors import SbomTooLarge
from vexxy.analysis.documents.service import Examined, Upload
from vexxy.analysis.documents.types import Sbom
from vexxy.billing.enforcement.service import STORAGE_GB
from vexxy.billing.enforcement.types import Standing
from vexxy.bootstrap import Service
from vexxy.http import downloads, openapi
from vexxy.http.deps import Acting, Adapters, Proven, Transaction, require
from vexxy.http.fields import Instant, Name
from vexxy.http.metering import metered
from vexxy.http.routing import Router
from vexxy.identity import service as identity
from vexxy.identity.types import Identity, Permission, Principal
from vexxy.kit.errors import PermissionDenied, TooLarge

router: Final = Router(prefix="/sboms", tags=["documents"])
Writer = Annotated[Identity, Depends(require(Permission.ANALYSIS_WRITE))]
READING: Final = [Depends(require(Permission.ANALYSIS_READ))]
# The most that SBOM_BYTES_MAX may be.
BODY_BYTES_MAX: Final = 64 * 1024 * 1024

# Shown as an object: what is read is CycloneDX, SPDX 2 or Syft, told by its content.
DOCUMENT: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "object"},
            "examples": {
                "CycloneDX": {
                    "value": {
                        "bomFormat": "CycloneDX",
                        "specVersion": "1.6",
                        "components": [
                            {
                                "type": "library",
                                "name": "zlib1g",
                                "version": "1:1.2.13",
                                "purl": "pkg:deb/debian/zlib1g@1%3A1.2.13?distro=debian-12",
                            }
                        ],
                    }
                }
            },
        }
    },
}
MEDIA: Final = {b"{": "application/json", b"<": "application/xml"}
FILE: Final = downloads.documented(
    {"application/json": "json", "application/xml": "xml", "text/plain": "txt"}
)


class SbomView(BaseModel):
    """An SBOM without its content."""

    id: UUID
    name: str
    format: str = Field(description="As read", examples=["cyclonedx", "spdx", "syft"])
    digest: str = Field(description="Of the content as it was sent")
    size_bytes: int
    packages: int = Field(description="Packages that could be read from it")
    created_at: Instant


class SbomList(BaseModel):
    """A page of SBOMs, newest first."""

    total: int
    skip: int
    limit: int
    sboms: list[SbomView]


def _view(sbom: Sbom) -> SbomView:
    return SbomView.model_validate(sbom, from_attributes=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """A document as it came, and what it holds."""

    content: bytes
    examined: Examined


async def sent(request: Request, adapters: Adapters, proven: Proven) -> Sent:
    """Return the body, read and examined before the transaction of the route is open.

    A slow client or a large document must not keep a connection of the database from
    everybody else; and nothing is read for whoever may not upload.
    """
    await run_in_threadpool(_demand_writer, adapters, proven)
    limit = adapters.settings.sbom_bytes_max
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said) > limit:
        raise SbomTooLarge(int(said), limit)
    content = await request.body()
    examined = await run_in_threadpool(documents.examine, content, limit_bytes=limit)
    return Sent(content, examined)


def _demand_writer(adapters: Service, proven: Principal) -> None:
    """Refuse whoever is not known or may not upload; an API key alone proves nothing."""
    with adapters.request.transaction(proven.organization_id) as session:
        who = identity.resolve(session, proven)
    if Permission.ANALYSIS_WRITE not in who.permissions:
        raise PermissionDenied(f"this needs the permission {Permission.ANALYSIS_WRITE}")


async def _size_gb(document: Annotated[Sent, Depends(sent)]) -> Decimal:
    return levels.gigabytes(len(document.content))


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses=openapi.responses(TooLarge),
    max_body_size=BODY_BYTES_MAX,
    openapi_extra={"requestBody": DOCUMENT},
)
def upload(
    *,
    document: Annotated[Sent, Depends(sent)],  # first: see there
    who: Writer,
    _room: Annotated[Standing, Depends(metered(STORAGE_GB, _size_gb))],
    adapters: Adapters,
    session: Transaction,
    actor: Acting,
    name: Annotated[Name | None, Query(max_length=200)] = None,
) -> SbomView:
    """Keep a CycloneDX, SPDX 2 or Syft document; the body is the document itself."""
    wanted = Upload(
        organization_id=who.organization_id,
        content=document.content,
        limit_bytes=adapters.settings.sbom_bytes_max,
        name=name,
        created_by=who.user_id,
        examined=document.examined,
    )
    return _view(documents.store_sbom(session, wanted, actor=actor))


@router.get("", dependencies=READING)
def list_sboms(
    *,
    session: Transaction,
    skip: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SbomList:
    """List SBOMs, newest first."""
    total, found = documents.list_sboms(session, skip=skip, limit=limit)
    sboms = [_view(one) for one in found]
    return SbomList(total=total, skip=skip, limit=limit, sboms=sboms)


@router.get("/{sbom_id}", dependencies=READING, response_class=Response, responses=FILE)
def download(sbom_id: UUID, session: Transaction) -> Response:
    """Return the document, byte for byte as it was sent."""
    sbom, content = documents.read_sbom(session, sbom_id)
    headers = {
        **downloads.checksums(sbom.digest.partition(":")[2]),
        "Content-Disposition": f'attachment; filename="sbom-{sbom.id}"',
        "Content-Security-Policy": downloads.POLICY,
    }
    media = MEDIA.get(content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1], "text/plain")
    return Response(content, media_type=media, headers=headers)
