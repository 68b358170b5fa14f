"""Sums over the ledger and the invoices."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# What a row moves into lots or out of them; between available and held is nothing.
_MOVED: Final = text("""
select date_trunc('month', e.created_at at time zone 'UTC')::date as month, l.source,
  e.kind, sum(m.credits)::bigint as credits
from billing_events e
cross join lateral unnest(e.entry_lots, e.entry_credits) as m (lot_id, credits)
join credit_lots l on l.id = m.lot_id
where cast(:home as uuid) is null or e.organization_id = :home
group by 1, 2, 3
""")
_UNLIMITED: Final = text("""
select date_trunc('month', e.created_at at time zone 'UTC')::date as month, e.kind,
  sum(-m.credits)::bigint as credits
from billing_events e
cross join lateral unnest(e.entry_accounts, e.entry_credits) as m (account, credits)
where m.account = 'unlimited'
  and (cast(:home as uuid) is null or e.organization_id = :home)
group by 1, 2
""")
_ANALYSES: Final = text("""
select date_trunc('month', created_at at time zone 'UTC')::date as month,
  count(*) as analyses
from billing_events
where kind = 'settle' and analysis_job_id is not null
  and (cast(:home as uuid) is null or organization_id = :home)
group by 1
""")
_INVOICES: Final = text("""
select date_trunc('month', i.created_at at time zone 'UTC')::date as month, i.currency,
  count(*) as invoices,
  sum(i.total_cents)::bigint as total_cents,
  coalesce(sum(i.total_cents) filter (where i.status = 'paid'), 0)::bigint as paid_cents,
  coalesce(sum(i.total_cents) filter (where i.status in ('draft', 'open')), 0)::bigint
    as open_cents,
  coalesce(sum(i.total_cents) filter (where i.status = 'void'), 0)::bigint as void_cents,
  coalesce(sum(u.cents) filter (where i.status <> 'void'), 0)::bigint as usage_cents
from billing_invoices i
left join lateral (
  select sum(n.amount_cents) filter (where n.kind <> 'fee') as cents
  from billing_invoice_items n where n.invoice_id = i.id
) u on true
where cast(:home as uuid) is null or i.organization_id = :home
group by 1, 2
""")
_LOTS: Final = text("""
select source, sum(available_credits + held_credits)::bigint as credits
from credit_lots
where cast(:home as uuid) is null or organization_id = :home
group by 1
""")
_ACCOUNTS: Final = text("""
select coalesce(sum(available_credits + held_credits), 0)::bigint as owned,
  coalesce(sum(revenue_credits), 0)::bigint as revenue,
  coalesce(sum(expired_credits), 0)::bigint as expired
from credit_accounts
where cast(:home as uuid) is null or organization_id = :home
""")
_UNEQUAL: Final = text("""
select i.id from billing_invoices i
left join billing_invoice_items n on n.invoice_id = i.id
where cast(:home as uuid) is null or i.organization_id = :home
group by i.id
having i.total_cents <> coalesce(sum(n.amount_cents), 0)
order by i.id limit 20
""")

# Columns differ from statement to statement.
Rows = Sequence[Any]


def moved(session: Session, home: UUID | None) -> Rows:
    """Return month, source, kind and credits of every move into or out of lots."""
    return session.execute(_MOVED, {"home": home}).all()


def unlimited(session: Session, home: UUID | None) -> Rows:
    """Return month, kind and credits that plans without a limit charged."""
    return session.execute(_UNLIMITED, {"home": home}).all()


def analyses(session: Session, home: UUID | None) -> Rows:
    """Return month and number of analyses that were charged."""
    return session.execute(_ANALYSES, {"home": home}).all()


def invoiced(session: Session, home: UUID | None) -> Rows:
    """Return the sums of invoices by month and currency."""
    return session.execute(_INVOICES, {"home": home}).all()


def lots(session: Session, home: UUID | None) -> Rows:
    """Return source and credits left, as lots say it."""
    return session.execute(_LOTS, {"home": home}).all()


def accounts(session: Session, home: UUID | None) -> Any:  # noqa: ANN401  a row
    """Return what is owned, charged and expired, as accounts say it."""
    return session.execute(_ACCOUNTS, {"home": home}).one()


def unequal_invoices(session: Session, home: UUID | None) -> Sequence[UUID]:
    """Return invoices whose lines do not sum to their total; always empty."""
    return session.scalars(_UNEQUAL, {"home": home}).all()
