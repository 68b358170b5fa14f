"""Keep credits in a ledger.

`billing_events` is the record: one row is one complete transaction, its lines in three
arrays of equal length, so that a check on the row itself holds them to a sum of zero. It
is only ever added to, in an order without gaps, each row with a hash over the one before.
`credit_accounts` and `credit_lots` are projections of it that decisions lock and read.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1020"
down_revision = "20261121_1010"

ACCOUNTS = (
    "available",
    "held",
    "revenue",
    "expired",
    "adjustments",
    "unlimited",
    "grants_plan",
    "grants_purchase",
    "grants_promotion",
)

SUM = """
create function vexxy_sum(bigint[]) returns bigint
language sql immutable strict parallel safe
return (select coalesce(sum(value), 0)::bigint from unnest($1) as value)
"""

EVENTS = """
create table billing_events (
  id uuid not null constraint pk_billing_events primary key,
  organization_id uuid not null
    constraint fk_billing_events_organization_id references organizations (id),
  sequence bigint not null constraint ck_billing_events_sequence check (sequence > 0),
  kind text not null constraint ck_billing_events_kind check (kind in (
    'grant', 'hold', 'settle', 'void', 'expire_hold', 'expire_lot', 'refund', 'revoke',
    'adjust', 'note')),
  key text not null
    constraint ck_billing_events_key check (length(key) between 1 and 300),
  credits bigint not null,
  asked_credits bigint,
  entry_accounts ledger_account[] not null,
  entry_lots uuid[] not null,
  entry_credits bigint[] not null,
  credits_amount bigint not null,
  balance_after bigint not null
    constraint ck_billing_events_balance_after check (balance_after >= 0),
  resolves bigint,
  reverses bigint,
  expires_at timestamptz,
  source text,
  priority smallint,
  unlimited boolean not null default false,
  event_type text constraint ck_billing_events_event_type check (event_type in (
    'analysis_completed', 'credit_purchased', 'credit_granted', 'credit_expired',
    'credit_refunded', 'subscription_created', 'subscription_updated',
    'subscription_canceled', 'payment_succeeded', 'payment_failed', 'adjustment')),
  description text not null default '',
  analysis_job_id uuid,
  stripe_event_id text,
  chain bytea not null constraint ck_billing_events_chain check (octet_length(chain) = 32),
  created_at timestamptz not null,
  constraint uq_billing_events_sequence unique (organization_id, sequence),
  constraint uq_billing_events_key unique (organization_id, key),
  constraint ck_billing_events_entries check (
    cardinality(entry_accounts) = cardinality(entry_credits)
    and cardinality(entry_lots) = cardinality(entry_credits)
    and vexxy_sum(entry_credits) = 0)
)
"""

ACCOUNT_TABLE = f"""
create table credit_accounts (
  organization_id uuid constraint pk_credit_accounts primary key
    constraint fk_credit_accounts_organization_id references organizations (id),
  sequence bigint not null default 0,
  chain bytea not null default '\\x{"00" * 32}',
  {" ".join(f"{name}_credits bigint not null default 0," for name in ACCOUNTS)}
  updated_at timestamptz not null default now(),
  constraint ck_credit_accounts_available check (available_credits >= 0),
  constraint ck_credit_accounts_held check (held_credits >= 0),
  constraint ck_credit_accounts_revenue check (revenue_credits >= 0),
  constraint ck_credit_accounts_expired check (expired_credits >= 0),
  constraint ck_credit_accounts_zero
    check ({" + ".join(f"{name}_credits" for name in ACCOUNTS)} = 0)
)
"""

LOTS = """
create table credit_lots (
  id uuid constraint pk_credit_lots primary key,
  organization_id uuid not null
    constraint fk_credit_lots_organization_id references organizations (id),
  sequence bigint not null,
  source text not null constraint ck_credit_lots_source check (source in (
    'plan_allowance', 'purchase', 'promotion', 'adjustment', 'refund')),
  priority smallint not null,
  expires_at timestamptz,
  granted_credits bigint not null,
  available_credits bigint not null,
  held_credits bigint not null,
  -- What indexes ask: one that named the credits would be written at every spend.
  is_open boolean generated always as (available_credits > 0 or held_credits > 0) stored,
  constraint ck_credit_lots_credits check (
    available_credits >= 0 and held_credits >= 0
    and available_credits + held_credits <= granted_credits)
)
"""

# How far a sweep has come; only there to keep the next one short.
MARKS = """
create table ledger_marks (
  name text constraint pk_ledger_marks primary key,
  reached_at timestamptz not null
)
"""

INDEXES = (
    "create index ix_credit_lots_organization_id on credit_lots (organization_id)",
    # A hold ends once, whatever two callers do at the same moment.
    (
        "create unique index uq_billing_events_resolves"
        " on billing_events (organization_id, resolves) where resolves is not null"
    ),
    (
        "create index ix_billing_events_reverses"
        " on billing_events (organization_id, reverses) where reverses is not null"
    ),
    (
        "create index ix_billing_events_shown"
        " on billing_events (organization_id, sequence desc) where event_type is not null"
    ),
    # What a sweep for lapsed holds reads: forward from where the last one ended.
    (
        "create index ix_billing_events_holds"
        " on billing_events (expires_at) where kind = 'hold'"
    ),
    ("create index ix_credit_lots_open on credit_lots (organization_id) where is_open"),
    ("create index ix_credit_lots_expires_at on credit_lots (expires_at) where is_open"),
)


def upgrade() -> None:
    """Create the record, its projections, and what they refuse."""
    accounts = ", ".join(f"'{name}'" for name in ACCOUNTS)
    op.execute(f"create type ledger_account as enum ({accounts})")
    for statement in (SUM, EVENTS, ACCOUNT_TABLE, LOTS, MARKS, *INDEXES):
        op.execute(statement)
    tenancy.protect("billing_events", grants="select, insert")
    op.execute(
        "create trigger append_only before update or delete on billing_events"
        " for each row execute function vexxy_append_only()"
    )
    op.execute(
        "create trigger append_only_whole before truncate on billing_events"
        " for each statement execute function vexxy_append_only()"
    )
    for table in ("credit_accounts", "credit_lots"):
        tenancy.protect(table, grants="select, insert, update")
    tenancy.system_only("ledger_marks")
    # The projection that the contract names; what it says is the ledger's to write.
    op.execute(
        "grant update (credit_balance) on organizations to vexxy_request, vexxy_worker"
    )
    op.execute(
        "alter table organizations add constraint ck_organizations_credit_balance"
        " check (credit_balance >= 0)"
    )


def downgrade() -> None:
    """Remove them."""
    op.execute("alter table organizations drop constraint ck_organizations_credit_balance")
    op.execute(
        "revoke update (credit_balance) on organizations from vexxy_request, vexxy_worker"
    )
    for table in ("ledger_marks", "credit_lots", "credit_accounts", "billing_events"):
        op.execute(f"drop table {table}")
    op.execute("drop function vexxy_sum(bigint[])")
    op.execute("drop type ledger_account")
