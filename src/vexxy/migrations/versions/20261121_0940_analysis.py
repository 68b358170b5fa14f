"""Keep analyses, the SBOMs given for them and the VEX documents they issue.

The order of an analysis's states is held here as well as in the code: a worker that
comes late can neither revive what was cancelled nor charge twice.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_0940"
down_revision = "20261121_0930"

SBOMS = """
create table sboms (
  id uuid constraint pk_sboms primary key,
  organization_id uuid not null
    constraint fk_sboms_organization_id references organizations (id) on delete cascade,
  name text not null constraint ck_sboms_name check (length(name) between 1 and 255),
  format text not null,
  digest text not null,
  size_bytes bigint not null,
  packages bigint not null,
  content bytea not null,
  created_by uuid,
  created_at timestamptz not null,
  constraint uq_sboms_organization_id unique (organization_id, id)
)
"""

# The composite keys keep an analysis from naming what belongs to another organization.
JOBS = """
create table premium_analysis_jobs (
  id uuid constraint pk_premium_analysis_jobs primary key,
  organization_id uuid not null constraint fk_premium_analysis_jobs_organization_id
    references organizations (id) on delete cascade,
  submitted_by uuid,
  image_ref text not null,
  image_digest text,
  sbom_id uuid,
  profile text not null,
  config jsonb not null,
  sealed_environment bytea,
  skipped_features jsonb not null default '[]',
  status text not null constraint ck_premium_analysis_jobs_status check (status in
    ('queued', 'running', 'analyzing', 'complete', 'failed', 'cancelled')),
  priority bigint not null default 0,
  progress_percent bigint not null default 0
    constraint ck_premium_analysis_jobs_progress_percent
    check (progress_percent between 0 and 100),
  current_phase text,
  revision bigint not null default 1,
  queue_job_id uuid,
  deadline_seconds bigint not null,
  estimated_duration_minutes bigint not null,
  estimated_cost_credits bigint not null,
  observation jsonb,
  execution_profile jsonb,
  reachability_results jsonb,
  security_findings jsonb,
  summary jsonb,
  packages jsonb,
  generated_vex_id uuid,
  sandbox_id text,
  sandbox_job_name text,
  billed_at timestamptz,
  cost_credits bigint constraint ck_premium_analysis_jobs_cost_credits
    check (cost_credits >= 0),
  request_digest text,
  reuse_allowed boolean not null default true,
  reused_from uuid,
  created_at timestamptz not null,
  updated_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  error_message text,
  error_traceback text,
  retry_count bigint not null default 0,
  constraint uq_premium_analysis_jobs_organization_id unique (organization_id, id),
  constraint fk_premium_analysis_jobs_sbom_id
    foreign key (organization_id, sbom_id) references sboms (organization_id, id),
  constraint ck_premium_analysis_jobs_ended check (
    (status in ('complete', 'failed', 'cancelled')) = (completed_at is not null)),
  constraint ck_premium_analysis_jobs_settled check (
    status <> 'complete' or (billed_at is not null and cost_credits is not null)),
  constraint ck_premium_analysis_jobs_unbilled check (
    status = 'complete' or billed_at is null)
)
"""

GUARD = """
create function guard_premium_analysis_jobs() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.status <> 'queued' then
      raise exception 'an analysis begins queued, not %', new.status
        using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if (new.id, new.organization_id, new.image_ref, new.sbom_id, new.created_at)
      is distinct from
      (old.id, old.organization_id, old.image_ref, old.sbom_id, old.created_at)
    or (old.image_digest is not null and new.image_digest is distinct from old.image_digest)
    or (old.started_at is not null and new.started_at is distinct from old.started_at)
    or (old.billed_at is not null and new.billed_at is distinct from old.billed_at)
  then
    raise exception 'analysis %: what is settled does not change', old.id
      using errcode = 'check_violation';
  end if;
  if old.status in ('complete', 'failed', 'cancelled') then
    if (new.status, new.image_digest, new.started_at, new.completed_at, new.billed_at,
        new.cost_credits, new.error_message, new.retry_count, new.progress_percent)
        is distinct from
       (old.status, old.image_digest, old.started_at, old.completed_at, old.billed_at,
        old.cost_credits, old.error_message, old.retry_count, old.progress_percent)
    then
      raise exception 'analysis % is %, and stays so', old.id, old.status
        using errcode = 'check_violation';
    end if;
  elsif new.status <> old.status and (old.status, new.status) not in (
      ('queued', 'running'), ('queued', 'failed'), ('queued', 'cancelled'),
      ('running', 'analyzing'), ('running', 'failed'), ('running', 'cancelled'),
      ('analyzing', 'complete'), ('analyzing', 'failed'), ('analyzing', 'cancelled'))
    and not (old.status = 'queued' and new.status = 'complete'
      and new.reused_from is not null)
  then
    raise exception 'analysis % is %, and cannot become %', old.id, old.status, new.status
      using errcode = 'check_violation';
  end if;
  if (new.status, new.progress_percent, new.current_phase, new.error_message)
      is distinct from
     (old.status, old.progress_percent, old.current_phase, old.error_message)
  then
    new.revision := old.revision + 1;
  end if;
  new.updated_at := now();
  return new;
