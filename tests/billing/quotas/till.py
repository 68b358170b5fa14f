"""What an organization has and used, read for tests."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from vexxy.billing.ledger import service as ledger
from vexxy.billing.quotas import service as quotas
from vexxy.kit.db import Database

_PERIODS = text(
    "select coalesce(sum(analyses), 0)::bigint, coalesce(sum(credits_used), 0)::bigint"
    " from billing_periods where organization_id = :id"
)
_SETTLED = text(
    "select count(*) from billing_events where organization_id = :id"
    " and kind = 'settle' and analysis_job_id = :analysis"
)


@dataclass(frozen=True)
class Till:
    """The money of one organization.

    Attributes:
        system: The database across organizations.
    """

    system: Database
    organization_id: UUID

    def balance(self, now: datetime | None = None) -> tuple[int, int]:
        """Return credits available and held."""
        with self.system.transaction() as session:
            found = ledger.balance(session, self.organization_id, now=now)
        return found.available_credits, found.held_credits

    def used(self) -> tuple[int, int]:
        """Return analyses and credits of every period together."""
        with self.system.transaction() as session:
            row = session.execute(_PERIODS, {"id": self.organization_id}).one()
        return int(row[0]), int(row[1])

    def settlements(self, analysis_id: UUID) -> int:
        """Return how often an analysis was charged."""
        values = {"id": self.organization_id, "analysis": analysis_id}
        with self.system.transaction() as session:
            return int(session.execute(_SETTLED, values).scalar_one())

    def discrepancies(self) -> list[object]:
        """Return what disagrees; nothing should."""
        with self.system.transaction() as session:
            return list(quotas.check(session, self.organization_id))
