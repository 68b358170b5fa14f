"""Exports and erasures of organizations, and what the record of acts lets go.

The record stays append-only for everybody. Two things pass its triggers, both as the
system role alone and both written down where they cannot be changed either: entries that
are older than a year and are named by a row of `audit_removals` of the same transaction,
by a digest of exactly them; and the personal fields of an organization whose erasure was
asked for. Nothing runs with somebody else's rights for it.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1080"
down_revision = "20261121_1070"

EXPORTS = """
create table organization_exports (
  id uuid constraint pk_organization_exports primary key,
  organization_id uuid not null
    constraint fk_organization_exports_organization_id references organizations (id)
    on delete cascade,
  requested_by uuid,
  files_included boolean not null default false,
  state text not null default 'queued' constraint ck_organization_exports_state
    check (state in ('queued', 'running', 'done', 'failed', 'expired')),
  queue_job_id uuid,
  progress_percent integer not null default 0
    constraint ck_organization_exports_progress_percent
    check (progress_percent between 0 and 100),
  current_part text,
  rows_written bigint not null default 0,
  storage_path text constraint ck_organization_exports_storage_path
    check (starts_with(storage_path, 'exports/' || organization_id::text || '/')),
  size_bytes bigint,
  checksum text,
  stored_bytes bigint,
  stored_checksum text,
  error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  expires_at timestamptz,
  constraint ck_organization_exports_done check (state <> 'done' or (
    storage_path is not null and size_bytes is not null and checksum is not null
    and stored_bytes is not null and stored_checksum is not null
    and expires_at is not null))
)
"""

ERASURES = """
create table organization_erasures (
  organization_id uuid constraint pk_organization_erasures primary key
    constraint fk_organization_erasures_organization_id references organizations (id),
  requested_by text not null,
  stage text not null default 'requested' constraint ck_organization_erasures_stage
    check (stage in ('requested', 'rows', 'record', 'bytes', 'proof', 'done')),
  current_part text,
  rows_erased bigint not null default 0,
  entries_blanked bigint not null default 0,
  blobs_erased bigint not null default 0,
  proof jsonb,
  requested_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint ck_organization_erasures_done
    check ((stage = 'done') = (finished_at is not null and proof is not null))
)
"""

REMOVALS = """
create table audit_removals (
  id uuid constraint pk_audit_removals primary key,
  transaction_id bigint not null,
  removed_before timestamptz not null,
  entries bigint not null constraint ck_audit_removals_entries check (entries > 0),
  digest bytea not null,
  created_at timestamptz not null default now()
)
"""

DIGEST = """
create function vexxy_audit_digest(uuid[]) returns bytea
language sql immutable parallel safe
return (
  select sha256(string_agg(id::text, ',' order by id)::bytea) from unnest($1) as id
)
"""

# The bound is the database's own: no setting and no program moves it.
REMOVE = """
create function vexxy_audit_remove(p_before timestamptz, p_rows integer)
returns table (owner uuid, entries bigint) language plpgsql as $$
declare v_ids uuid[];
begin
  if p_before > now() - interval '365 days' then
    raise exception 'entries of the last 365 days stay'
      using errcode = 'insufficient_privilege';
  end if;
  v_ids := array(
    select id from billing_audit_log where created_at < p_before
    order by position limit p_rows for update skip locked
  );
  if cardinality(v_ids) = 0 then
    return;
  end if;
  insert into audit_removals (id, transaction_id, removed_before, entries, digest)
  values (gen_random_uuid(), pg_current_xact_id()::text::bigint, p_before,
    cardinality(v_ids), vexxy_audit_digest(v_ids));
  return query
    with gone as (
      delete from billing_audit_log where id = any (v_ids) returning organization_id
    ) select organization_id, count(*) from gone group by organization_id;
end
$$
"""

GUARD = """
create function vexxy_audit_guard() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_user = 'vexxy_system'
    and old.created_at < now() - interval '365 days'
    and exists (
      select from audit_removals r
      where r.transaction_id = pg_current_xact_id()::text::bigint
        and old.created_at < r.removed_before)
  then
    return old;
  end if;
  if tg_op = 'UPDATE' and current_user = 'vexxy_system'
    and exists (
      select from organization_erasures e where e.organization_id = old.organization_id)
    and (new.before_state, new.after_state, new.ip_address, new.user_agent)
      is not distinct from (null::jsonb, null::jsonb, null::inet, null::text)
    and new.metadata = '{"erased": true}'
    and (new.id, new.position, new.organization_id, new.action, new.actor_type,
         new.actor_id, new.resource_type, new.resource_id, new.created_at)
      is not distinct from
        (old.id, old.position, old.organization_id, old.action, old.actor_type,
         old.actor_id, old.resource_type, old.resource_id, old.created_at)
  then
    return new;
  end if;
  raise exception '% is append-only', tg_table_name
    using errcode = 'insufficient_privilege';
