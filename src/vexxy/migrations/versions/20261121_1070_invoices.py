"""Invoices, their lines, and what stays known of the use in them.

An invoice says what is owed and to whom; only where it stands may change afterwards, and
no row is ever removed: numbers have no gaps. What was billed for the days of a metric is
kept beside it, so that use told later is billed once, and as if it had been told in time.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1070"
down_revision = "20261121_1060"

EVERYBODY = f"{tenancy.BOUND}, {tenancy.SYSTEM}"

INVOICES = """
create table billing_invoices (
  id uuid constraint pk_billing_invoices primary key,
  organization_id uuid not null
    constraint fk_billing_invoices_organization_id references organizations (id),
  subscription_id uuid not null,
  number bigint constraint uq_billing_invoices_number unique
    constraint ck_billing_invoices_number check (number > 0),
  status text not null default 'draft' constraint ck_billing_invoices_status
    check (status in ('draft', 'open', 'paid', 'void')),
  currency text not null,
  tier text not null,
  plan_version integer not null,
  plan_name text not null,
  billing_interval text not null constraint ck_billing_invoices_billing_interval
    check (billing_interval in ('month', 'year')),
  period_start timestamptz not null,
  period_end timestamptz not null,
  total_cents bigint not null,
  billed_name text not null,
  reason text not null default '',
  stripe_invoice_id text constraint uq_billing_invoices_stripe_invoice_id unique,
  created_at timestamptz not null,
  finalized_at timestamptz,
  paid_at timestamptz,
  voided_at timestamptz,
  constraint ck_billing_invoices_period check (period_start < period_end),
  constraint ck_billing_invoices_numbered check (
    case status when 'draft' then number is null when 'void' then true
    else number is not null end),
  constraint uq_billing_invoices_subscription_id unique (subscription_id, period_start),
  constraint uq_billing_invoices_organization_id unique (organization_id, id),
  constraint fk_billing_invoices_subscription_id
    foreign key (organization_id, subscription_id)
    references subscriptions (organization_id, id)
)
"""

ITEMS = """
create table billing_invoice_items (
  id uuid constraint pk_billing_invoice_items primary key,
  organization_id uuid not null
    constraint fk_billing_invoice_items_organization_id references organizations (id),
  invoice_id uuid not null,
  position integer not null,
  kind text not null constraint ck_billing_invoice_items_kind
    check (kind in ('fee', 'usage', 'late_usage')),
  description text not null,
  metric text,
  quantity numeric,
  unit_price numeric,
  amount_cents bigint not null,
  start_day date not null,
  end_day date not null,
  constraint uq_billing_invoice_items_position unique (invoice_id, position),
  constraint fk_billing_invoice_items_invoice_id
    foreign key (organization_id, invoice_id)
    references billing_invoices (organization_id, id)
)
"""

CLOSINGS = """
create table billing_closings (
  organization_id uuid not null
    constraint fk_billing_closings_organization_id references organizations (id),
  subscription_id uuid not null,
  period_start timestamptz not null,
  invoice_id uuid,
  closed_at timestamptz not null,
  constraint pk_billing_closings primary key (subscription_id, period_start),
  constraint fk_billing_closings_subscription_id
    foreign key (organization_id, subscription_id)
    references subscriptions (organization_id, id),
  constraint fk_billing_closings_invoice_id foreign key (organization_id, invoice_id)
    references billing_invoices (organization_id, id)
)
"""

RATED = """
create table billing_rated_usage (
  organization_id uuid not null
    constraint fk_billing_rated_usage_organization_id references organizations (id),
  subscription_id uuid not null,
  metric text not null,
  start_day date not null,
  end_day date not null,
  aggregation text not null constraint ck_billing_rated_usage_aggregation
    check (aggregation in ('sum', 'max', 'last', 'unique')),
  included numeric not null,
  unit_price numeric not null,
  currency text not null,
  used numeric not null,
  billed_cents bigint not null
    constraint ck_billing_rated_usage_billed_cents check (billed_cents >= 0),
  void_cents bigint not null default 0,
  updated_at timestamptz not null,
  constraint pk_billing_rated_usage primary key (subscription_id, metric, start_day),
  constraint fk_billing_rated_usage_subscription_id
    foreign key (organization_id, subscription_id)
    references subscriptions (organization_id, id)
)
"""

INDEXES = (
    (
        "create index ix_billing_invoices_organization_id"
        " on billing_invoices (organization_id, period_start desc, id)"
    ),
    # What is to be numbered, in the order of the numbers.
    (
        "create index ix_billing_invoices_drafts on billing_invoices (created_at, id)"
        " where status = 'draft'"
    ),
    (
        "create index ix_billing_rated_usage_end_day"
        " on billing_rated_usage (organization_id, end_day)"
    ),
)


def upgrade() -> None:
    """Create the tables, their indexes and policies."""
    for statement in (INVOICES, ITEMS, CLOSINGS, RATED, *INDEXES):
        op.execute(statement)
    for table in ("billing_invoices", "billing_invoice_items", "billing_closings"):
        tenancy.protect(table, grants="select, insert")
    # Sums never change; where an invoice stands does, and it gets its number once.
    op.execute(
        "grant update (status, reason, paid_at, voided_at, stripe_invoice_id)"
        " on billing_invoices to vexxy_request, vexxy_worker"
    )
    op.execute(
        "grant update (status, number, finalized_at, stripe_invoice_id)"
        " on billing_invoices to vexxy_system"
    )
    op.execute(f"grant update (invoice_id) on billing_closings to {EVERYBODY}")
    tenancy.protect("billing_rated_usage", grants="select, insert")
    op.execute(
        "grant update (used, billed_cents, void_cents, updated_at) on billing_rated_usage"
        f" to {EVERYBODY}"
    )
    for each in ("row", "statement"):
        events = "update or delete" if each == "row" else "truncate"
        name = "append_only" if each == "row" else "append_only_whole"
        op.execute(
            f"create trigger {name} before {events} on billing_invoice_items"
            f" for each {each} execute function vexxy_append_only()"
        )


def downgrade() -> None:
    """Remove them."""
    for table in (
        "billing_rated_usage",
        "billing_closings",
        "billing_invoice_items",
        "billing_invoices",
    ):
        op.execute(f"drop table {table}")
