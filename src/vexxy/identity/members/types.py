"""Members and invitations."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vexxy.identity.types import Role


@dataclass(frozen=True, slots=True)
class Member:
    """A user as their colleagues see them."""

    id: UUID
    email: str
    name: str
    role: Role
    is_active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """What shall become of a member; a field that is None stays as it is."""

    role: Role | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An offer without what it is accepted with."""

    id: UUID
    email: str
    role: Role
    invited_by: UUID
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class MadeInvitation:
    """An offer and its link, which is shown once and stored nowhere."""

    invitation: Invitation
    token: str
    link: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Somebody who takes an offer."""

    token: str
    name: str
    password: str
