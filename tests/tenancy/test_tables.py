"""Every table of every organization, by SQL, as the roles that serve requests and jobs."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from tests.tenancy.conftest import Filled
from tests.tenancy.rows import Table

BOUND = ("vexxy_request", "vexxy_worker")
# By a policy or a missing right; by a trigger that forbids the change to anybody.
DENIED = {"42501", "23514"}
# What is known of the world and belongs to nobody: workers may read or add to it.
SHARED = {
    # Plans and their prices are public.
    "vexxy_request select billing_plans",
    "vexxy_worker select billing_plans",
    "vexxy_worker select advisory_changes",
    "vexxy_worker insert advisory_states",
}


def become(connection: Connection, role: str, organization: object = None) -> None:
    connection.execute(text(f"set local role {role}"))
    connection.execute(
        text("select set_config('vexxy.organization_id', :id, true)"),
        {"id": "" if organization is None else str(organization)},
    )


def attempt(connection: Connection, statement: str, **values: object) -> int:
    """Return how many rows it reached; -1 where the database refused it outright."""
    point = connection.begin_nested()
    try:
        result = connection.execute(text(statement), values)
    except DBAPIError as error:
        point.rollback()
        if getattr(error.orig, "sqlstate", None) not in DENIED:
            raise
        return -1
    reached = len(result.all()) if result.returns_rows else result.rowcount
    point.rollback()
    return reached


def tenant_tables(filled: Filled) -> list[Table]:
    found = [table for table in filled.tables.values() if table.tenant is not None]
    assert len(found) > 5
    return found


def test_the_roles_can_neither_sign_in_nor_pass_by(connection: Connection) -> None:
    rows = connection.execute(
        text(
            "select rolname, rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,"
            " rolcreatedb from pg_roles where rolname like 'vexxy\\_%' order by rolname"
        )
    ).all()
    assert [row.rolname for row in rows] == [
        "vexxy_request",
        "vexxy_system",
        "vexxy_worker",
    ]
    assert not any(any(row[1:]) for row in rows)


def test_whose_role_it_is_may_not_pass_by_either(connection: Connection) -> None:
    row = connection.execute(
        text("select rolsuper, rolbypassrls from pg_roles where rolname = current_user")
    ).one()
    assert tuple(row) == (False, False)


def test_every_table_of_an_organization_has_forced_security(
    connection: Connection, filled: Filled
) -> None:
    secured = set(
        connection.execute(
            text(
                "select relname from pg_class where relkind in ('r', 'p')"
                " and relrowsecurity and relforcerowsecurity"
            )
        ).scalars()
    )
    open_tables = [
        table.name for table in tenant_tables(filled) if table.name not in secured
    ]
    assert open_tables == []


def test_a_table_of_nobody_is_the_systems_alone(
    connection: Connection, filled: Filled
) -> None:
    reachable = {
        f"{role} {right} {table.name}"
        for table in filled.tables.values()
        if table.tenant is None
        for role in BOUND
        for right in ("select", "insert", "update", "delete", "truncate")
        if connection.execute(
            text("select has_table_privilege(:role, :table, :right)"),
            {"role": role, "table": table.name, "right": right},
        ).scalar_one()
    }
    assert reachable - SHARED == set()


def test_no_row_points_at_another_organizations(filled: Filled) -> None:
    """A foreign key is not held by row-level security: it must hold the organization."""
    crossing = [
        f"{table.name}{mine} -> {other}"
        for table in tenant_tables(filled)
        for mine, (other, _) in table.references.items()
        if other != "organizations"
        and filled.tables[other].tenant is not None
        and table.tenant not in mine
    ]
    assert crossing == []


def test_no_bound_role_may_empty_or_change_a_table(
    connection: Connection, filled: Filled
) -> None:
    """TRUNCATE and triggers are not held by row-level security."""
    reachable = [
        f"{role} {right} {table}"
        for table in filled.tables
        for role in BOUND
        for right in ("truncate", "references", "trigger")
        if connection.execute(
            text("select has_table_privilege(:role, :table, :right)"),
            {"role": role, "table": table, "right": right},
        ).scalar_one()
    ]
    assert reachable == []


def test_nothing_runs_with_somebody_elses_rights(connection: Connection) -> None:
    definers = connection.execute(
        text(
            "select proname from pg_proc p join pg_namespace n on n.oid = pronamespace"
            " where nspname = 'public' and prosecdef"
        )
    ).scalars()
    assert list(definers) == []


def test_no_view_shows_what_its_owner_may_see(connection: Connection) -> None:
    views = connection.execute(
        text(
            "select relname from pg_class c join pg_namespace n on n.oid = relnamespace"
            " where nspname = 'public' and relkind in ('v', 'm')"
            " and not coalesce(reloptions @> '{security_invoker=true}', false)"
        )
    ).scalars()
    assert list(views) == []


def test_every_table_holds_a_row_of_both(connection: Connection, filled: Filled) -> None:
    """Without it the tests below would prove nothing."""
    become(connection, "vexxy_system")
    for table in tenant_tables(filled):
        for owner in (filled.ours, filled.theirs):
            query = f"select 1 from {table.name} where {table.tenant} = :owner"  # noqa: S608
            assert attempt(connection, query, owner=owner) == 1, table.name


@pytest.mark.parametrize("role", BOUND)
def test_without_an_organization_nothing_is_seen_or_written(
    connection: Connection, filled: Filled, role: str
) -> None:
    become(connection, role)
    for table in tenant_tables(filled):
        name, column = table.name, table.tenant
        assert attempt(connection, f"select * from {name}") <= 0, name  # noqa: S608
        assert attempt(connection, f"delete from {name}") <= 0, name  # noqa: S608
        update = f"update {name} set {column} = {column}"  # noqa: S608
        assert attempt(connection, update) <= 0, name
        assert attempt(connection, copied(connection, table, filled.ours)) == -1, name
        become(connection, role)


@pytest.mark.parametrize("role", BOUND)
def test_what_is_ours_is_seen(connection: Connection, filled: Filled, role: str) -> None:
    become(connection, role, filled.ours)
    for table in tenant_tables(filled):
        seen = attempt(connection, f"select * from {table.name}")  # noqa: S608
        # A bound role may be refused a table outright, never given more than its own.
        assert seen in {1, -1}, table.name


@pytest.mark.parametrize("role", BOUND)
def test_of_another_organization_nothing_is_seen_or_written(
    connection: Connection, filled: Filled, role: str
) -> None:
    become(connection, role, filled.ours)
    for table in tenant_tables(filled):
        name, column = table.name, table.tenant
        where = f"where {column} = :theirs"
        ask = {"theirs": filled.theirs}
        assert attempt(connection, f"select * from {name} {where}", **ask) <= 0, name  # noqa: S608
        assert attempt(connection, f"delete from {name} {where}", **ask) <= 0, name  # noqa: S608
        update = f"update {name} set {column} = {column} {where}"  # noqa: S608
        assert attempt(connection, update, **ask) <= 0, name
        # Neither is a row of ours given away, nor one of theirs made.
        give = f"update {name} set {column} = :theirs"  # noqa: S608
        assert attempt(connection, give, **ask) == -1, name
        assert attempt(connection, copied(connection, table, filled.theirs)) == -1, name
        become(connection, role, filled.ours)


def copied(connection: Connection, table: Table, owner: object) -> str:
    """Return a statement that inserts the owner's row again.

    The policy is asked before any constraint, so a refusal can only be the policy's or
    a missing right's.
    """
    role = connection.execute(text("select current_user")).scalar_one()
    bound = connection.execute(text("select vexxy_organization()")).scalar_one()
    become(connection, "vexxy_system")
    query = (
        f"select to_jsonb(t) #>> '{{}}' from {table.name} t where {table.tenant} = :owner"  # noqa: S608
    )
    row = connection.execute(text(query), {"owner": owner}).scalars().first()
    become(connection, role, bound)
    columns = ", ".join(table.columns)
    literal = str(row).replace("'", "''").replace(":", "\\:")
    return (
        f"insert into {table.name} ({columns}) overriding system value"  # noqa: S608
        f" select {columns} from jsonb_populate_record(null\\:\\:{table.name}, '{literal}')"
    )
