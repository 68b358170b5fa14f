"""A row of every table, made from what the catalog says about the table.

Most tables need nothing said about them. One whose checks want more than a value of the
right type has its values in `VALUES`; a new table that needs them fails with its name.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

DIGEST = b"d" * 32
VALUES: dict[str, dict[str, str]] = {
    "users": {"role": "'viewer'", "email": "gen_random_uuid()::text || '@example.com'"},
    "jobs": {
        "kind": "'analysis'",
        "priority": "1",
        "max_attempts": "5",
        "deadline_seconds": "60",
    },
    "premium_analysis_jobs": {
        "status": "'queued'",
        "image_ref": "'nginx:1.25'",
        "deadline_seconds": "60",
    },
    "evidence_blobs": {
        "storage_path": ":organization_id || '/' || gen_random_uuid()",
        "checksum": "encode(sha256(gen_random_uuid()::text::bytea), 'hex')",
        "stored_checksum": "encode(sha256(gen_random_uuid()::text::bytea), 'hex')",
    },
    "credit_lots": {"available_credits": "1", "granted_credits": "2"},
    "subscriptions": {
        "current_period_end": "now() + interval '1 month'",
        "billing_period_end": "now() + interval '1 month'",
    },
    "billing_entitlements": {"limit_value": "1"},
    "billing_invoices": {"period_end": "now() + interval '1 month'"},
    "billing_periods": {"period_end": "now() + interval '1 month'"},
    "idempotency_keys": {"name": "sha256(gen_random_uuid()::text::bytea)"},
}
BY_TYPE: dict[str, str] = {
    "uuid": "gen_random_uuid()",
    "text": "gen_random_uuid()::text",
    "character varying": "gen_random_uuid()::text",
    "bigint": "1",
    "integer": "1",
    "smallint": "1",
    "double precision": "1",
    "numeric": "1",
    "boolean": "false",
    "jsonb": "'{}'::jsonb",
    "bytea": "sha256(gen_random_uuid()::text::bytea)",
    "timestamp with time zone": "now()",
    "date": "current_date",
    "ARRAY": "'{}'",
    "inet": "'127.0.0.1'",
}


@dataclass(frozen=True)
class Table:
    """A table as the catalog has it.

    Attributes:
        tenant: The column that names the organization, None where nothing does.
        required: Columns that need a value, with one as SQL.
        references: Own columns -> table and columns they point at.
    """

    name: str
    columns: Sequence[str]
    tenant: str | None
    required: Mapping[str, str]
    references: Mapping[tuple[str, ...], tuple[str, tuple[str, ...]]]


def tables(connection: Connection) -> dict[str, Table]:
    """Return every table of ours, those that others point at first."""
    columns = connection.execute(
        text(
            "select table_name, column_name, data_type,"
            " is_nullable = 'NO' and column_default is null and is_identity = 'NO'"
            " as required, is_generated <> 'NEVER' as generated"
            " from information_schema.columns where table_schema = 'public'"
            " and table_name <> 'alembic_version' and table_name in (select relname"
            "  from pg_class where relkind in ('r', 'p') and not relispartition)"
            " order by table_name, ordinal_position"
        )
    ).all()
    references, chosen = _references(connection), _chosen(connection)
    found: dict[str, Table] = {}
    for name in sorted({row.table_name for row in columns}):
        own = [row for row in columns if row.table_name == name and not row.generated]
        names = [row.column_name for row in own]
        tenant = "id" if name == "organizations" else None
        found[name] = Table(
            name=name,
            columns=names,
            tenant="organization_id" if "organization_id" in names else tenant,
            required={
                row.column_name: chosen.get((name, row.column_name))
                or BY_TYPE[row.data_type]
                for row in own
                if row.required
            },
            references=references.get(name, {}),
        )
    return dict(_sorted(found))


def _references(
    connection: Connection,
) -> dict[str, dict[tuple[str, ...], tuple[str, tuple[str, ...]]]]:
    rows = connection.execute(
        text(
            "select c.conrelid::regclass::text as own,"
            " c.confrelid::regclass::text as other,"
            " array(select attname::text from unnest(c.conkey) with ordinality k (n, o)"
            "  join pg_attribute on attrelid = c.conrelid and attnum = n order by o)"
            "  as mine,"
            " array(select attname::text from unnest(c.confkey) with ordinality k (n, o)"
            "  join pg_attribute on attrelid = c.confrelid and attnum = n order by o)"
            "  as theirs"
            " from pg_constraint c where c.contype = 'f'"
        )
    ).all()
    found: dict[str, dict[tuple[str, ...], tuple[str, tuple[str, ...]]]] = {}
    for row in rows:
        found.setdefault(row.own, {})[tuple(row.mine)] = (row.other, tuple(row.theirs))
    return found


def _chosen(connection: Connection) -> dict[tuple[str, str], str]:
    """Return, for columns that take one of a list of words, the first of the list."""
    rows = connection.execute(
        text(
            "select c.conrelid::regclass::text as own, a.attname, "
            " substring(pg_get_constraintdef(c.oid)"
            "  from '= ANY \\(+ARRAY\\[(''[^'']*'')') as word"
            " from pg_constraint c join pg_attribute a"
            " on a.attrelid = c.conrelid and a.attnum = c.conkey[1]"
            " where c.contype = 'c' and array_length(c.conkey, 1) = 1"
        )
    ).all()
    return {(row.own, row.attname): row.word for row in rows if row.word}


def _sorted(found: Mapping[str, Table]) -> Iterator[tuple[str, Table]]:
    left = dict(found)
    while left:
        free = [
            name
            for name, table in left.items()
            if all(
                other not in left or other == name for other, _ in table.references.values()
            )
        ]
        assert free, f"tables point at each other in a circle: {sorted(left)}"
        for name in free:
            yield name, left.pop(name)


def fill(
    connection: Connection, *, only: Sequence[str] | None = None, mark: str = "x"
) -> UUID:
    """Insert a row of a new organization into every table (or these); return its id.

    Args:
        connection: As a role that may.
        only: Tables to fill; the others already hold a row of the organization.
        mark: Stands in the name of the organization.
    """
    organization_id = uuid.uuid4()
    made: dict[str, Mapping[str, Any]] = {}
    for name, table in tables(connection).items():
        if only is None or name in only:
            made[name] = insert(connection, table, made, organization_id, mark)
    return organization_id


def insert(
    connection: Connection,
    table: Table,
    made: Mapping[str, Mapping[str, Any]],
    organization_id: UUID,
    mark: str,
) -> Mapping[str, Any]:
    """Insert one row of the organization; return it."""
    values = dict(table.required)
    bound: dict[str, Any] = {}
    for mine, (other, theirs) in table.references.items():
        for own, foreign in zip(mine, theirs, strict=True):
            if other in made and (own in values or own == table.tenant):
                bound[own] = made[other][foreign]
    if table.tenant is not None:
        bound[table.tenant] = organization_id
    if table.name == "organizations":
        bound |= {"name": mark, "slug": f"{mark}-{organization_id.hex}"}
    values |= VALUES.get(table.name, {})
    values |= {name: f":{name}" for name in bound}
    statement = (
        f"insert into {table.name} ({', '.join(values)})"  # noqa: S608  the catalog's names
        f" values ({', '.join(values.values())}) returning *"
    )
    return dict(connection.execute(text(statement), bound).one()._mapping)
