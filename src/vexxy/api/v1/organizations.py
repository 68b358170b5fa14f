"""The caller's organization."""

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, ConfigDict

from vexxy.api.v1.auth import OrganizationView, organization_view
from vexxy.http.deps import Acting, Caller, Transaction, require
from vexxy.http.fields import Name
from vexxy.http.routing import Router
from vexxy.identity.accounts import service as accounts
from vexxy.identity.members import service as members
from vexxy.identity.types import Identity, Permission

router = Router(prefix="/organizations", tags=["members"])

Manager = Annotated[Identity, Depends(require(Permission.MEMBERS_MANAGE))]


class OrganizationChange(BaseModel):
    """What the organization shall be called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Example"}]})

    name: Name


@router.get("/current")
def read_organization(caller: Caller, session: Transaction) -> OrganizationView:
    """Return the caller's organization."""
    return organization_view(accounts.read_account(session, caller))


@router.patch("/current")
def rename_organization(
    *, body: OrganizationChange, manager: Manager, session: Transaction, actor: Acting
) -> OrganizationView:
    """Give the caller's organization another name."""
    return organization_view(members.rename(session, manager, body.name, actor=actor))
