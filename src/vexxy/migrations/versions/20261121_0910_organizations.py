"""Organizations, their users, and the roles that keep them apart.

The roles are shared by every database of a cluster, so they are made only when absent
and stay when the step is taken back.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_0910"
down_revision = None

ROLES = """
do $$
declare name text;
begin
  foreach name in array array['vexxy_request', 'vexxy_worker', 'vexxy_system'] loop
    if not exists (select from pg_roles where rolname = name) then
      begin
        execute format('create role %I nologin nobypassrls', name);
      exception when duplicate_object or unique_violation then null;
      end;
    end if;
    if not pg_has_role(current_user, name, 'member') or
       not (select rolsuper from pg_roles where rolname = current_user) then
      execute format('grant %I to %I', name, current_user);
    end if;
  end loop;
exception when insufficient_privilege then
  raise exception 'the roles vexxy_request, vexxy_worker and vexxy_system are missing'
    using hint = 'let a superuser create them (nologin nobypassrls) and grant them to '
      || current_user;
end
$$
"""

ORGANIZATION = """
create function vexxy_organization() returns uuid
language sql stable parallel safe
return nullif(current_setting('vexxy.organization_id', true), '')::uuid
"""

ORGANIZATIONS = """
create table organizations (
  id uuid constraint pk_organizations primary key,
  name text not null
    constraint ck_organizations_name check (length(name) between 1 and 200),
  slug text not null constraint uq_organizations_slug unique,
  stripe_customer_id text constraint uq_organizations_stripe_customer_id unique,
  credit_balance bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
)
"""

USERS = """
create table users (
  id uuid constraint pk_users primary key,
  organization_id uuid not null
    constraint fk_users_organization_id references organizations (id),
  email text not null,
  name text not null,
  hashed_password text,
  role text not null constraint ck_users_role
    check (role in ('owner', 'admin', 'analyst', 'viewer')),
  is_active boolean not null default true,
  is_admin boolean not null default false,
  token_generation bigint not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
)
"""


def upgrade() -> None:
    """Create the roles, the two tables and their policies."""
    op.execute(ROLES)
    op.execute(ORGANIZATION)
    op.execute("grant usage on schema public to vexxy_request, vexxy_worker, vexxy_system")
    op.execute(ORGANIZATIONS)
    tenancy.protect("organizations", column="id", grants="select")
    # Whoever acts for an organization may rename it; what it owns and owes is not theirs
    # to write.
    op.execute(
        "grant update (name, slug, updated_at) on organizations"
        " to vexxy_request, vexxy_worker"
    )
    op.execute("grant insert, update, delete on organizations to vexxy_system")
    op.execute(USERS)
    # One person, one address, whatever the case: sign-in finds at most one row.
    op.execute("create unique index uq_users_email on users (lower(email))")
    op.execute("create index ix_users_organization_id on users (organization_id)")
    tenancy.protect("users")


def downgrade() -> None:
    """Remove the tables; the roles may serve another database of the cluster."""
    op.execute("drop table users")
    op.execute("drop table organizations")
    op.execute("drop function vexxy_organization()")
    op.execute(
        "revoke usage on schema public from vexxy_request, vexxy_worker, vexxy_system"
    )
