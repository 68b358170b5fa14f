"""Naming operators."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.identity import rules
from vexxy.identity.errors import NoSuchMember
from vexxy.identity.models import User


def appoint(session: Session, email: str, *, is_admin: bool, actor: Actor) -> bool:
    """Make a user an operator, or no longer one; False where they were that already.

    Raises:
        NoSuchMember: Nobody has the address.
        UnusableAddress: It is no address.
    """
    address = rules.normal_email(email)
    query = select(User).where(func.lower(User.email) == address).with_for_update()
    user = session.scalars(query).one_or_none()
    if user is None:
        raise NoSuchMember
    if user.is_admin == is_admin:
        return False
    user.is_admin = is_admin
    audit.record(
        session,
        Act(
            action="operator.appointed" if is_admin else "operator.dismissed",
            actor=actor,
            organization_id=user.organization_id,
            resource_type="user",
            resource_id=user.id,
            before={"is_admin": not is_admin},
            after={"is_admin": is_admin},
        ),
    )
    return True
