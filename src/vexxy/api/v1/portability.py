"""What an organization has, handed over or erased (contract, section 4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from vexxy.bootstrap import Service
from vexxy.evidence import rules as links
from vexxy.evidence.types import LinkGrant
from vexxy.http import downloads, openapi
from vexxy.http.deps import Acting, Adapters, Caller, Transaction
from vexxy.http.downloads import Download
from vexxy.http.fields import Instant
from vexxy.http.routing import Router
from vexxy.identity import service as identity
from vexxy.identity.types import Identity, Permission, Role
from vexxy.kit import clock
from vexxy.kit.errors import (
    Conflict,
    ExternalFailure,
    NotFound,
    PermissionDenied,
    Unauthenticated,
)
from vexxy.portability.erasures import service as erasures
from vexxy.portability.errors import NoSuchTenant, OwnersOnly
from vexxy.portability.exports import service as exports
from vexxy.portability.exports import wire
from vexxy.portability.types import Erasure, Export, ExportState, Request, Stage, Wanted

router: Final = Router(prefix="/organizations", tags=["portability"])
ZIP: Final = "application/zip"
FILE: Final = openapi.merged(
    downloads.documented({ZIP: "zip"}), openapi.responses(ExternalFailure, Conflict)
)
ORGANIZATION: Final = "0b6f2d9e-6a0a-4b3e-9a53-0f6a3f0f7c11"

Token = Annotated[str, Query(max_length=200, description="Of `download_url`")]
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


@dataclass(frozen=True, slots=True)
class Home:
    """An organization, a transaction bound to it, and who asks."""

    organization_id: UUID
    session: Session
    caller: Identity


def home(
    org_id: UUID, adapters: Adapters, caller: Caller, *, session: Transaction
) -> Iterator[Home]:
    """Provide the organization in the path, to itself and to operators of the service.

    Raises:
        NoSuchTenant: It is not there, or none of the caller's business.
    """
    if org_id == caller.organization_id:
        yield Home(org_id, session, caller)
        return
    if Permission.OPERATIONS_MANAGE not in caller.permissions:
        raise NoSuchTenant
    # Of the other pool: who holds one connection of a pool and waits for a second one of
    # it can wait for others who do the same.
    with adapters.worker.transaction(org_id) as bound:
        yield Home(org_id, bound, caller)


def governed(found: Annotated[Home, Depends(home, scope="function")]) -> Home:
    """Let only owners and admins of the organization pass, and operators.

    Raises:
        PermissionDenied: The caller is neither.
    """
    if (
        found.caller.role not in {Role.OWNER, Role.ADMIN}
        and Permission.OPERATIONS_MANAGE not in found.caller.permissions
    ):
        raise PermissionDenied("this needs an owner or admin of the organization")
    return found


def ended(found: Annotated[Home, Depends(home, scope="function")]) -> Home:
    """Let only an owner who signed in pass, or an operator; no API key.

    Raises:
        SignInNeeded: An API key was shown.
        OwnersOnly: The caller does not own the organization.
    """
    identity.check_person(found.caller)
    mine = found.organization_id == found.caller.organization_id
    operates = Permission.OPERATIONS_MANAGE in found.caller.permissions
    if not operates and not (mine and found.caller.role is Role.OWNER):
        raise OwnersOnly
    return found


Governed = Annotated[Home, Depends(governed)]
Ended = Annotated[Home, Depends(ended)]


class ExportBody(BaseModel):
    """What the archive shall hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"include_files": False}]})

    include_files: bool = Field(
        default=False, description="Also the files of evidence, which may be large"
    )


class ExportView(BaseModel):
    """An export, and where to download it once it is `done`."""

    id: UUID
    organization_id: UUID
    state: ExportState
    include_files: bool
    progress_percent: int
    current_part: str | None = Field(description="The table that is being written")
    rows: int = Field(description="Written so far")
    file_size: int | None = Field(description="Bytes of the ZIP archive")
    checksum: str | None = Field(description="SHA-256 of the archive, hexadecimal")
    error: str | None
    created_at: Instant
    finished_at: Instant | None
    expires_at: Instant | None = Field(description="When the archive is removed")
    download_url: str | None = Field(
        description="Path on this service; needs no credentials until it expires"
    )
    download_url_expires_at: Instant | None


class ExportList(BaseModel):
    """The exports of an organization, newest first."""

    total: int
    limit: int
    offset: int
    exports: list[ExportView]


