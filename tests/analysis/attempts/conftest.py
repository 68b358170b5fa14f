"""A desk where analyses are submitted."""

import pytest

from tests.analysis.desk import Desk
from vexxy.kit.db import Database


@pytest.fixture
def desk(db_system: Database, db_request: Database) -> Desk:
    return Desk(db_system, db_request)
