"""Every table of the database is exported or not, and erased or not, on purpose."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from tests.tenancy import rows
from vexxy.kit import db, redaction
from vexxy.portability import rules
from vexxy.portability.types import Fate

TENANT = {table.name: table for table in rules.TENANT}


@pytest.fixture(scope="module")
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(db.normalized(database_url), poolclass=NullPool)
    with engine.connect() as made:
        yield made


def test_no_table_is_forgotten(connection: Connection) -> None:
    """A new table fails here with its name: say in `portability/rules.py` what it is."""
    found = rows.tables(connection)
    tenant = {name for name, table in found.items() if table.tenant is not None}
    assert set(TENANT) == tenant
    assert len(TENANT) == len(rules.TENANT), "a table is named twice"
    assert set(rules.SHARED) == set(found) - tenant
    assert {name: TENANT[name].column for name in tenant} == {
        name: found[name].tenant for name in tenant
    }


def test_what_stays_or_is_not_exported_has_a_reason() -> None:
    assert [
        table.name
        for table in rules.TENANT
        if (table.fate is Fate.ERASED) == bool(table.reason)
        or (table.fate is Fate.BLANKED) != bool(table.blank)
    ] == []
    assert set(rules.NOT_EXPORTED) <= set(TENANT)
    assert all(rules.NOT_EXPORTED.values())
    assert all(rules.SHARED.values())


def test_what_points_at_a_table_is_erased_before_it(connection: Connection) -> None:
    position = {table.name: number for number, table in enumerate(rules.TENANT)}
    wrong = [
        f"{name} points at {other}"
        for name, table in rows.tables(connection).items()
        for other, _ in table.references.values()
        if name != other
        and other in position
        and TENANT[other].fate is Fate.ERASED
        and (TENANT[name].fate is not Fate.ERASED or position[name] > position[other])
    ]
    assert wrong == []


# Bytes that say something to their owner, by hexadecimal digits.
SHOWN = {"billing_events.chain", "credit_accounts.chain"}
# Words that a secret's name has, and that are none here.
NO_SECRET = {
    "billing_events.key",
    "billing_periods.grant_keys",
    "billing_usage_events.distinct_key",
    "users.tokens_valid_from",
}


def test_no_secret_leaves_with_an_export(connection: Connection) -> None:
    """By type or by name: what may be one has to be left out, or named here."""
    columns = connection.execute(
        text(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = 'public'"
        )
    )
    leaving = [
        f"{row.table_name}.{row.column_name}"
        for row in columns
        if row.table_name in TENANT
        and row.table_name not in rules.NOT_EXPORTED
        and row.column_name not in TENANT[row.table_name].left_out
        and (row.data_type == "bytea" or redaction.names_a_secret(row.column_name))
    ]
    assert sorted(set(leaving) - SHOWN - NO_SECRET) == []


def test_what_is_left_out_or_blanked_exists(connection: Connection) -> None:
    found = rows.tables(connection)
    missing = [
        f"{table.name}.{name}"
        for table in rules.TENANT
        for name in (*table.left_out, *table.blank)
        if name not in found[table.name].columns
    ]
    assert missing == []
