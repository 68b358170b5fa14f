"""Members of the caller's organization, and invitations."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import BackgroundTasks, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from vexxy.api.v1.auth import Email
from vexxy.http import metering, openapi
from vexxy.http.deps import Acting, Adapters, Transaction, require
from vexxy.http.fields import Instant
from vexxy.http.routing import Router
from vexxy.identity.letters import service as letters
from vexxy.identity.members import service as members
from vexxy.identity.members.types import Change, Invitation, Member
from vexxy.identity.types import Identity, Permission, Role
from vexxy.kit.errors import Conflict

router = Router(prefix="/members", tags=["members"])

Manager = Annotated[Identity, Depends(require(Permission.MEMBERS_MANAGE))]
Limit = Annotated[int, Query(ge=1, le=200)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]


class MemberView(BaseModel):
    """A user as their colleagues see them."""

    id: UUID
    email: str
    name: str
    role: Role
    is_active: bool
    created_at: Instant


class Members(BaseModel):
    """A page of members, oldest first."""

    total: int
    limit: int
    offset: int
    members: list[MemberView]


class MemberChange(BaseModel):
    """What shall become of a member; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "analyst"}]})

    role: Role | None = None
    is_active: bool | None = None


class InvitationBody(BaseModel):
    """Whom to offer a place, and as what."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"email": "bob@example.com", "role": "analyst"}]}
    )

    email: Email
    role: Role = Role.VIEWER


class InvitationView(BaseModel):
    """An offer without what it is accepted with."""

    id: UUID
    email: str
    role: Role
    invited_by: UUID
    created_at: Instant
    expires_at: Instant


class MadeInvitationView(InvitationView):
    """A new offer."""

    link: str = Field(description="What the person opens, shown here and never again")
    token: str = Field(description="What `POST /auth/invitations/accept` takes")
    mailed: bool = Field(description="False: no mail is configured; hand the link over")


class Invitations(BaseModel):
    """A page of offers that could still be accepted, newest first."""

    total: int
    limit: int
    offset: int
    invitations: list[InvitationView]


def _member(member: Member) -> MemberView:
    return MemberView.model_validate(member, from_attributes=True)


def _invitation(invitation: Invitation) -> InvitationView:
    return InvitationView.model_validate(invitation, from_attributes=True)


@router.get("")
def list_members(
    *, manager: Manager, session: Transaction, limit: Limit = 50, offset: Offset = 0
) -> Members:
    """List the members of the caller's organization."""
    total, found = members.list_members(session, manager, limit=limit, offset=offset)
    views = [_member(member) for member in found]
    return Members(total=total, limit=limit, offset=offset, members=views)


@router.patch("/{user_id}", responses=openapi.responses(Conflict))
def change_member(
    *,
    request: Request,
    user_id: UUID,
    body: MemberChange,
    manager: Manager,
    session: Transaction,
    actor: Acting,
) -> MemberView:
    """Change a member's role, deactivate or reactivate them (which takes a seat)."""
    if body.is_active:
        metering.take_seat(
            request, session, manager.organization_id, more=metering.reactivated(user_id)
        )
    change = Change(body.role, body.is_active)
    return _member(members.change(session, manager, user_id, to=change, actor=actor))


@router.delete(
    "/{user_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=openapi.responses(Conflict),
)
def remove_member(
    *, user_id: UUID, manager: Manager, session: Transaction, actor: Acting
) -> None:
    """Deactivate a member: their tokens and API keys stop holding at once."""
    gone = Change(is_active=False)
    members.change(session, manager, user_id, to=gone, actor=actor)


@router.post(
    "/invitations",
    status_code=HTTPStatus.CREATED,
    responses=openapi.responses(Conflict),
)
def invite(
    *,
    request: Request,
    body: InvitationBody,
    manager: Manager,
    adapters: Adapters,
    session: Transaction,
    actor: Acting,
    later: BackgroundTasks,
) -> MadeInvitationView:
    """Offer somebody a place; an earlier offer to the address is withdrawn."""
    members.spend_invitation(adapters.system, adapters.identity, manager)
    metering.offer_seat(request, session, manager.organization_id, email=body.email)
    made = members.invite(
        session,
        adapters.identity,
        manager,
        email=body.email,
        role=body.role,
        actor=actor,
    )
    mail = adapters.identity.mail
    if mail is not None:
        later.add_task(letters.post, mail, members.letter(made))
    return MadeInvitationView(
        **_invitation(made.invitation).model_dump(),
        link=made.link,
        token=made.token,
        mailed=mail is not None,
    )


@router.get("/invitations")
def list_invitations(
    *, manager: Manager, session: Transaction, limit: Limit = 50, offset: Offset = 0
) -> Invitations:
    """List the offers that could still be accepted."""
    total, found = members.list_invitations(session, manager, limit=limit, offset=offset)
    views = [_invitation(invitation) for invitation in found]
    return Invitations(total=total, limit=limit, offset=offset, invitations=views)


@router.delete("/invitations/{invitation_id}", status_code=HTTPStatus.NO_CONTENT)
def revoke_invitation(
    *, invitation_id: UUID, manager: Manager, session: Transaction, actor: Acting
) -> None:
    """Withdraw an offer."""
    members.revoke_invitation(session, manager, invitation_id, actor=actor)
