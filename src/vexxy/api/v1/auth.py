"""Registration, sign-in, passwords, logging out everywhere."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import BackgroundTasks, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vexxy.http import metering, openapi
from vexxy.http.deps import (
    Acting,
    Adapters,
    Caller,
    ClientAddress,
    Person,
    SystemTransaction,
    Transaction,
    origin,
)
from vexxy.http.fields import Instant, Name, Text
from vexxy.http.routing import Router
from vexxy.identity.accounts import service as accounts
from vexxy.identity.accounts.types import Credentials, Origin, Registration
from vexxy.identity.members import service as members
from vexxy.identity.members.types import Acceptance
from vexxy.identity.recovery import service as recovery
from vexxy.identity.throttle import rules as counters
from vexxy.identity.throttle import service as throttle
from vexxy.identity.types import Account, Issued, Permission, Role, SignedIn
from vexxy.kit.errors import (
    Conflict,
    PaymentRequired,
    PermissionDenied,
    Unauthenticated,
)

router = Router(prefix="/auth", tags=["identity"])

Email = Annotated[Text, StringConstraints(min_length=3, max_length=320)]
# Longer than any that is accepted, so that the answer says what is wrong with it.
Password = Annotated[Text, StringConstraints(min_length=1, max_length=1024)]
LinkToken = Annotated[Text, StringConstraints(min_length=1, max_length=200)]


def _example(**fields: Any) -> ConfigDict:  # noqa: ANN401  any JSON
    return ConfigDict(json_schema_extra={"examples": [fields]})


class RegistrationBody(BaseModel):
    """A stranger who founds an organization."""

    model_config = _example(
        email="ada@example.com",
        password="four unrelated plain words",  # noqa: S106  an example
        name="Ada",
        organization_name="Example",
    )

    email: Email
    password: Password
    name: Name
    organization_name: Name


class LoginBody(BaseModel):
    """Somebody who says who they are."""

    model_config = _example(
        email="ada@example.com",
        password="four unrelated plain words",  # noqa: S106  an example
    )

    email: Email
    password: Password


class PasswordChange(BaseModel):
    """The password that is, and the one that shall be."""

    model_config = _example(
        current_password="four unrelated plain words",  # noqa: S106  an example
        new_password="another four plain words",  # noqa: S106  an example
    )

    current_password: Password
    new_password: Password


class LogOutEverywhere(BaseModel):
    """What else shall stop holding."""

    model_config = _example(revoke_api_keys=True)

    revoke_api_keys: bool = False


class ResetRequest(BaseModel):
    """Whose password was forgotten."""

    model_config = _example(email="ada@example.com")

    email: Email


class ResetConfirmation(BaseModel):
    """What stands in the link after `token=`, and the password that shall be."""

    model_config = _example(
        token="what stands in the link after token=",  # noqa: S106  an example
        new_password="four unrelated plain words",  # noqa: S106  an example
    )

    token: LinkToken
    new_password: Password


class InvitationAcceptance(BaseModel):
    """What stands in the link after `token=`, and who takes the offer."""

    model_config = _example(
        token="what stands in the link after token=",  # noqa: S106  an example
        name="Bob",
        password="four unrelated plain words",  # noqa: S106  an example
    )

    token: LinkToken
    name: Name
    password: Password


class UserView(BaseModel):
    """A user as they see themselves."""

    id: UUID
    organization_id: UUID
    email: str
    name: str
    role: Role
    is_active: bool
    is_admin: bool = Field(description="An operator of the whole service")
    created_at: Instant


class OrganizationView(BaseModel):
    """The organization of a user."""

    id: UUID
    name: str
    slug: str


class TokenView(BaseModel):
    """A fresh bearer token."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105  a word of RFC 6750
    expires_in: int = Field(description="Seconds")


class SignedInView(TokenView):
    """A fresh bearer token, and whose it is."""

    user: UserView
    organization: OrganizationView


class Me(BaseModel):
    """The caller."""

    user: UserView
    organization: OrganizationView
    permissions: list[Permission]
    api_key_id: UUID | None = Field(description="The API key that was sent, if one was")


class Told(BaseModel):
    """A sentence, the same whatever happened."""

    message: str


def user_view(account: Account) -> UserView:
    """Return the user of an account."""
    return UserView(
        id=account.user_id,
        organization_id=account.organization_id,
        email=account.email,
        name=account.name,
        role=account.role,
        is_active=account.is_active,
        is_admin=account.is_admin,
        created_at=account.created_at,
    )


def organization_view(account: Account) -> OrganizationView:
    """Return the organization of an account."""
    return OrganizationView(
        id=account.organization_id,
        name=account.organization_name,
        slug=account.organization_slug,
    )


def _token(issued: Issued) -> dict[str, Any]:
    return {"access_token": issued.access_token, "expires_in": issued.expires_in_seconds}


