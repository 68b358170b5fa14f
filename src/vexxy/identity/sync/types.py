"""What base VEXxy tells."""

from dataclasses import dataclass
from uuid import UUID

from vexxy.identity.types import Role


@dataclass(frozen=True, slots=True)
class CoreOrganization:
    """An organization of base VEXxy; its id is ours as well, as its tokens name it."""

    id: UUID
    name: str


@dataclass(frozen=True, slots=True)
class CoreUser:
    """A user of base VEXxy.

    Attributes:
        role: What they are here; None leaves it, or makes it follow `is_admin`.
        is_admin: Whether they govern their organization in base VEXxy. It never makes
            anybody an operator of this service.
        is_active: False takes everything from them at once; None leaves it as it is.
    """

    id: UUID
    organization_id: UUID
    email: str
    name: str
    role: Role | None = None
    is_admin: bool | None = None
    is_active: bool | None = None


@dataclass(frozen=True, slots=True)
class Synced:
    """What a synchronization did."""

    id: UUID
    created: bool
    changed: bool
