"""What is read under the lock, or every minute, costs no more with more organizations."""

from uuid import UUID

import pytest
from sqlalchemy import TextClause, text

from tests.billing.ledger.values import NOW
from vexxy.billing.ledger import repository
from vexxy.billing.ledger.sweeps import repository as sweeps
from vexxy.kit.db import Database

ID = UUID(int=1)


@pytest.mark.parametrize(
    ("query", "values", "index"),
    [
        (repository._LOTS, {"organization_id": ID, "ids": []}, "ix_credit_lots_open"),
        (repository._OPEN_LOTS, {"organization_id": ID}, "ix_credit_lots_open"),
        (sweeps._DUE_LOTS, {"now": NOW, "limit": 1}, "ix_credit_lots_"),
    ],
    ids=["decision", "balance", "sweep"],
)
def test_lots_are_found_by_an_index(
    db_system: Database, query: TextClause, values: dict[str, object], index: str
) -> None:
    """The partial indexes serve only a query that says what they say."""
    with db_system.transaction() as session:
        # A small table is read whole where that is allowed.
        session.execute(text("set local enable_seqscan = off"))
        plan = session.scalars(text(f"explain {query.text}"), values).all()
    assert index in "\n".join(plan)
