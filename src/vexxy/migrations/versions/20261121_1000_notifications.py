"""What stays of an analysis so that it can be decided again, and who is told.

A package row holds what the run said of the package whatever its vulnerabilities, and
the one or two questions (`Debian:12 openssl`) that advisories are found by. A statement
row is one decision; statements are only added: the one with the highest revision
holds, the others are the history of the VEX document.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1000"
down_revision = "20261121_0950"

PACKAGES = """
create table analysis_packages (
  organization_id uuid not null
    constraint fk_analysis_packages_organization_id references organizations (id),
  analysis_job_id uuid not null,
  ordinal integer not null,
  purl text not null,
  question text,
  other_question text,
  ground bytea not null,
  constraint fk_analysis_packages_analysis_job_id
    foreign key (organization_id, analysis_job_id)
    references premium_analysis_jobs (organization_id, id) on delete cascade,
  constraint pk_analysis_packages primary key (analysis_job_id, ordinal)
)
"""

STATEMENTS = """
create table analysis_statements (
  organization_id uuid not null
    constraint fk_analysis_statements_organization_id references organizations (id),
  analysis_job_id uuid not null,
  ordinal integer not null,
  vulnerability_id text not null,
  revision integer not null,
  decided_at timestamptz not null default now(),
  cause text not null,
  match_digest bytea not null,
  finding jsonb,
  constraint fk_analysis_statements_analysis_job_id
    foreign key (organization_id, analysis_job_id)
    references premium_analysis_jobs (organization_id, id) on delete cascade,
  constraint pk_analysis_statements
    primary key (analysis_job_id, ordinal, vulnerability_id, revision)
)
"""

REVISIONS = """
create table analysis_revisions (
  analysis_job_id uuid constraint pk_analysis_revisions primary key,
  organization_id uuid not null
    constraint fk_analysis_revisions_organization_id references organizations (id),
  revision integer not null default 1,
  published_revision integer not null default 1,
  constraint fk_analysis_revisions_analysis_job_id
    foreign key (organization_id, analysis_job_id)
    references premium_analysis_jobs (organization_id, id) on delete cascade
)
"""

CHANGES = """
create table advisory_changes (
  id uuid constraint pk_advisory_changes primary key,
  questions text[] not null,
  created_at timestamptz not null default now()
)
"""

ADVISORY_STATES = """
create table advisory_states (
  question text constraint pk_advisory_states primary key,
  digest bytea,
  known_at timestamptz,
  applied_at timestamptz
)
"""

ENDPOINTS = """
create table notification_endpoints (
  id uuid constraint pk_notification_endpoints primary key,
  organization_id uuid not null
    constraint fk_notification_endpoints_organization_id references organizations (id),
  url text not null constraint ck_notification_endpoints_url check (length(url) <= 2000),
  event_types text[] not null,
  sealed_secrets bytea not null,
  is_active boolean not null default true,
  disabled_reason text,
  created_at timestamptz not null default now(),
  constraint uq_notification_endpoints_organization_id unique (organization_id, id)
)
"""

DELIVERIES = """
create table notification_deliveries (
  id uuid constraint pk_notification_deliveries primary key,
  organization_id uuid not null
    constraint fk_notification_deliveries_organization_id references organizations (id),
  endpoint_id uuid,
  event_id uuid not null,
  event_type text not null,
  body jsonb not null,
  state text not null default 'waiting' constraint ck_notification_deliveries_state
    check (state in ('waiting', 'delivered', 'dead')),
  attempts integer not null default 0,
  last_status integer,
  last_error text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  constraint fk_notification_deliveries_endpoint_id
    foreign key (organization_id, endpoint_id)
    references notification_endpoints (organization_id, id) on delete cascade,
  constraint uq_notification_deliveries_endpoint_id unique (endpoint_id, event_id)
)
"""


def upgrade() -> None:
    """Create the tables, their indexes and policies."""
    op.execute(PACKAGES)
    # Equality is leakproof, so that it may be looked up below row-level security; the
    # operators of arrays are not.
    op.execute(
        "create index ix_analysis_packages_question on analysis_packages"
        " (question, organization_id, analysis_job_id, ordinal)"
    )
    op.execute(
        "create index ix_analysis_packages_other_question on analysis_packages"
        " (other_question, organization_id, analysis_job_id, ordinal)"
        " where other_question is not null"
    )
    tenancy.protect("analysis_packages")
    op.execute(STATEMENTS)
    tenancy.protect("analysis_statements", grants="select, insert, delete")
    op.execute(REVISIONS)
    op.execute(
        "create index ix_analysis_revisions_unpublished on analysis_revisions"
        " (organization_id) where revision > published_revision"
    )
    tenancy.protect("analysis_revisions")
    op.execute(CHANGES)
    tenancy.system_only("advisory_changes")
    op.execute("grant select on advisory_changes to vexxy_worker")
    op.execute(ADVISORY_STATES)
    tenancy.system_only("advisory_states")
    # Names of packages that somebody uses: workers add theirs and read none.
    op.execute("grant insert on advisory_states to vexxy_worker")
    op.execute(ENDPOINTS)
    op.execute(
        "create index ix_notification_endpoints_organization_id"
        " on notification_endpoints (organization_id)"
    )
    tenancy.protect("notification_endpoints")
    op.execute(DELIVERIES)
    op.execute(
        "create index ix_notification_deliveries_organization_id"
        " on notification_deliveries (organization_id, created_at)"
    )
    op.execute(
        "create unique index uq_notification_deliveries_core on notification_deliveries"
        " (organization_id, event_id) where endpoint_id is null"
    )
    tenancy.protect("notification_deliveries")


def downgrade() -> None:
    """Remove them."""
    for table in (
        "notification_deliveries",
        "notification_endpoints",
        "advisory_states",
        "advisory_changes",
        "analysis_revisions",
        "analysis_statements",
        "analysis_packages",
    ):
        op.execute(f"drop table {table}")
