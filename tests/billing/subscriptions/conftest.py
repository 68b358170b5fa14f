"""A catalog that is published, and organizations whose time passes."""

from collections.abc import Callable

import pytest

from tests.billing.subscriptions import living
from tests.billing.subscriptions.living import Life
from vexxy.billing.catalog.service import Plans
from vexxy.kit.db import Database


@pytest.fixture(scope="module")
def plans(db_system: Database) -> Plans:
    return living.plans_of(db_system)


@pytest.fixture(scope="module")
def agents(db_system: Database) -> Plans:
    return living.plans_of(db_system, "agents")


@pytest.fixture
def a_life(
    db_system: Database, db_request: Database, plans: Plans
) -> Callable[[str], Life]:
    return lambda begins: living.a_life(db_system, db_request, plans, begins=begins)