class ErasureView(BaseModel):
    """How far an erasure is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "organization_id": ORGANIZATION,
                    "stage": "requested",
                    "current_part": None,
                    "rows_erased": 0,
                    "entries_blanked": 0,
                    "blobs_erased": 0,
                    "requested_at": "2026-11-21T12:00:00Z",
                    "updated_at": "2026-11-21T12:00:00Z",
                    "finished_at": None,
                    "proof": None,
                }
            ]
        }
    )

    organization_id: UUID
    stage: Stage
    current_part: str | None = Field(description="The table that is being emptied")
    rows_erased: int
    entries_blanked: int = Field(description="Of the audit log")
    blobs_erased: int = Field(description="Files of evidence and exports")
    requested_at: Instant
    updated_at: Instant
    finished_at: Instant | None
    proof: dict[str, Any] | None = Field(
        description="At the end: which tables are empty, and how many rows others keep"
    )


@router.post(
    "/{org_id}/export",
    status_code=HTTPStatus.ACCEPTED,
    responses=openapi.responses(NotFound, Conflict),
)
def request_export(
    *, of: Governed, adapters: Adapters, actor: Acting, body: ExportBody | None = None
) -> ExportView:
    """Have everything the organization has written into an archive.

    One at a time: while an export is unfinished, that one is returned.
    """
    files = body is not None and body.include_files
    mine = of.organization_id == of.caller.organization_id
    requested_by = of.caller.user_id if mine else None
    wanted = Wanted(of.organization_id, requested_by, files)
    return _export(adapters, exports.request(of.session, wanted, actor=actor))


@router.get("/{org_id}/export", responses=openapi.responses(NotFound))
def list_exports(
    *, of: Governed, adapters: Adapters, limit: Limit = 50, offset: Offset = 0
) -> ExportList:
    """List the organization's exports, newest first."""
    total, found = exports.list_(of.session, limit=limit, offset=offset)
    views = [_export(adapters, each) for each in found]
    return ExportList(total=total, limit=limit, offset=offset, exports=views)


@router.get("/{org_id}/export/{export_id}", responses=openapi.responses(NotFound))
def read_export(export_id: UUID, of: Governed, adapters: Adapters) -> ExportView:
    """Say how far an export is, with a link to download it when it is done."""
    return _export(adapters, exports.get(of.session, export_id))


def granted(export_id: UUID, token: Token, adapters: Adapters) -> LinkGrant:
    """Say what a link allows; it is its own credentials.

    Raises:
        LinkRefused: It is not ours, was altered, or has expired.
    """
    return links.verify(adapters.link_keys, export_id, token=token, now=clock.now())


Granted = Annotated[LinkGrant, Depends(granted)]


def linked(org_id: UUID, adapters: Adapters, grant: Granted) -> Iterator[Session]:
    """Provide a session bound to the organization that the link names.

    Raises:
        NoSuchTenant: The path names another one.
    """
    if org_id != grant.organization_id:
        raise NoSuchTenant
    with adapters.request.transaction(grant.organization_id) as session:
        yield session


@router.get(
    "/{org_id}/export/{export_id}/download",
    response_class=Response,
    responses=openapi.merged(FILE, openapi.responses(Unauthenticated)),
)
def follow_link(
    export_id: UUID,
    adapters: Adapters,
    session: Annotated[Session, Depends(linked, scope="function")],
) -> Response:
    """Download an export by the link that its status gave."""
    archive = exports.archive_of(exports.get(session, export_id))
    return Download(
        partial(wire.open_archive, adapters.evidence, archive),
        media_type=ZIP,
        name=f"vexxy-export-{export_id}.zip",
        size_bytes=archive.size_bytes,
        sha256=archive.checksum,
    )


@router.delete(
    "/{org_id}",
    status_code=HTTPStatus.ACCEPTED,
    responses=openapi.responses(NotFound, Conflict),
)
def erase_organization(
    of: Ended,
    adapters: Adapters,
    actor: Acting,
    *,
    confirm: Annotated[
        str | None, Query(max_length=300, description="The organization's slug")
    ] = None,
) -> ErasureView:
    """Erase the organization; it cannot be taken back.

    At once nobody can sign in, no key holds and nothing runs; a job erases the rest.
    Invoices, the ledger and the record of acts stay, without what names a person. The
    period that runs is invoiced until today.
    """
    asked = Request(of.organization_id, actor, confirm)
    return _erasure(erasures.request(of.session, asked, plans=adapters.plans))


@router.get("/{org_id}/erasure", responses=openapi.responses(NotFound))
def read_erasure(of: Governed) -> ErasureView:
    """Say how far the erasure of an organization is; for operators."""
    return _erasure(erasures.get(of.session, of.organization_id))


def _erasure(found: Erasure) -> ErasureView:
    return ErasureView.model_validate(found, from_attributes=True)


def _export(adapters: Service, found: Export) -> ExportView:
    until: datetime | None = None
    url: str | None = None
    if found.archive is not None:
        until = clock.now() + timedelta(seconds=adapters.settings.evidence_link_seconds)
        grant = LinkGrant(organization_id=found.organization_id, expires_at=until)
        token = links.sign(adapters.link_keys[0], found.id, grant=grant)
        path = f"/api/v1/organizations/{found.organization_id}/export/{found.id}"
        url = f"{path}/download?token={token}"
    return ExportView(
        id=found.id,
        organization_id=found.organization_id,
        state=found.state,
        include_files=found.files_included,
        progress_percent=found.progress_percent,
        current_part=found.current_part,
        rows=found.rows_written,
        file_size=None if found.archive is None else found.archive.size_bytes,
        checksum=None if found.archive is None else found.archive.checksum,
        error=found.error,
        created_at=found.created_at,
        finished_at=found.finished_at,
        expires_at=found.expires_at,
        download_url=url,
        download_url_expires_at=until,
    )
