"""SQL of checks: whole records, what is stored beside them, and the invariants."""

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from vexxy.billing.ledger import repository
from vexxy.billing.ledger.checks.types import Projections
from vexxy.billing.ledger.rules import chain
from vexxy.billing.ledger.types import Account, Posted

PAGE: Final = 1000
_BALANCES: Final = {account: f"{account}_credits" for account in Account}

_ROWS: Final = text(
    f"select {repository.EVENT_COLUMNS} from billing_events"  # noqa: S608  own names
    " where organization_id = :organization_id and sequence > :after"
    " order by sequence limit :limit"
)
_ACCOUNT: Final = text("select * from credit_accounts where organization_id = :id")
_CREDIT_BALANCE: Final = text("select credit_balance from organizations where id = :id")
_LOTS: Final = text(
    f"select {repository.LOT_COLUMNS} from credit_lots where organization_id = :id"  # noqa: S608
)
_ORGANIZATIONS: Final = text(
    "select organization_id from credit_accounts"
    " where organization_id > :after order by organization_id limit :limit"
)
_DROP_LOTS: Final = text("delete from credit_lots where organization_id = :id")

# Each returns no row, ever; the first column is whose it is, the second says what.
INVARIANTS: Final[Mapping[str, str]] = {
    "transactions_sum_to_zero": """
select organization_id, 'row ' || sequence from billing_events
where vexxy_sum(entry_credits) <> 0 limit :limit
""",
    "sequences_have_no_gap": """
select organization_id, account.sequence || ' said, ' || coalesce(rows, 0) || ' rows to '
  || coalesce(last, 0)
from credit_accounts account full join (
  select organization_id, count(*) as rows, max(sequence) as last
  from billing_events group by organization_id
) record using (organization_id)
where (account.sequence, account.sequence) is distinct from
  (coalesce(rows, 0), coalesce(last, 0)) limit :limit
""",
    "accounts_are_the_sum_of_entries": """
select organization_id, 'account ' || account from (
  select organization_id, account, sum(entry.credits) as credits
  from billing_events,
    unnest(entry_accounts::text[], entry_credits) as entry (account, credits)
  group by organization_id, account
) record full join (
  select organization_id, replace(name, '_credits', '') as account, value::bigint as credits
  from credit_accounts kept, jsonb_each_text(to_jsonb(kept)) as field (name, value)
  where name like '%\\_credits' and value::bigint <> 0
) account using (organization_id, account)
where coalesce(record.credits, 0) <> coalesce(account.credits, 0) limit :limit
""",
    "lots_are_the_sum_of_entries": """
select organization_id, 'lot ' || id from (
  select organization_id, lot_id as id,
    sum(entry.credits) filter (where account = 'available') as available,
    sum(entry.credits) filter (where account = 'held') as held
  from billing_events,
    unnest(entry_accounts::text[], entry_lots, entry_credits)
      as entry (account, lot_id, credits)
  where lot_id is not null group by organization_id, lot_id
) record full join (
  select organization_id, id, available_credits as available, held_credits as held
  from credit_lots
) lot using (organization_id, id)
where (coalesce(record.available, 0), coalesce(record.held, 0)) is distinct from
  (coalesce(lot.available, 0), coalesce(lot.held, 0)) limit :limit
""",
    "credit_balance_is_available": """
select id, 'credit_balance ' || credit_balance || ', available '
  || coalesce(available_credits, 0)
from organizations left join credit_accounts on organization_id = id
where credit_balance <> coalesce(available_credits, 0) limit :limit
""",
    "refunds_are_within_their_charge": """
select organization_id, 'charge ' || charge.sequence
from billing_events charge join (
  select organization_id, reverses, sum(credits) as credits
  from billing_events where kind = 'refund' group by organization_id, reverses
) refund using (organization_id)
where refund.reverses = charge.sequence
  and (charge.kind <> 'settle' or refund.credits > charge.credits) limit :limit
""",
    "only_holds_are_resolved": """
select ended.organization_id, 'row ' || ended.sequence
from billing_events ended left join billing_events held
  on held.organization_id = ended.organization_id and held.sequence = ended.resolves
where ended.resolves is not null
  and (held.kind is distinct from 'hold' or ended.credits > held.credits) limit :limit
""",
    "lapsed_holds_are_ended": """
select organization_id, 'hold ' || key from billing_events held
where kind = 'hold' and expires_at < now() - interval '1 hour' and not exists (
  select from billing_events ended where ended.organization_id = held.organization_id
  and ended.resolves = held.sequence) limit :limit
""",
}


def list_rows(session: Session, organization_id: UUID) -> Iterator[Posted]:
    """Yield the whole record in its order, in memory that does not grow with it."""
    after = 0
    while True:
        named = {"organization_id": organization_id, "after": after, "limit": PAGE}
        page = [repository.posted_of(row) for row in session.execute(_ROWS, named)]
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].sequence


def read_stored(session: Session, organization_id: UUID) -> Projections | None:
    """Return what is stored beside the record; None where there is no organization."""
    named = {"id": organization_id}
    credit_balance = session.execute(_CREDIT_BALANCE, named).scalar_one_or_none()
    if credit_balance is None:
        return None
    account = session.execute(_ACCOUNT, named).one_or_none()
    lots = [repository.lot_of(row) for row in session.execute(_LOTS, named)]
    return Projections(
        sequence=0 if account is None else account.sequence,
        chain=chain.START if account is None else bytes(account.chain),
        balances={
            kind: 0 if account is None else getattr(account, name)
            for kind, name in _BALANCES.items()
        },
        lots={lot.id: lot for lot in lots},
        credit_balance=credit_balance,
    )


def list_organizations(session: Session, *, after: UUID, limit: int) -> list[UUID]:
    """Return organizations that have an account, in the order of their ids."""
    return list(session.scalars(_ORGANIZATIONS, {"after": after, "limit": limit}))


def remove_lots(session: Session, organization_id: UUID) -> None:
    """Remove every lot of the organization, for others that are computed anew."""
    session.execute(_DROP_LOTS, {"id": organization_id})


def list_violations(session: Session, name: str, *, limit: int) -> list[tuple[UUID, str]]:
    """Return where an invariant does not hold."""
    rows = session.execute(text(INVARIANTS[name]), {"limit": limit})
    return [(row[0], row[1]) for row in rows]
