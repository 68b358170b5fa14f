"""What `vexxy billing check` and `rebuild` look at beside the ledger's own records."""

from typing import Final
from uuid import UUID

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.ledger.checks import rules
from vexxy.billing.ledger.checks.types import Difference
from vexxy.billing.quotas import service as quotas
from vexxy.kit.db import Database

# What `rebuild` counts again; the others are facts that contradict each other.
COUNTED: Final = ("analyses", "credits_used")
LOOK: Final = "compare the analysis with GET /billing/events, then adjust or refund"


def list_differences(database: Database, organization_id: UUID) -> list[Difference]:
    """Return where the counts of periods are not what was admitted and charged."""
    repair = rules.REBUILD.format(organization_id)
    with database.transaction() as session:
        return [
            Difference(
                f"quota {one.what} of {one.subject}",
                str(one.stored),
                str(one.computed),
                repair if one.what in COUNTED else LOOK,
            )
            for one in quotas.check(session, organization_id)
        ]


def rebuild(database: Database, organization_id: UUID, *, actor: Actor) -> None:
    """Count the periods again; recorded where something was other."""
    with database.transaction() as session:
        changed = quotas.rebuild(session, organization_id)
        if changed:
            done = Act(
                action="quotas.rebuilt",
                actor=actor,
                organization_id=organization_id,
                resource_type="billing_period",
                metadata={"periods": changed},
            )
            audit.record(session, done)
