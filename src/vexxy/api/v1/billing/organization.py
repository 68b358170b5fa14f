"""Whose billing a route is about: the caller's, or the organization in the path."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy.orm import Session

from vexxy.http.deps import Adapters, Caller, Transaction, require
from vexxy.identity.accounts import service as accounts
from vexxy.identity.types import Identity, Permission
from vexxy.kit.errors import NotFound, PermissionDenied


@dataclass(frozen=True, slots=True)
class Of:
    """An organization and a transaction that is bound to it.

    Attributes:
        caller: Who asks; of another organization where they operate the service.
    """

    organization_id: UUID
    session: Session
    caller: Identity


def own(
    caller: Annotated[Identity, Depends(require(Permission.BILLING_READ))],
    session: Transaction,
) -> Of:
    """Return the caller's organization."""
    return Of(caller.organization_id, session, caller)


def named(
    org_id: UUID, caller: Caller, session: Transaction, *, adapters: Adapters
) -> Iterator[Of]:
    """Provide the organization in the path, to itself and to operators.

    Raises:
        NotFound: It is not there, or none of the caller's business: both look the same.
        PermissionDenied: It is the caller's, who may not see its billing.
    """
    operates = Permission.OPERATIONS_MANAGE in caller.permissions
    if org_id == caller.organization_id:
        if not operates and Permission.BILLING_READ not in caller.permissions:
            raise PermissionDenied(f"this needs the permission {Permission.BILLING_READ}")
        yield Of(org_id, session, caller)
        return
    if not operates:
        raise NotFound("there is no such organization")
    # Of the other pool: who holds one connection of a pool and waits for a second one of
    # it can wait for others who do the same.
    with adapters.worker.transaction(org_id) as bound:
        if accounts.find_organization_name(bound, org_id) is None:
            raise NotFound("there is no such organization")
        yield Of(org_id, bound, caller)


def operated(of: Annotated[Of, Depends(named, scope="function")]) -> Of:
    """Let only operators of the service pass.

    Raises:
        PermissionDenied: The organization is the caller's, who does not operate.
    """
    if Permission.OPERATIONS_MANAGE not in of.caller.permissions:
        raise PermissionDenied(f"this needs the permission {Permission.OPERATIONS_MANAGE}")
    return of


# The caller's own, with billing.read.
Own = Annotated[Of, Depends(own)]
# `/billing/organization/{org_id}/…`, to read.
Named = Annotated[Of, Depends(named, scope="function")]
# `/billing/organization/{org_id}/…`, to change as an operator.
Operated = Annotated[Of, Depends(operated)]
