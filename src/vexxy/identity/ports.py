"""What identity needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from vexxy.identity.types import Claims, Issued, Letter, Policy


class KeySetSource(Protocol):
    """Somewhere a JSON Web Key Set (RFC 7517) is published."""

    def fetch(self) -> bytes:
        """Return the document; bounded in size and time.

        Raises:
            ExternalFailure: It cannot be had; what was fetched before stays in use.
        """


class Mail(Protocol):
    """Takes letters to people."""

    def send(self, letter: Letter, /) -> None:
        """Hand the letter over.

        Raises:
            ExternalFailure: Nobody took it.
        """


class TokenAuthority(Protocol):
    """Signs tokens and checks them."""

    @property
    def signs(self) -> bool:
        """Whether there is a key to sign with; without one nobody signs in here."""

    def verify(self, token: str, /) -> Claims:
        """Return what a token says.

        Raises:
            NotSignedIn: It does not hold, for whatever reason.
        """

    def issue(
        self, *, user_id: UUID, organization_id: UUID, email: str, generation: int
    ) -> Issued:
        """Sign a token for a user.

        Raises:
            NoSigningKey: There is no key to sign with.
        """


class PasswordHashing(Protocol):
    """Turns passwords into what may be stored."""

    def hash(self, password: str, /) -> str:
        """Return a salted hash, in the PHC string format."""

    def matches(self, password: str, hashed: str | None, /) -> bool:
        """Tell whether the password is the one; with no hash it takes as long."""

    def outdated(self, hashed: str, /) -> bool:
        """Tell whether the hash was made with other parameters than today's."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the use-cases of identity work with.

    Attributes:
        mail: None where no mail server is configured: links are then given out by
            operators on the command line.
        service_keys: What base VEXxy may show to synchronize; several while rotating.
    """

    tokens: TokenAuthority
    passwords: PasswordHashing
    mail: Mail | None = None
    service_keys: Sequence[str] = ()
    policy: Policy = field(default_factory=Policy)