end
$$
"""

TRIGGER = """
create trigger guard before insert or update on premium_analysis_jobs
for each row execute function guard_premium_analysis_jobs()
"""

DOCUMENTS = """
create table vex_documents (
  id uuid constraint pk_vex_documents primary key,
  organization_id uuid not null,
  analysis_job_id uuid not null,
  version bigint not null constraint ck_vex_documents_version check (version >= 1),
  document text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  constraint uq_vex_documents_analysis_job_id unique (analysis_job_id),
  constraint uq_vex_documents_organization_id unique (organization_id, id),
  constraint fk_vex_documents_analysis_job_id
    foreign key (organization_id, analysis_job_id)
    references premium_analysis_jobs (organization_id, id) on delete cascade
)
"""

HISTORY = """
create table vex_document_history (
  vex_document_id uuid not null,
  version bigint not null,
  organization_id uuid not null,
  document text not null,
  reason text not null,
  created_at timestamptz not null,
  constraint pk_vex_document_history primary key (vex_document_id, version),
  constraint fk_vex_document_history_vex_document_id
    foreign key (organization_id, vex_document_id)
    references vex_documents (organization_id, id) on delete cascade
)
"""

INDEXES = """
create index ix_sboms_created_at on sboms (organization_id, created_at, id);
create index ix_premium_analysis_jobs_created_at
  on premium_analysis_jobs (organization_id, created_at, id);
create index ix_premium_analysis_jobs_status
  on premium_analysis_jobs (organization_id, status, created_at, id);
create index ix_premium_analysis_jobs_request_digest
  on premium_analysis_jobs (organization_id, request_digest, completed_at)
  where status = 'complete';
create index ix_premium_analysis_jobs_unfinished on premium_analysis_jobs (updated_at)
  where status in ('queued', 'running', 'analyzing')
"""


def upgrade() -> None:
    """Create the tables, what guards them, and their policies."""
    for table in (SBOMS, JOBS, DOCUMENTS, HISTORY):
        op.execute(table)
    op.execute(GUARD)
    op.execute(TRIGGER)
    for index in INDEXES.split(";"):
        op.execute(index)
    tenancy.protect("sboms")
    tenancy.protect("premium_analysis_jobs", grants="select, insert, update")
    tenancy.protect("vex_documents")
    # What was once published is never rewritten.
    tenancy.protect("vex_document_history", grants="select, insert")


def downgrade() -> None:
    """Remove the tables."""
    op.execute("drop table vex_document_history")
    op.execute("drop table vex_documents")
    op.execute("drop table premium_analysis_jobs")
    op.execute("drop function guard_premium_analysis_jobs()")
    op.execute("drop table sboms")
