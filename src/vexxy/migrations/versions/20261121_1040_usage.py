"""Count what was used: every event once, and its totals a day.

An event is named by 16 bytes of the digest of its id: the key of ten million rows is then
40 bytes wide whatever ids customers choose, and an id of 128 characters costs no more than
a short one. There is no foreign key to the organization on it, which would ask once a row;
the totals that are written by the same transaction have one.

`billing_usage_events` is added to and, when its time is over, removed by the system role:
nobody may change a row. A correction is a row of its own that names the one it replaces.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1040"
down_revision = "20261121_1030"

EVENTS = """
create table billing_usage_events (
  organization_id uuid not null,
  key uuid not null,
  id text collate "C" not null
    constraint ck_billing_usage_events_id check (length(id) between 1 and 128),
  metric text not null,
  quantity numeric(20, 4) not null
    constraint ck_billing_usage_events_quantity check (quantity >= 0),
  occurred_at timestamptz not null,
  recorded_at timestamptz not null default now(),
  source text not null constraint ck_billing_usage_events_source check (source in (
    'api', 'core', 'service', 'backfill', 'correction')),
  counts boolean not null default true,
  distinct_key uuid,
  corrects uuid,
  reason text,
  properties jsonb not null default '{}',
  constraint pk_billing_usage_events primary key (organization_id, key),
  constraint ck_billing_usage_events_corrects check (
    (source = 'correction') = (corrects is not null) and (counts or corrects is not null))
)
"""

TOTALS = """
create table billing_usage_daily_totals (
  organization_id uuid not null
    constraint fk_billing_usage_daily_totals_organization_id references organizations (id),
  metric text not null,
  day date not null,
  events bigint not null,
  quantity_sum numeric not null,
  quantity_max numeric(20, 4) not null,
  quantity_last numeric(20, 4) not null,
  last_occurred_at timestamptz not null,
  last_id text collate "C" not null,
  distinct_values bigint not null default 0,
  lag_seconds_max double precision not null default 0,
  recorded_at timestamptz not null default now(),
  constraint pk_billing_usage_daily_totals primary key (organization_id, metric, day)
) with (fillfactor = 50)
"""

# What makes `unique` exact over several days: the values themselves, as digests.
VALUES = """
create table billing_usage_values (
  organization_id uuid not null,
  metric text not null,
  day date not null,
  value uuid not null,
  constraint pk_billing_usage_values primary key (organization_id, metric, day, value)
)
"""

# From which day on every event is kept; the newest row counts.
PRUNINGS = """
create table billing_usage_prunings (
  id bigint generated always as identity constraint pk_billing_usage_prunings primary key,
  kept_since date not null,
  pruned_at timestamptz not null default now()
)
"""

INDEXES = (
    # An event is corrected once; whoever wants to correct again corrects the correction.
    (
        "create unique index uq_billing_usage_events_corrects on billing_usage_events"
        " (organization_id, corrects) where corrects is not null"
    ),
    # Events come about in the order of time: finding a day to count it again, or the
    # oldest to remove, needs no more.
    (
        "create index ix_billing_usage_events_occurred_at on billing_usage_events"
        " using brin (occurred_at) with (pages_per_range = 32)"
    ),
    # History of everything, newest first.
    (
        "create index ix_billing_usage_daily_totals_day on billing_usage_daily_totals"
        " (organization_id, day desc, metric)"
    ),
)


def upgrade() -> None:
    """Create the tables and their indexes."""
    for statement in (EVENTS, TOTALS, VALUES, PRUNINGS, *INDEXES):
        op.execute(statement)
    tenancy.protect("billing_usage_events", grants="select, insert")
    op.execute("grant delete on billing_usage_events to vexxy_system")
    tenancy.protect("billing_usage_daily_totals")
    tenancy.protect("billing_usage_values")
    tenancy.system_only("billing_usage_prunings")


def downgrade() -> None:
    """Remove them."""
    for table in ("prunings", "values", "daily_totals", "events"):
        op.execute(f"drop table billing_usage_{table}")
