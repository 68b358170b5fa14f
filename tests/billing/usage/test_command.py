"""What `vexxy billing usage` compares and mends."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from tests import service_values
from tests.billing.usage.values import an_event
from vexxy.billing.usage import service
from vexxy.cli import billing_usage
from vexxy.kit.db import Database


@pytest.fixture
def home(db_system: Database, db_request: Database) -> UUID:
    organization_id = service_values.an_organization(db_system)
    now = datetime.now(UTC)
    told = [an_event(f"e{n}", "3", at=now - timedelta(days=n)) for n in range(0, 30, 5)]
    with db_request.transaction(organization_id) as session:
        service.record(session, organization_id, told)
    return organization_id


def test_totals_that_agree_are_left_alone(db_system: Database, home: UUID) -> None:
    assert billing_usage.examined(db_system, home, mend=False) == []
    assert billing_usage.examined(db_system, home, mend=True) == []


def test_every_week_is_compared_and_what_differs_is_mended(
    db_system: Database, home: UUID
) -> None:
    with db_system.transaction() as session:
        session.execute(
            text(
                "update billing_usage_daily_totals set events = 7"
                " where organization_id = :id"
            ),
            {"id": home},
        )
    found = billing_usage.examined(db_system, home, mend=False)
    assert len(found) == 6
    assert billing_usage.examined(db_system, home, mend=True) == found
    assert billing_usage.examined(db_system, home, mend=False) == []


def test_an_organization_that_used_nothing_has_nothing_to_compare(
    db_system: Database,
) -> None:
    nobody = service_values.an_organization(db_system)
    assert billing_usage.examined(db_system, nobody, mend=False) == []
