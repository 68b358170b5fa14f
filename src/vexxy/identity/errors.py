"""What can go wrong with who somebody is."""

from vexxy.kit.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
    Unavailable,
)


class NotSignedIn(Unauthenticated):
    """Credentials are absent or do not hold; which of the two is not told."""

    def __init__(self) -> None:
        super().__init__(
            "no valid credentials were sent",
            hint="send `Authorization: Bearer TOKEN` or `X-API-Key: KEY`",
        )


class WrongCredentials(Unauthenticated):
    """A sign-in failed: no such account, wrong password or inactive; never which."""

    def __init__(self) -> None:
        super().__init__("the e-mail address or the password is wrong")


class WrongPassword(PermissionDenied):
    """Somebody signed in gave a current password that is not theirs."""

    def __init__(self) -> None:
        super().__init__(
            "the current password is wrong",
            hint="accounts of base VEXxy have their password there",
        )


class TooManyAttempts(RateLimited):
    """An account or an address tried too often; the answer is the same for both."""

    def __init__(self, *, retry_after_seconds: int) -> None:
        super().__init__(
            "too many attempts in a short time", retry_after_seconds=retry_after_seconds
        )


class Busy(Unavailable):
    """More people sign in at this moment than passwords can be checked."""

    def __init__(self) -> None:
        super().__init__(
            "too many people sign in at this moment", hint="try again in a few seconds"
        )


class WeakSecret(Unavailable):
    """A secret that others could guess; nothing is started with it."""


class UnusableKey(Unavailable):
    """A verification key cannot be read or must not be used."""


class NoSigningKey(Unavailable):
    """Tokens can be checked here and not signed."""

    def __init__(self) -> None:
        super().__init__(
            "this service signs no tokens; sign in at base VEXxy",
            hint="operators: set JWT_SECRET_KEY to sign in here as well",
        )


class WeakPassword(InvalidInput):
    """A password is too short, too long or known to everybody."""


class UnusableAddress(InvalidInput):
    """A text is no e-mail address."""


class EmailTaken(Conflict):
    """An account with this e-mail address exists."""

    def __init__(self) -> None:
        super().__init__(
            "this e-mail address has an account",
            hint="sign in, or reset the password",
        )


class RegistrationClosed(PermissionDenied):
    """The operator founds organizations, strangers do not."""

    def __init__(self) -> None:
        super().__init__(
            "registration is closed here", hint="ask for an invitation instead"
        )


class SignInNeeded(PermissionDenied):
    """An API key may not do this; a person who is signed in may."""

    def __init__(self) -> None:
        super().__init__("this needs a person who is signed in, not an API key")


class NotYours(PermissionDenied):
    """A caller may give or take only what is below or equal to their own role."""


class LastOwner(Conflict):
    """An organization without an owner could not be governed."""

    def __init__(self) -> None:
        super().__init__(
            "this is the organization's last owner", hint="name another owner first"
        )


class LinkExpired(InvalidInput):
    """A reset link or invitation is unknown, used or expired; never which."""

    def __init__(self) -> None:
        super().__init__(
            "this link is unknown, was used or has expired", hint="ask for a new one"
        )


class NoSuchMember(NotFound):
    """No user of this organization has the id."""

    def __init__(self) -> None:
        super().__init__("there is no such member")


class NoSuchOrganization(NotFound):
    """Base VEXxy told of a user before it told of their organization."""

    def __init__(self) -> None:
        super().__init__(
            "there is no such organization", hint="synchronize the organization first"
        )


class NoSuchKey(NotFound):
    """No API key that the caller may see has the id."""

    def __init__(self) -> None:
        super().__init__("there is no such API key")


class NoSuchInvitation(NotFound):
    """No open invitation of this organization has the id."""

    def __init__(self) -> None:
        super().__init__("there is no such invitation")


class UnusableKeyRequest(InvalidInput):
    """An API key as it was asked for would be of no use."""


class TooManyKeys(Conflict):
    """A user has as many API keys as one may have."""


class ForeignTenant(Conflict):
    """Base VEXxy names an organization or a user that is not its own."""


class TenantClosed(Conflict):
    """Base VEXxy names an organization that was erased, or is being erased."""

    def __init__(self) -> None:
        super().__init__(
            "this organization was erased and does not come back",
            hint="found a new organization, with a new id",
        )