def _signed_in(found: SignedIn) -> SignedInView:
    return SignedInView(
        **_token(found.token),
        user=user_view(found.account),
        organization=organization_view(found.account),
    )


def _stranger(request: Request) -> Origin:
    return Origin(**origin(request))


Stranger = Annotated[Origin, Depends(_stranger)]


def _limit_registrations(adapters: Adapters, address: ClientAddress) -> None:
    limit = counters.registration(adapters.identity.policy.limits, address)
    throttle.spend(adapters.system, [limit])


def _limit_proofs(adapters: Adapters, address: ClientAddress) -> None:
    limit = counters.address(adapters.identity.policy.limits, address)
    throttle.spend(adapters.system, [limit])


REGISTERED: Final = openapi.responses(Conflict, PermissionDenied)


@router.post(
    "/register",
    status_code=HTTPStatus.CREATED,
    responses=REGISTERED,
    dependencies=[Depends(_limit_registrations)],
)
def register(
    *,
    body: RegistrationBody,
    adapters: Adapters,
    session: SystemTransaction,
    stranger: Stranger,
) -> SignedInView:
    """Found an organization with its first owner, and sign them in."""
    wanted = Registration(**body.model_dump())
    return _signed_in(
        accounts.register(session, adapters.identity, wanted, origin=stranger)
    )


@router.post("/login", responses=openapi.responses(Unauthenticated))
def login(body: LoginBody, adapters: Adapters, stranger: Stranger) -> SignedInView:
    """Sign in.

    An unknown address, a wrong password and an inactive account get the same answer.
    """
    shown = Credentials(**body.model_dump())
    found = accounts.sign_in(adapters.system, adapters.identity, shown, origin=stranger)
    return _signed_in(found)


@router.get("/me")
def read_me(caller: Caller, session: Transaction) -> Me:
    """Return who the caller is and what they may do."""
    account = accounts.read_account(session, caller)
    return Me(
        user=user_view(account),
        organization=organization_view(account),
        permissions=sorted(caller.permissions),
        api_key_id=caller.api_key_id,
    )


@router.post("/password")
def change_password(
    *,
    body: PasswordChange,
    person: Person,
    adapters: Adapters,
    session: Transaction,
    actor: Acting,
) -> TokenView:
    """Replace the password; every token stops holding but the one that is answered."""
    accounts.spend_proof(adapters.system, adapters.identity, person)
    issued = accounts.change_password(
        session,
        adapters.identity,
        person,
        current=body.current_password,
        new=body.new_password,
        actor=actor,
    )
    return TokenView(**_token(issued))


@router.post("/logout-everywhere", status_code=HTTPStatus.NO_CONTENT)
def log_out_everywhere(
    *,
    person: Person,
    session: Transaction,
    actor: Acting,
    body: LogOutEverywhere | None = None,
) -> None:
    """Make every token of the caller worthless, this one too; API keys if asked."""
    keys = body is not None and body.revoke_api_keys
    accounts.log_out_everywhere(session, person, revoke_api_keys=keys, actor=actor)


@router.post(
    "/password-reset",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[Depends(_limit_proofs)],
)
def ask_for_reset(
    *, body: ResetRequest, adapters: Adapters, stranger: Stranger, later: BackgroundTasks
) -> Told:
    """Send a link that sets a new password, if the address has an account.

    The answer says nothing about the address, and leaves before it is looked up.
    """
    if adapters.identity.mail is None:
        return Told(
            message="this service sends no mail; ask its operator for a link "
            "(vexxy users reset-link EMAIL)"
        )
    later.add_task(
        recovery.ask, adapters.system, adapters.identity, body.email, origin=stranger
    )
    return Told(message="if the address has an account, a link is on its way")


@router.post(
    "/password-reset/confirm",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[Depends(_limit_proofs)],
)
def reset_password(
    *,
    body: ResetConfirmation,
    adapters: Adapters,
    session: SystemTransaction,
    stranger: Stranger,
) -> None:
    """Set a new password by a link; every token stops holding."""
    recovery.use(
        session,
        adapters.identity,
        token=body.token,
        password=body.new_password,
        origin=stranger,
    )


@router.post(
    "/invitations/accept",
    status_code=HTTPStatus.CREATED,
    responses=openapi.responses(Conflict, PaymentRequired),
    dependencies=[Depends(_limit_proofs)],
)
def accept_invitation(
    *,
    request: Request,
    body: InvitationAcceptance,
    adapters: Adapters,
    session: SystemTransaction,
    stranger: Stranger,
) -> SignedInView:
    """Become a member by an invitation, and be signed in."""
    accepted = Acceptance(**body.model_dump())
    found = members.accept(
        session,
        adapters.identity,
        accepted,
        origin=stranger,
        admission=partial(metering.take_seat, request, session),
    )
    return _signed_in(found)
