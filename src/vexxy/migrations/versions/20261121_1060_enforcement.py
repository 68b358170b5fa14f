"""Times of grace and alerts of usage.

Both are once a metric and period, and the database says so: a time of grace is a row that
nobody may change, so it ends when it said it would; an alert is a row a percentage.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1060"
down_revision = "20261121_1050"

GRACE = """
create table grace_periods (
  organization_id uuid not null
    constraint fk_grace_periods_organization_id references organizations (id),
  metric text not null
    constraint ck_grace_periods_metric check (length(metric) between 1 and 64),
  period_start timestamptz not null,
  started_at timestamptz not null,
  expires_at timestamptz not null,
  usage_at_start numeric not null,
  quota_at_start numeric not null,
  constraint pk_grace_periods primary key (organization_id, metric, period_start),
  constraint ck_grace_periods_expires_at check (started_at <= expires_at)
)
"""

ALERTS = """
create table usage_alerts (
  id uuid constraint pk_usage_alerts primary key,
  organization_id uuid not null
    constraint fk_usage_alerts_organization_id references organizations (id),
  metric text not null
    constraint ck_usage_alerts_metric check (length(metric) between 1 and 64),
  period_start timestamptz not null,
  period_end timestamptz not null,
  percent integer not null constraint ck_usage_alerts_percent check (percent > 0),
  usage numeric not null,
  quota numeric not null,
  state text not null default 'waiting'
    constraint ck_usage_alerts_state check (state in ('waiting', 'sent', 'failed')),
  staged_at timestamptz,
  mailed_to uuid[] not null default '{}',
  created_at timestamptz not null,
  finished_at timestamptz,
  constraint uq_usage_alerts_percent
    unique (organization_id, metric, period_start, percent)
)
"""


def upgrade() -> None:
    """Create the tables and their policies."""
    op.execute(GRACE)
    # Neither prolonged nor taken back: who could delete one could begin it again.
    tenancy.protect("grace_periods", grants="select, insert")
    op.execute("grant delete on grace_periods to vexxy_system")
    op.execute(ALERTS)
    tenancy.protect("usage_alerts", grants="select, insert, update")


def downgrade() -> None:
    """Remove them."""
    for table in ("usage_alerts", "grace_periods"):
        op.execute(f"drop table {table}")
