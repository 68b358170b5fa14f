"""What base VEXxy's word means here."""

from vexxy.identity.sync.types import CoreUser
from vexxy.identity.types import Role


def role(user: CoreUser, *, current: Role | None) -> Role:
    """Return the role that a user of base VEXxy has here.

    A role that is named wins. Otherwise who governs there is an admin here, who no longer
    does becomes an analyst, and an owner stays one until a role is named.
    """
    if user.role is not None:
        return user.role
    if current is Role.OWNER:
        return Role.OWNER
    if user.is_admin:
        return Role.ADMIN
    if current is None or (current is Role.ADMIN and user.is_admin is False):
        return Role.ANALYST
    return current
