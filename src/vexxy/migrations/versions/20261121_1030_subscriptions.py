"""Plans in their versions, who subscribes to which, and the periods of a subscription.

A plan's version never changes once somebody may be on it. An organization has one live
subscription at most; those that ended stay as its history. A period is one month of
quotas and allowance, whole days in UTC, and there is one for each start.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1030"
down_revision = "20261121_1020"

STATUSES = (
    "'incomplete', 'incomplete_expired', 'trialing', 'active', 'past_due', 'unpaid',"
    " 'paused', 'canceled'"
)

PLANS = """
create table billing_plans (
  tier text not null,
  version integer not null constraint ck_billing_plans_version check (version > 0),
  catalog text not null,
  definition jsonb not null,
  created_at timestamptz not null default now(),
  constraint pk_billing_plans primary key (catalog, tier, version)
)
"""

SUBSCRIPTIONS = f"""
create table subscriptions (
  id uuid constraint pk_subscriptions primary key,
  organization_id uuid not null
    constraint fk_subscriptions_organization_id references organizations (id),
  catalog text not null,
  tier text not null,
  plan_version integer not null,
  status text not null
    constraint ck_subscriptions_status check (status in ({STATUSES})),
  billing_interval text not null default 'month'
    constraint ck_subscriptions_billing_interval
    check (billing_interval in ('month', 'year')),
  anchor_at timestamptz not null,
  current_period_start timestamptz not null,
  current_period_end timestamptz not null,
  billing_period_start timestamptz not null,
  billing_period_end timestamptz not null,
  trial_end timestamptz,
  cancel_at_period_end boolean not null default false,
  canceled_at timestamptz,
  ended_at timestamptz,
  paused_at timestamptz,
  payment_grace_until timestamptz,
  scheduled_tier text,
  scheduled_plan_version integer,
  scheduled_interval text,
  stripe_subscription_id text
    constraint uq_subscriptions_stripe_subscription_id unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint ck_subscriptions_current_period
    check (current_period_start < current_period_end),
  constraint ck_subscriptions_billing_period
    check (billing_period_start < billing_period_end),
  constraint fk_subscriptions_plan foreign key (catalog, tier, plan_version)
    references billing_plans (catalog, tier, version),
  constraint uq_subscriptions_organization_id unique (organization_id, id)
)
"""

PERIODS = """
create table billing_periods (
  id uuid constraint pk_billing_periods primary key,
  organization_id uuid not null
    constraint fk_billing_periods_organization_id references organizations (id),
  subscription_id uuid not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  tier text not null,
  plan_version integer not null,
  analysis_limit bigint,
  credit_limit bigint,
  analyses bigint not null default 0
    constraint ck_billing_periods_analyses check (analyses >= 0),
  credits_used bigint not null default 0
    constraint ck_billing_periods_credits_used check (credits_used >= 0),
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint ck_billing_periods_period check (period_start < period_end),
  constraint fk_billing_periods_subscription_id
    foreign key (organization_id, subscription_id)
    references subscriptions (organization_id, id),
  constraint uq_billing_periods_subscription_id unique (subscription_id, period_start)
)
"""


def upgrade() -> None:
    """Create the tables, their indexes and policies."""
    op.execute(PLANS)
    tenancy.system_only("billing_plans")
    # Prices are public; only the service itself writes them.
    op.execute("grant select on billing_plans to vexxy_request, vexxy_worker")
    op.execute(SUBSCRIPTIONS)
    op.execute(
        "create unique index uq_subscriptions_live on subscriptions (organization_id)"
        " where status not in ('canceled', 'incomplete_expired')"
    )
    # What a sweep for ended periods reads.
    op.execute(
        "create index ix_subscriptions_due on subscriptions (current_period_end)"
        " where status not in ('canceled', 'incomplete_expired')"
    )
    tenancy.protect("subscriptions", grants="select, insert, update")
    op.execute(PERIODS)
    op.execute(
        "create unique index uq_billing_periods_open on billing_periods (subscription_id)"
        " where closed_at is null"
    )
    op.execute(
        "create index ix_billing_periods_organization_id"
        " on billing_periods (organization_id, period_start)"
    )
    tenancy.protect("billing_periods", grants="select, insert, update")


def downgrade() -> None:
    """Remove them."""
    for table in ("billing_periods", "subscriptions", "billing_plans"):
        op.execute(f"drop table {table}")
