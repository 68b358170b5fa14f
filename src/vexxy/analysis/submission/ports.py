"""What submitting needs from elsewhere."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.billing.types import Plan


class Entitlements(Protocol):
    """Knows what an organization may use."""

    def plan(self, session: Session, organization_id: UUID) -> Plan:
        """Return the plan that the organization is on now."""
