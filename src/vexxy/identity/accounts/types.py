"""What people send to get an account or to prove that they have one."""

from dataclasses import dataclass
from uuid import UUID

from vexxy.audit.types import Actor, ActorType


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from that nobody has proved anything with yet."""

    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None

    def actor(self, user_id: UUID | None) -> Actor:
        """Return a user as the one who acts; None is somebody unknown."""
        return Actor(
            type=ActorType.USER,
            id="unknown" if user_id is None else str(user_id),
            ip_address=self.ip_address,
            user_agent=self.user_agent,
            request_id=self.request_id,
        )


@dataclass(frozen=True, slots=True)
class Registration:
    """A stranger who founds an organization."""

    email: str
    password: str
    name: str
    organization_name: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """Somebody who says who they are."""

    email: str
    password: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of an account before anything is proved."""

    user_id: UUID
    organization_id: UUID
    hashed_password: str | None
    is_active: bool
    generation: int
