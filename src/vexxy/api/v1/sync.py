"""What base VEXxy tells about its organizations and users."""

from contextlib import suppress
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field

from vexxy.api.v1.auth import Email
from vexxy.audit import types as audit
from vexxy.audit.types import Actor
from vexxy.billing.subscriptions.errors import OrganizationClosed
from vexxy.http import metering, openapi
from vexxy.http.deps import Adapters, SystemTransaction, origin
from vexxy.http.fields import Name
from vexxy.http.routing import Router
from vexxy.identity import service as identity
from vexxy.identity.accounts import service as accounts
from vexxy.identity.sync import service as sync
from vexxy.identity.sync.types import CoreOrganization, CoreUser
from vexxy.identity.types import Role
from vexxy.kit.errors import Conflict, NotFound, PaymentRequired, Unauthenticated

router = Router(prefix="/billing", tags=["base VEXxy"])

CORE: Final = "base_vexxy"
ID: Final = "0b6f2d9e-6a0a-4b3e-9a53-0f6a3f0f7c11"


def _core(
    request: Request,
    adapters: Adapters,
    x_service_key: Annotated[str | None, Header(max_length=1000)] = None,
) -> Actor:
    """Let only base VEXxy pass, and say that it acts."""
    identity.check_service_key(adapters.identity.service_keys, x_service_key)
    return audit.system(CORE, **origin(request))


Core = Annotated[Actor, Depends(_core)]


class OrganizationTold(BaseModel):
    """An organization of base VEXxy."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": ID, "name": "Example"}]}
    )

    id: UUID = Field(description="As the tokens of base VEXxy name it in `org_id`")
    name: Name


class UserTold(BaseModel):
    """A user of base VEXxy."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "5a2c5f0a-43cf-4f3c-8f5a-1f4b8a5e9d10",
                    "organization_id": ID,
                    "email": "ada@example.com",
                    "name": "Ada",
                }
            ]
        }
    )

    id: UUID = Field(description="As the tokens of base VEXxy name it in `sub`")
    organization_id: UUID
    email: Email
    name: Name
    role: Role | None = Field(
        default=None, description="Left out, it stays, or follows `is_admin`"
    )
    is_admin: bool | None = Field(
        default=None,
        description="Governs the organization in base VEXxy; makes nobody an operator",
    )
    is_active: bool | None = Field(
        default=None, description="False takes everything from the user at once"
    )


class SyncedView(BaseModel):
    """What the synchronization did; the same told again changes nothing."""

    id: UUID
    created: bool
    changed: bool


ANSWERS: Final = openapi.responses(Unauthenticated, PaymentRequired, Conflict, NotFound)
SECURITY: Final[dict[str, Any]] = {"security": [{"service_key": []}]}


@router.post("/organizations/sync", responses=ANSWERS, openapi_extra=SECURITY)
def sync_organization(
    body: OrganizationTold, core: Core, session: SystemTransaction
) -> SyncedView:
    """Create or rename an organization of base VEXxy."""
    told = CoreOrganization(body.id, body.name)
    done = sync.organization(session, told, actor=core)
    return SyncedView(id=done.id, created=done.created, changed=done.changed)


@router.post("/users/sync", responses=ANSWERS, openapi_extra=SECURITY)
def sync_user(
    *, request: Request, body: UserTold, core: Core, session: SystemTransaction
) -> SyncedView:
    """Create a user of base VEXxy, or bring what is stored of them up to date.

    A user who becomes active takes a seat: beyond a hard cap the answer is 402 and nothing
    changes. Who is active already, or becomes inactive, always passes.
    """
    home = body.organization_id
    if body.is_active is not False and accounts.find_organization_name(session, home):
        more = metering.synchronized(body.id, told_active=body.is_active)
        # What is closed has no seats; what follows says so in this route's own words.
        with suppress(OrganizationClosed):
            metering.take_seat(request, session, home, more=more)
    done = sync.user(session, CoreUser(**body.model_dump()), actor=core)
    return SyncedView(id=done.id, created=done.created, changed=done.changed)