end
$$
"""

# What is gone must be exactly what the last removal of this transaction says.
COMPARE = """
create function vexxy_audit_compare() returns trigger language plpgsql as $$
begin
  if exists (select from gone) and not exists (
    select from audit_removals r
    where r.transaction_id = pg_current_xact_id()::text::bigint
      and r.digest = vexxy_audit_digest(array(select id from gone)))
  then
    raise exception '% is append-only', tg_table_name
      using errcode = 'insufficient_privilege';
  end if;
  return null;
end
$$
"""


def upgrade() -> None:
    """Create the tables, and let the record be blanked and aged by its own rules."""
    op.execute(
        "alter table organizations"
        " add column closed_at timestamptz, add column erased_at timestamptz"
    )
    # Nobody acts for a closed organization, and base VEXxy cannot bring it back.
    op.execute("grant update (closed_at) on organizations to vexxy_request, vexxy_worker")
    op.execute(EXPORTS)
    op.execute(
        "create unique index uq_organization_exports_unfinished on organization_exports"
        " (organization_id) where state in ('queued', 'running')"
    )
    op.execute(
        "create index ix_organization_exports_created_at on organization_exports"
        " (organization_id, created_at)"
    )
    op.execute(
        "create index ix_organization_exports_expires_at on organization_exports"
        " (expires_at) where state = 'done'"
    )
    tenancy.protect("organization_exports", grants="select, insert, update")
    op.execute(ERASURES)
    op.execute(
        "create index ix_organization_erasures_unfinished on organization_erasures"
        " (requested_at) where stage <> 'done'"
    )
    tenancy.protect("organization_erasures", grants="select, insert")
    op.execute("grant update on organization_erasures to vexxy_system")
    op.execute(REMOVALS)
    op.execute("grant select, insert on audit_removals to vexxy_system")
    for name, event in (("append_only", "update or delete"), ("append_only_whole", None)):
        each = "row" if event else "statement"
        op.execute(
            f"create trigger {name} before {event or 'truncate'} on audit_removals"
            f" for each {each} execute function vexxy_append_only()"
        )
    for function in (DIGEST, REMOVE, GUARD, COMPARE):
        op.execute(function)
    op.execute("drop trigger append_only on billing_audit_log")
    op.execute(
        "create trigger append_only before update or delete on billing_audit_log"
        " for each row execute function vexxy_audit_guard()"
    )
    op.execute(
        "create trigger append_only_compare after delete on billing_audit_log"
        " referencing old table as gone"
        " for each statement execute function vexxy_audit_compare()"
    )
    op.execute(
        "create index ix_billing_audit_log_created_at on billing_audit_log (created_at)"
    )
    op.execute(
        "grant delete, update (before_state, after_state, metadata, ip_address, user_agent)"
        " on billing_audit_log to vexxy_system"
    )
    op.execute("grant delete on vex_document_history to vexxy_system")
    op.execute("grant update (reason) on subscription_history to vexxy_system")


def downgrade() -> None:
    """Take it all back; what was erased stays erased."""
    op.execute("revoke update (reason) on subscription_history from vexxy_system")
    op.execute("revoke delete on vex_document_history from vexxy_system")
    op.execute("revoke delete, update on billing_audit_log from vexxy_system")
    op.execute("drop index ix_billing_audit_log_created_at")
    op.execute("drop trigger append_only_compare on billing_audit_log")
    op.execute("drop trigger append_only on billing_audit_log")
    op.execute(
        "create trigger append_only before update or delete on billing_audit_log"
        " for each row execute function vexxy_append_only()"
    )
    op.execute("drop function vexxy_audit_compare()")
    op.execute("drop function vexxy_audit_guard()")
    op.execute("drop function vexxy_audit_remove(timestamptz, integer)")
    op.execute("drop function vexxy_audit_digest(uuid[])")
    for table in ("audit_removals", "organization_erasures", "organization_exports"):
        op.execute(f"drop table {table}")
    op.execute("alter table organizations drop column erased_at, drop column closed_at")
