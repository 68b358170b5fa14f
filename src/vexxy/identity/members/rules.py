"""Which changes of members are allowed."""

from vexxy.identity import rules
from vexxy.identity.members.types import Change, Member
from vexxy.identity.types import Role


def after(member: Member, change: Change) -> tuple[Role, bool]:
    """Return the role and activity that a member will have."""
    role = member.role if change.role is None else change.role
    is_active = member.is_active if change.is_active is None else change.is_active
    return role, is_active


def check_change(by: Role, member: Member, change: Change) -> None:
    """Refuse what would raise somebody above the one who makes the change.

    Raises:
        NotYours: Only owners make owners, and only owners change them.
    """
    role, is_active = after(member, change)
    if (role, is_active) != (member.role, member.is_active):
        rules.check_assignment(by, before=member.role, after=role)


def ends_an_owner(member: Member, change: Change) -> bool:
    """Tell whether an active owner will not be one afterwards."""
    was = member.role is Role.OWNER and member.is_active
    role, is_active = after(member, change)
    return was and not (role is Role.OWNER and is_active)
