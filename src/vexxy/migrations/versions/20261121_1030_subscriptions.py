"""Plans in their versions, who subscribes to which, and the periods of a subscription.

A plan's version never changes once somebody may be on it. An organization has one live
subscription at most; those that ended stay as its history. A period is one month of
quotas and allowance, whole days in UTC, and there is one for each start. What became of
a subscription is kept step by step; a quote holds a price for some minutes.

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
  billing_fee_cents bigint not null default 0
    constraint ck_subscriptions_billing_fee_cents check (billing_fee_cents >= 0),
  billing_charged boolean not null default false,
  trial_end timestamptz,
  trial_converts boolean not null default false,
  cancel_at_period_end boolean not null default false,
  canceled_at timestamptz,
  ended_at timestamptz,
  paused_at timestamptz,
  payment_grace_until timestamptz,
  scheduled_tier text,
  scheduled_plan_version integer,
  scheduled_interval text,
  revision bigint not null default 1
    constraint ck_subscriptions_revision check (revision > 0),
  stripe_subscription_id text
    constraint uq_subscriptions_stripe_subscription_id unique,
  due_at timestamptz generated always as (least(
    current_period_end,
    case when status = 'trialing' then trial_end end,
    case when status = 'past_due' then payment_grace_until end)) stored,
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
  parts jsonb not null default '[]',
  analysis_limit bigint,
  credit_limit bigint,
  granted_credits bigint not null default 0
    constraint ck_billing_periods_granted_credits check (granted_credits >= 0),
  grant_keys jsonb not null default '[]',
  analyses bigint not null default 0
    constraint ck_billing_periods_analyses check (analyses >= 0),
  credits_used bigint not null default 0
    constraint ck_billing_periods_credits_used check (credits_used >= 0),
  revenue_at_start bigint not null default 0,
  usage_start timestamptz not null,
  closed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint ck_billing_periods_period check (period_start < period_end),
  constraint fk_billing_periods_subscription_id
    foreign key (organization_id, subscription_id)
    references subscriptions (organization_id, id),
  constraint uq_billing_periods_subscription_id unique (subscription_id, period_start)
)
"""

OF_SUBSCRIPTION = """
    foreign key (organization_id, subscription_id)
    references subscriptions (organization_id, id)
"""

HISTORY = f"""
create table subscription_history (
  id uuid constraint pk_subscription_history primary key,
  organization_id uuid not null
    constraint fk_subscription_history_organization_id references organizations (id),
  subscription_id uuid not null,
  revision bigint not null,
  kind text not null,
  effective_at timestamptz not null,
  before_state jsonb,
  after_state jsonb not null,
  reason text not null default '',
  created_at timestamptz not null default now(),
  constraint fk_subscription_history_subscription_id {OF_SUBSCRIPTION},
  constraint uq_subscription_history_subscription_id unique (subscription_id, revision)
)
"""

ITEMS = f"""
create table subscription_items (
  id uuid constraint pk_subscription_items primary key,
  organization_id uuid not null
    constraint fk_subscription_items_organization_id references organizations (id),
  subscription_id uuid not null,
  metric text not null,
  tier text not null,
  plan_version integer not null,
  stripe_subscription_item_id text
    constraint uq_subscription_items_stripe_subscription_item_id unique,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint fk_subscription_items_subscription_id {OF_SUBSCRIPTION}
)
"""

QUOTES = f"""
create table subscription_quotes (
  id uuid constraint pk_subscription_quotes primary key,
  organization_id uuid not null
    constraint fk_subscription_quotes_organization_id references organizations (id),
  subscription_id uuid not null,
  revision bigint not null,
  change jsonb not null,
  preview jsonb not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  constraint fk_subscription_quotes_subscription_id {OF_SUBSCRIPTION}
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
    # What a sweep for ended periods, trials and times of grace reads.
    op.execute(
        "create index ix_subscriptions_due on subscriptions (due_at, id)"
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
    for statement in (HISTORY, ITEMS, QUOTES):
        op.execute(statement)
    op.execute(
        "create unique index uq_subscription_items_open"
        " on subscription_items (subscription_id, metric) where ended_at is null"
    )
    op.execute(
        "create index ix_subscription_history_organization_id"
        " on subscription_history (organization_id, created_at)"
    )
    op.execute(
        "create index ix_subscription_quotes_organization_id"
        " on subscription_quotes (organization_id, expires_at)"
    )
    tenancy.protect("subscription_history", grants="select, insert")
    tenancy.protect("subscription_items", grants="select, insert, update")
    tenancy.protect("subscription_quotes", grants="select, insert, update")


def downgrade() -> None:
    """Remove them."""
    for table in (
        "subscription_quotes",
        "subscription_items",
        "subscription_history",
        "billing_periods",
        "subscriptions",
        "billing_plans",
    ):
        op.execute(f"drop table {table}")
