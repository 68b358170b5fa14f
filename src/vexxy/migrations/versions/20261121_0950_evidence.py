"""Evidence of analyses, and the bytes it is kept in.

A blob is bytes of one organization, found by what they say. Evidence names its blob by a
foreign key that holds the organization too: while a row of any analysis names a blob the
blob cannot go, and no row can name another organization's.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_0950"
down_revision = "20261121_0940"

BLOBS = """
create table evidence_blobs (
  storage_path text constraint pk_evidence_blobs primary key
    constraint ck_evidence_blobs_storage_path
      check (starts_with(storage_path, organization_id::text || '/')),
  organization_id uuid not null
    constraint fk_evidence_blobs_organization_id
      references organizations (id) on delete cascade,
  checksum text not null constraint ck_evidence_blobs_checksum
    check (checksum ~ '^[0-9a-f]{64}$'),
  size_bytes bigint not null
    constraint ck_evidence_blobs_size_bytes check (size_bytes >= 0),
  stored_bytes bigint not null
    constraint ck_evidence_blobs_stored_bytes check (stored_bytes > 0),
  stored_checksum text not null constraint ck_evidence_blobs_stored_checksum
    check (stored_checksum ~ '^[0-9a-f]{64}$'),
  created_at timestamptz not null default now(),
  constraint uq_evidence_blobs_checksum unique (organization_id, checksum),
  constraint uq_evidence_blobs_storage_path unique (organization_id, storage_path)
)
"""

EVIDENCE = """
create table analysis_evidence (
  id uuid constraint pk_analysis_evidence primary key,
  organization_id uuid not null
    constraint fk_analysis_evidence_organization_id
      references organizations (id) on delete cascade,
  analysis_job_id uuid not null,
  evidence_type text not null constraint ck_analysis_evidence_evidence_type check (
    evidence_type in (
      'execution_trace', 'syscall_log', 'file_access_log', 'network_log',
      'fuzzing_results', 'code_coverage', 'profiler_output', 'container_logs',
      'vex_document', 'sbom'
    )
  ),
  evidence_data jsonb,
  storage_path text not null,
  file_size bigint not null
    constraint ck_analysis_evidence_file_size check (file_size >= 0),
  checksum text not null,
  vex_document_data jsonb constraint ck_analysis_evidence_vex_document_data
    check (vex_document_data is null or evidence_type = 'vex_document'),
  content_type text not null,
  description text constraint ck_analysis_evidence_description
    check (length(description) <= 2000),
  created_at timestamptz not null default now(),
  constraint fk_analysis_evidence_analysis_job_id
    foreign key (organization_id, analysis_job_id)
    references premium_analysis_jobs (organization_id, id) on delete cascade,
  constraint fk_analysis_evidence_storage_path
    foreign key (organization_id, storage_path)
    references evidence_blobs (organization_id, storage_path),
  constraint uq_analysis_evidence_analysis_job_id
    unique (analysis_job_id, evidence_type, checksum)
)
"""


def upgrade() -> None:
    """Create both tables and put their rows behind their organization."""
    op.execute(BLOBS)
    op.execute(EVIDENCE)
    # What retention asks, and what a removed blob asks by its foreign key.
    op.execute(
        "create index ix_analysis_evidence_created_at"
        " on analysis_evidence (organization_id, created_at)"
    )
    op.execute(
        "create index ix_analysis_evidence_storage_path on analysis_evidence (storage_path)"
    )
    tenancy.protect("evidence_blobs")
    tenancy.protect("analysis_evidence")


def downgrade() -> None:
    """Remove both tables; stored bytes stay where they are."""
    op.execute("drop table analysis_evidence")
    op.execute("drop table evidence_blobs")
