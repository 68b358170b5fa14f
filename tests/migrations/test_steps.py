"""Every revision, forward and back, on tables that hold rows."""

import re

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from tests.tenancy import rows
from vexxy.kit import db
from vexxy.migrations import service as migrations

OBJECTS = {
    "columns": "select table_name, column_name, data_type, is_nullable, column_default"
    " from information_schema.columns where table_schema = 'public'",
    "constraints": "select conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
    " from pg_constraint where connamespace = 'public'::regnamespace",
    "indexes": "select indexname, indexdef from pg_indexes where schemaname = 'public'",
    "functions": "select proname, md5(prosrc) from pg_proc"
    " where pronamespace = 'public'::regnamespace",
    "triggers": "select tgrelid::regclass::text, tgname from pg_trigger"
    " where not tgisinternal",
    "policies": "select tablename, policyname, roles::text, qual, with_check"
    " from pg_policies",
    "security": "select relname, relrowsecurity, relforcerowsecurity from pg_class"
    " where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace",
    "rights": "select table_name, grantee, privilege_type"
    " from information_schema.role_table_grants where table_schema = 'public'"
    " and grantee like 'vexxy\\_%'",
}


class Watched:
    """A database and what is in it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._engine = create_engine(db.normalized(url), poolclass=NullPool)

    def schema(self) -> dict[str, list[str]]:
        """Return everything that revisions may make, as text."""
        with self._engine.connect() as connection:
            return {
                name: sorted(
                    repr(tuple(row))
                    for row in connection.execute(text(query)).all()
                    if "alembic_version" not in repr(row)
                )
                for name, query in OBJECTS.items()
            }

    def fill(self) -> None:
        """Put a row of two new organizations into every table there is."""
        with self._engine.begin() as connection:
            connection.execute(text("set local role vexxy_system"))
            rows.fill(connection, mark="one")
            rows.fill(connection, mark="two")

    def content(self) -> dict[str, list[str]]:
        """Return every row of every table, by its columns' names."""
        with self._engine.connect() as connection:
            connection.execute(text("set local role vexxy_system"))
            return {name: _content(connection, name) for name in rows.tables(connection)}


def _content(connection: Connection, table: str) -> list[str]:
    query = f"select to_jsonb(t)::text from {table} t order by 1"  # noqa: S608  the catalog
    return list(connection.execute(text(query)).scalars())


def test_revisions_follow_each_other_by_time() -> None:
    found = migrations.revisions()
    assert list(found) == sorted(found)
    assert all(re.fullmatch(r"\d{8}_\d{4}", revision) for revision in found)


def test_each_step_is_taken_on_rows_of_the_one_before(empty_database_url: str) -> None:
    """Each step forward keeps every value; back and forward again gives the same schema."""
    watched = Watched(empty_database_url)
    before = None
    for revision in migrations.revisions():
        kept = watched.content() if before else {}
        migrations.upgrade(empty_database_url, revision)
        assert migrations.current(empty_database_url) == revision
        _assert_kept(kept, watched.content())
        schema = watched.schema()
        if before:
            migrations.downgrade(empty_database_url, before)
            migrations.upgrade(empty_database_url, revision)
            assert watched.schema() == schema, revision
            _assert_kept(kept, watched.content())
        watched.fill()
        before = revision


def _assert_kept(before: dict[str, list[str]], after: dict[str, list[str]]) -> None:
    for table, found in before.items():
        assert len(after[table]) == len(found), table


def test_each_step_is_taken_back_on_populated_tables(empty_database_url: str) -> None:
    watched = Watched(empty_database_url)
    schemas = {}
    for revision in migrations.revisions():
        migrations.upgrade(empty_database_url, revision)
        schemas[revision] = watched.schema()
    watched.fill()
    left = list(migrations.revisions())
    while left:
        left.pop()
        migrations.downgrade(empty_database_url, left[-1] if left else "base")
        assert migrations.current(empty_database_url) == (left[-1] if left else None)
        expected = schemas[left[-1]] if left else {name: [] for name in OBJECTS}
        assert watched.schema() == expected
        if left:
            assert all(watched.content().values()), "a table lost its rows on the way"


def test_upgrading_twice_changes_nothing(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    watched = Watched(empty_database_url)
    watched.fill()
    before = (watched.schema(), watched.content())
    migrations.upgrade(empty_database_url)
    assert (watched.schema(), watched.content()) == before
