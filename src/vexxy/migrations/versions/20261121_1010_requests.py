"""Remember answers for requests that are asked again with the same key.

`name` is the SHA-256 of organization, user, route, path and key. `request` and `answer`
are sealed: the digest of a body with a password in it and an API key that is shown once
must not be read from a copy of the database. Rows of strangers (registration) have no
organization and are seen by the system role alone.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1010"
down_revision = "20261121_1000"

IDEMPOTENCY_KEYS = """
create table idempotency_keys (
  name bytea constraint pk_idempotency_keys primary key
    constraint ck_idempotency_keys_name check (length(name) = 32),
  organization_id uuid
    constraint fk_idempotency_keys_organization_id
      references organizations (id) on delete cascade,
  user_id uuid,
  route text not null,
  request bytea not null,
  answer bytea,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null
)
"""


def upgrade() -> None:
    """Create the table of claims and kept answers."""
    op.execute(IDEMPOTENCY_KEYS)
    op.execute(
        "create index ix_idempotency_keys_expires_at on idempotency_keys (expires_at)"
    )
    op.execute(
        "create index ix_idempotency_keys_organization_id"
        " on idempotency_keys (organization_id)"
    )
    tenancy.protect("idempotency_keys")


def downgrade() -> None:
    """Remove the table; keys that are in use are then honoured no longer."""
    op.execute("drop table idempotency_keys")
