"""Two organizations with a row in every table."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from tests.tenancy import rows
from tests.tenancy.rows import Table
from vexxy.kit import db


@dataclass(frozen=True)
class Filled:
    """A database in which two organizations have everything."""

    url: str
    ours: UUID
    theirs: UUID
    tables: dict[str, Table]


@pytest.fixture(scope="module")
def filled(database_url: str) -> Filled:
    engine = create_engine(db.normalized(database_url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("set local role vexxy_system"))
        found = rows.tables(connection)
        ours = rows.fill(connection, mark="ours")
        theirs = rows.fill(connection, mark="theirs")
    return Filled(database_url, ours, theirs, found)


@pytest.fixture
def connection(filled: Filled) -> Iterator[Connection]:
    """A connection whose work is taken back at the end of the test."""
    engine = create_engine(db.normalized(filled.url), poolclass=NullPool)
    with engine.connect() as made:
        yield made
        made.rollback()
