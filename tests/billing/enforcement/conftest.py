"""The second catalog, in which much is limited."""

import pytest

from vexxy.billing.catalog import service as catalog
from vexxy.billing.catalog.service import Plans
from vexxy.kit.db import Database

AGENTS = catalog.load("agents")


@pytest.fixture(scope="module")
def free(db_system: Database) -> Plans:
    """Everybody is on the free plan of `agents`."""
    return published(db_system, "free")


@pytest.fixture(scope="module")
def standard(db_system: Database) -> Plans:
    """Everybody is on the one that sells what is beyond."""
    return published(db_system, "standard")


def published(system: Database, tier: str) -> Plans:
    plans = Plans(AGENTS, default_tier=tier)
    with system.transaction() as session:
        plans.publish(session)
    return plans
