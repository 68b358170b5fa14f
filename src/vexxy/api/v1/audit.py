"""The record of acts of the caller's organization."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, StringConstraints

from vexxy.api.v1.billing.organization import Named, Of
from vexxy.audit import rules
from vexxy.audit import service as audit
from vexxy.audit.types import ActorType, Entry, Filter
from vexxy.bootstrap import Service
from vexxy.http.deps import Adapters, Transaction, require
from vexxy.http.fields import Instant, Text
from vexxy.http.routing import Router
from vexxy.identity.types import Identity, Permission
from vexxy.kit.errors import PermissionDenied

router = Router(prefix="/billing", tags=["audit"])

Reader = Annotated[Identity, Depends(require(Permission.AUDIT_READ))]
Word = Annotated[Text, StringConstraints(min_length=1, max_length=200)]
FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/csv": {}, "application/json": {}}}
}
Kind = Literal["csv", "json"]
MEDIA: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


class EntryView(BaseModel):
    """An act."""

    id: UUID
    created_at: Instant
    organization_id: UUID
    action: str
    actor_type: ActorType
    actor_id: str
    resource_type: str
    resource_id: str | None
    before_state: dict[str, Any] | None
    after_state: dict[str, Any] | None
    metadata: dict[str, Any]
    ip_address: str | None
    user_agent: str | None


class AuditLog(BaseModel):
    """A page of acts, newest first."""

    total: int
    limit: int
    offset: int
    entries: list[EntryView]


def wanted(
    *,
    action: Word | None = None,
    actor_id: Word | None = None,
    resource_type: Word | None = None,
    resource_id: Word | None = None,
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Filter:
    """Return which acts are asked for; `since` is included, `until` is not."""
    return Filter(
        action=action,
        actor_id=actor_id,
        resource_type=resource_type,
        resource_id=resource_id,
        since=since,
        until=until,
    )


Wanted = Annotated[Filter, Depends(wanted)]


def _view(entry: Entry) -> EntryView:
    return EntryView.model_validate(entry, from_attributes=True)


@router.get("/audit-log")
def list_entries(
    *,
    reader: Reader,
    session: Transaction,
    matching: Wanted,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> AuditLog:
    """List who did what in the caller's organization."""
    del reader
    total, found = audit.list_entries(session, matching, limit=limit, offset=offset)
    views = [_view(entry) for entry in found]
    return AuditLog(total=total, limit=limit, offset=offset, entries=views)


@router.get("/audit-log/export", response_class=StreamingResponse, responses=FILE)
def export(
    *,
    reader: Reader,
    adapters: Adapters,
    matching: Wanted,
    format: Kind = "csv",  # noqa: A002  the contract's word
) -> StreamingResponse:
    """Download every act that matches, as CSV or JSON."""
    return _file(adapters, reader.organization_id, matching, kind=format)


def read_by(of: Named) -> Of:
    """Let the organization's own readers of the record pass, and operators.

    Raises:
        PermissionDenied: The caller is of the organization and may not read it.
    """
    if not {Permission.AUDIT_READ, Permission.OPERATIONS_MANAGE} & of.caller.permissions:
        raise PermissionDenied(f"this needs the permission {Permission.AUDIT_READ}")
    return of


Readable = Annotated[Of, Depends(read_by)]


@router.get("/organization/{org_id}/audit-log")
def list_entries_of(
    *,
    of: Readable,
    matching: Wanted,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
) -> AuditLog:
    """List who did what in an organization; for itself and for operators."""
    total, found = audit.list_entries(of.session, matching, limit=limit, offset=offset)
    views = [_view(entry) for entry in found]
    return AuditLog(total=total, limit=limit, offset=offset, entries=views)


@router.get(
    "/organization/{org_id}/audit-log/export",
    response_class=StreamingResponse,
    responses=FILE,
)
def export_of(
    *,
    of: Readable,
    adapters: Adapters,
    matching: Wanted,
    format: Kind = "csv",  # noqa: A002  the contract's word
) -> StreamingResponse:
    """Download an organization's acts; for itself and for operators."""
    return _file(adapters, of.organization_id, matching, kind=format)


def _file(
    adapters: Service, organization_id: UUID, wanted: Filter, *, kind: Kind
) -> StreamingResponse:
    entries = audit.export(adapters.request, organization_id, wanted)
    lines = rules.csv_lines(entries) if kind == "csv" else rules.json_lines(entries)
    name = f'attachment; filename="audit-log.{kind}"'
    return StreamingResponse(
        lines, media_type=MEDIA[kind], headers={"Content-Disposition": name}
    )
