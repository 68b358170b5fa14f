"""Row-level security, put on a table the same way every time."""

from typing import Final

from alembic import op

BOUND: Final = "vexxy_request, vexxy_worker"
SYSTEM: Final = "vexxy_system"
WRITES: Final = "select, insert, update, delete"


def protect(table: str, *, column: str = "organization_id", grants: str = WRITES) -> None:
    """Let a bound role see the rows of its organization and nobody else's.

    Forced, so that the owner is held to it as well. The sub-select is evaluated once a
    statement, not once a row.

    Args:
        table: Name of an existing table.
        column: The column that names the organization.
        grants: What the bound roles may do; `select, insert` for append-only tables.
    """
    mine = f"{column} = (select vexxy_organization())"
    op.execute(f"alter table {table} enable row level security")
    op.execute(f"alter table {table} force row level security")
    op.execute(
        f"create policy tenant on {table} to {BOUND} using ({mine}) with check ({mine})"
    )
    op.execute(
        f"create policy system on {table} to {SYSTEM} using (true) with check (true)"
    )
    op.execute(f"grant {grants} on {table} to {BOUND}, {SYSTEM}")
    if "delete" not in grants and "update" in grants:
        # What requests may not remove, erasure and retention do.
        op.execute(f"grant delete on {table} to {SYSTEM}")


def system_only(table: str) -> None:
    """Give a table that has no organization to the system role alone."""
    op.execute(f"grant {WRITES} on {table} to {SYSTEM}")
