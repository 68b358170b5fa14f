"""Say once for each analysis whether it was let in, and what operators allow besides.

An admission names the period that it counts in and the credits that were held for it, and
ends settled or released, once. What a period counts can be counted again from them.

Expand step: nothing reads these tables yet.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_1050"
down_revision = "20261121_1040"

ADMISSIONS = """
create table quota_admissions (
  organization_id uuid not null
    constraint fk_quota_admissions_organization_id references organizations (id),
  reference uuid not null,
  period_id uuid not null,
  state text not null default 'admitted' constraint ck_quota_admissions_state
    check (state in ('admitted', 'settled', 'released')),
  credits bigint not null
    constraint ck_quota_admissions_credits check (credits >= 0),
  unlimited boolean not null default false,
  hold_number smallint not null default 1,
  hold_expires_at timestamptz not null,
  counted boolean not null default true,
  own_fault boolean not null default false,
  charged_credits bigint not null default 0,
  shortfall_credits bigint not null default 0,
  reason text,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  constraint pk_quota_admissions primary key (organization_id, reference),
  constraint fk_quota_admissions_period_id
    foreign key (organization_id, period_id)
    references billing_periods (organization_id, id),
  constraint ck_quota_admissions_charged_credits
    check (charged_credits >= 0 and (charged_credits = 0 or state = 'settled')),
  constraint ck_quota_admissions_shortfall_credits
    check (shortfall_credits >= 0 and (shortfall_credits = 0 or state = 'settled')),
  constraint ck_quota_admissions_ended_at
    check ((ended_at is null) = (state = 'admitted'))
)
"""

# What is over stays as it is, whoever writes: a redelivered end changes nothing.
ENDED_STAYS = """
create function vexxy_admission_ended() returns trigger language plpgsql as $$
begin
  raise exception 'an admission that is over does not change'
    using errcode = 'check_violation';
end $$
"""

ENTITLEMENTS = """
create table billing_entitlements (
  id uuid constraint pk_billing_entitlements primary key,
  organization_id uuid not null
    constraint fk_billing_entitlements_organization_id references organizations (id),
  feature text not null constraint ck_billing_entitlements_feature
    check (length(feature) between 1 and 100),
  limit_value numeric constraint ck_billing_entitlements_limit_value
    check (limit_value >= 0),
  unlimited boolean not null default false,
  reason text not null constraint ck_billing_entitlements_reason
    check (length(reason) between 1 and 1000),
  expires_at timestamptz not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  ended_at timestamptz,
  ended_by text,
  constraint ck_billing_entitlements_unlimited
    check (unlimited = (limit_value is null))
)
"""


def upgrade() -> None:
    """Create the tables, their indexes and policies."""
    # An admission points at its period together with its organization.
    op.execute(
        "alter table billing_periods add constraint uq_billing_periods_organization_id"
        " unique (organization_id, id)"
    )
    op.execute(ADMISSIONS)
    op.execute(
        "create index ix_quota_admissions_period_id"
        " on quota_admissions (period_id, organization_id)"
    )
    op.execute(ENDED_STAYS)
    op.execute(
        "create trigger ended_stays before update on quota_admissions"
        " for each row when (old.state <> 'admitted')"
        " execute function vexxy_admission_ended()"
    )
    tenancy.protect("quota_admissions", grants="select, insert, update")
    op.execute(ENTITLEMENTS)
    op.execute(
        "create unique index uq_billing_entitlements_feature"
        " on billing_entitlements (organization_id, feature) where ended_at is null"
    )
    tenancy.protect("billing_entitlements", grants="select, insert, update")


def downgrade() -> None:
    """Remove them."""
    for table in ("billing_entitlements", "quota_admissions"):
        op.execute(f"drop table {table}")
    op.execute("drop function vexxy_admission_ended()")
    op.execute(
        "alter table billing_periods drop constraint uq_billing_periods_organization_id"
    )
