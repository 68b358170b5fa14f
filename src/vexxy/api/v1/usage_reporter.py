"""Who reports use, and of which organization."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Header, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from vexxy.audit import types as audit
from vexxy.audit.types import Actor
from vexxy.billing.usage.types import Source
from vexxy.bootstrap import Service
from vexxy.http import deps, fast_caller
from vexxy.http.deps import Adapters
from vexxy.identity import service as identity
from vexxy.identity.accounts import service as accounts
from vexxy.identity.types import Identity, Permission, Principal
from vexxy.kit import logging
from vexxy.kit.errors import InvalidInput, NotFound, PermissionDenied

CORE: Final = "base_vexxy"


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who tells, and of which organization."""

    organization_id: UUID
    actor: Actor
    source: Source
    operates: bool


Home = Annotated[
    UUID | None,
    Query(
        alias="organization_id",
        description="Whose use it is: needed with the service key of base VEXxy; "
        "otherwise the caller's own organization, which only operators may leave",
    ),
]


async def reporter(
    request: Request,
    adapters: Adapters,
    *,
    home: Home = None,
    x_service_key: Annotated[
        str | None, Header(max_length=1000, include_in_schema=False)
    ] = None,
) -> Reporter:
    """Say who tells, before the body is read; no transaction stays open for them."""
    if x_service_key is not None:
        identity.check_service_key(adapters.identity.service_keys, x_service_key)
        if home is None:
            fault = {"loc": ["query", "organization_id"], "message": "Field required"}
            message = "base VEXxy has to say of which organization it tells"
            raise InvalidInput(message, details={"errors": [fault]})
        await run_in_threadpool(_demand_organization, adapters, home)
        actor = audit.system(CORE, **deps.origin(request))
        return Reporter(home, actor, Source.CORE, operates=True)
    principal = await deps.credentials(request)
    who = await fast_caller.find_caller(request.app.state.reads, principal)
    if who is None:
        who = await run_in_threadpool(_resolved, adapters, principal)
    logging.note(organization_id=who.organization_id, user_id=who.user_id)
    await request.app.state.rates.spend(who.organization_id)
    await request.app.state.calls.spend(request.scope, who.organization_id)
    operates = Permission.OPERATIONS_MANAGE in who.permissions
    if not operates and Permission.BILLING_MANAGE not in who.permissions:
        raise PermissionDenied(f"this needs the permission {Permission.BILLING_MANAGE}")
    if home is not None and home != who.organization_id:
        if not operates:
            raise NotFound("there is no such organization")
        await run_in_threadpool(_demand_organization, adapters, home)
    actor = identity.actor(who, **deps.origin(request))
    return Reporter(home or who.organization_id, actor, Source.API, operates=operates)


def _resolved(adapters: Service, principal: Principal) -> Identity:
    with adapters.request.transaction(principal.organization_id) as session:
        return identity.resolve(session, principal)


def _demand_organization(adapters: Service, organization_id: UUID) -> None:
    with adapters.request.transaction(organization_id) as session:
        if accounts.find_organization_name(session, organization_id) is None:
            raise NotFound("there is no such organization")


By = Annotated[Reporter, Depends(reporter)]


async def sent(request: Request, by: By) -> bytes:
    """Return the body of somebody who may send one."""
    del by
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"
        )
    return await request.body()


Body = Annotated[bytes, Depends(sent)]
