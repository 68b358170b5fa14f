"""Published plans in PostgreSQL."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vexxy.billing.catalog.models import PublishedPlan


def insert_plan(
    session: Session,
    catalog: str,
    *,
    tier: str,
    version: int,
    definition: Mapping[str, Any],
) -> bool:
    """Store a version of a plan unless there is one; say whether it was stored.

    Waits for another process that stores the same one, so that what is read next is
    what holds.
    """
    statement = (
        insert(PublishedPlan)
        .values(
            catalog=catalog,
            tier=tier,
            version=version,
            definition=definition,
            created_at=func.now(),
        )
        .on_conflict_do_nothing()
        .returning(PublishedPlan.version)
    )
    return session.execute(statement).first() is not None


def find_definition(
    session: Session, catalog: str, *, tier: str, version: int
) -> Mapping[str, Any] | None:
    """Return a version of a plan as it was published."""
    return session.scalar(
        select(PublishedPlan.definition).where(
            PublishedPlan.catalog == catalog,
            PublishedPlan.tier == tier,
            PublishedPlan.version == version,
        )
    )
