"""Keys, invitations, reset links, limits on guessing, and the record of acts.

The record refuses to be changed in the database itself: no role is granted it, and a
trigger refuses it to the owner as well, who needs no grant.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_0920"
down_revision = "20261121_0910"

# Nobody becomes an operator of the service through a request or a job.
OPERATORS = """
create function vexxy_refuse_operator() returns trigger language plpgsql as $$
begin
  if new.is_admin and current_user in ('vexxy_request', 'vexxy_worker')
     and (tg_op = 'INSERT' or not old.is_admin) then
    raise exception 'operators are named by operators only'
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$$
"""

API_KEYS = """
create table api_keys (
  id uuid constraint pk_api_keys primary key,
  organization_id uuid not null
    constraint fk_api_keys_organization_id references organizations (id) on delete cascade,
  user_id uuid not null,
  name text not null,
  prefix text not null,
  digest bytea not null constraint uq_api_keys_digest unique,
  scopes jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  constraint ck_api_keys_digest check (octet_length(digest) = 32),
  constraint fk_api_keys_user foreign key (organization_id, user_id)
    references users (organization_id, id) on delete cascade
)
"""

INVITATIONS = """
create table invitations (
  id uuid constraint pk_invitations primary key,
  organization_id uuid not null
    constraint fk_invitations_organization_id references organizations (id)
    on delete cascade,
  email text not null,
  role text not null constraint ck_invitations_role
    check (role in ('owner', 'admin', 'analyst', 'viewer')),
  digest bytea not null constraint uq_invitations_digest unique,
  invited_by uuid not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  revoked_at timestamptz,
  constraint fk_invitations_invited_by foreign key (organization_id, invited_by)
    references users (organization_id, id) on delete cascade
)
"""

RESETS = """
create table password_resets (
  id uuid constraint pk_password_resets primary key,
  organization_id uuid not null
    constraint fk_password_resets_organization_id references organizations (id)
    on delete cascade,
  user_id uuid not null,
  digest bytea not null constraint uq_password_resets_digest unique,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  constraint fk_password_resets_user foreign key (organization_id, user_id)
    references users (organization_id, id) on delete cascade
)
"""

# No foreign keys: what is counted may not exist. Unlogged: losing it costs nothing.
ATTEMPTS = """
create unlogged table sign_in_attempts (
  counter bytea constraint pk_sign_in_attempts primary key,
  attempts bigint not null,
  window_ends_at timestamptz not null
)
"""

AUDIT = """
create table billing_audit_log (
  id uuid constraint pk_billing_audit_log primary key,
  position bigint generated always as identity,
  organization_id uuid,
  action text not null,
  actor_type text not null constraint ck_billing_audit_log_actor_type
    check (actor_type in ('user', 'system', 'webhook')),
  actor_id text not null,
  resource_type text not null,
  resource_id text,
  before_state jsonb,
  after_state jsonb,
  metadata jsonb not null,
  ip_address inet,
  user_agent text,
  created_at timestamptz not null default now()
)
"""

APPEND_ONLY = """
create function vexxy_append_only() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'insufficient_privilege';
end
$$
"""

INDEXES = (
    "create index ix_api_keys_user on api_keys (organization_id, user_id)",
    "create index ix_invitations_invited_by on invitations (organization_id, invited_by)",
    (
        "create unique index uq_invitations_open on invitations (organization_id, email)"
        " where accepted_at is null and revoked_at is null"
    ),
    "create index ix_password_resets_user on password_resets (organization_id, user_id)",
    "create index ix_sign_in_attempts_window_ends_at on sign_in_attempts (window_ends_at)",
    (
        "create index ix_billing_audit_log_position"
        " on billing_audit_log (organization_id, position desc)"
    ),
    (
        "create index ix_billing_audit_log_resource"
        " on billing_audit_log (organization_id, resource_type, resource_id)"
    ),
)


def upgrade() -> None:
    """Create the tables, their policies and what they refuse."""
    op.execute("alter table organizations add column synced_at timestamptz")
    op.execute("alter table users add column synced_at timestamptz")
    op.execute("alter table users add column tokens_valid_from timestamptz")
    # What other tables point at: their rows can name users of their own organization only.
    op.execute(
        "alter table users add constraint uq_users_organization_id"
        " unique (organization_id, id)"
    )
    op.execute(OPERATORS)
    op.execute(
        "create trigger refuse_operator before insert or update on users"
        " for each row execute function vexxy_refuse_operator()"
    )
    for statement in (API_KEYS, INVITATIONS, RESETS, ATTEMPTS, AUDIT, *INDEXES):
        op.execute(statement)
    for table in ("api_keys", "invitations", "password_resets"):
        tenancy.protect(table)
    tenancy.system_only("sign_in_attempts")
    tenancy.protect("billing_audit_log", grants="select, insert")
    op.execute(APPEND_ONLY)
    op.execute(
        "create trigger append_only before update or delete on billing_audit_log"
        " for each row execute function vexxy_append_only()"
    )
    op.execute(
        "create trigger append_only_whole before truncate on billing_audit_log"
        " for each statement execute function vexxy_append_only()"
    )


def downgrade() -> None:
    """Remove them."""
    for table in (
        "billing_audit_log",
        "sign_in_attempts",
        "password_resets",
        "invitations",
        "api_keys",
    ):
        op.execute(f"drop table {table}")
    op.execute("drop function vexxy_append_only()")
    op.execute("drop trigger refuse_operator on users")
    op.execute("drop function vexxy_refuse_operator()")
    op.execute("alter table users drop constraint uq_users_organization_id")
    op.execute("alter table users drop column tokens_valid_from, drop column synced_at")
    op.execute("alter table organizations drop column synced_at")
