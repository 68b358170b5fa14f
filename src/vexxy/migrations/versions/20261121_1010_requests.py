"""Remember answers for requests that are asked again with the same key; read fast.

`name` is the SHA-256 of organization, user, route, path and key. `request` and `answer`
are sealed: the digest of a body with a password in it and an API key that is shown once
must not be read from a copy of the database. Rows of strangers (registration) have no
organization and are seen by the system role alone.

`vexxy_analysis_status` binds the organization, finds the caller and reads an analysis in
one round trip (ADR 0020). It runs with the rights of the role that calls it, so row-level
security holds for every table in it; whether the caller may is decided by who called.
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

STATUS = """
create function vexxy_analysis_status(
  p_organization_id uuid, p_user_id uuid, p_key_digest bytea, p_analysis_id uuid
) returns table (
  user_id uuid, organization_id uuid, email text, name text, role text,
  is_active boolean, is_admin boolean, token_generation bigint,
  tokens_valid_from timestamptz, key_id uuid, scopes jsonb, key_holds boolean,
  key_unseen boolean, id uuid, status text, progress_percent bigint, current_phase text,
  created_at timestamptz, started_at timestamptz, estimated_duration_minutes bigint,
  completed_at timestamptz, error_message text, revision bigint
) language plpgsql volatile as $$
#variable_conflict use_column
declare
  v_key api_keys%rowtype;
  v_user_id uuid := p_user_id;
begin
  perform set_config('vexxy.organization_id', p_organization_id::text, true);
  if p_key_digest is not null then
    select k.* into v_key from api_keys k where k.digest = p_key_digest;
    v_user_id := v_key.user_id;
  end if;
  return query
  select u.id, u.organization_id, u.email, u.name, u.role, u.is_active, u.is_admin,
    u.token_generation, u.tokens_valid_from, v_key.id, v_key.scopes,
    v_key.revoked_at is null and (v_key.expires_at is null or v_key.expires_at > now()),
    v_key.last_used_at is null or v_key.last_used_at < now() - interval '5 minutes',
    j.id, j.status, j.progress_percent, j.current_phase, j.created_at, j.started_at,
    j.estimated_duration_minutes, j.completed_at, j.error_message, j.revision
  from users u left join premium_analysis_jobs j on j.id = p_analysis_id
  where u.id = v_user_id;
end
$$
"""


def upgrade() -> None:
    """Create the table of claims and kept answers, and the function that reads fast."""
    op.execute(IDEMPOTENCY_KEYS)
    op.execute(
        "create index ix_idempotency_keys_expires_at on idempotency_keys (expires_at)"
    )
    op.execute(
        "create index ix_idempotency_keys_organization_id"
        " on idempotency_keys (organization_id)"
    )
    tenancy.protect("idempotency_keys")
    op.execute(STATUS)


def downgrade() -> None:
    """Remove the table; keys that are in use are then honoured no longer."""
    op.execute("drop function vexxy_analysis_status(uuid, uuid, bytea, uuid)")
    op.execute("drop table idempotency_keys")
