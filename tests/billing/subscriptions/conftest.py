"""A catalog that is published, and organizations whose time passes."""

from collections.abc import Callable, Iterator

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
    db_system: Database, db_request: Database, plans: Plans, agents: Plans
) -> Iterator[Callable[..., Life]]:
    """Make organizations; no sweep of a later test finds them."""
    lives: list[Life] = []

    def made(begins: str, catalog: str = "vexxy") -> Life:
        offered = {"vexxy": plans, "agents": agents}[catalog]
        life = living.a_life(db_system, db_request, offered, begins=begins)
        lives.append(life)
        return life

    yield made
    for life in lives:
        life.end()
