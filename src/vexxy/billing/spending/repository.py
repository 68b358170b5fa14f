"""SQL of many organizations at once, as the system role.

The statements are asyncpg's: an array of whole rows is the fastest way there is to bring
rows into a table that row-level security protects (ADR 0024).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from vexxy.billing.ledger import repository as ledger
from vexxy.billing.ledger.types import Account, Lot, Posted, State
from vexxy.billing.spending.ports import Connection
from vexxy.billing.spending.types import Change

# The columns of the tables, in their order; a test compares them with the database.
EVENT_COLUMNS: Final = (
    *("id", "organization_id", "sequence", "kind", "key", "credits", "asked_credits"),
    *("entry_accounts", "entry_lots", "entry_credits", "credits_amount"),
    *("balance_after", "resolves", "reverses", "expires_at", "source", "priority"),
    *("unlimited", "event_type", "description", "analysis_job_id", "stripe_event_id"),
    *("chain", "created_at"),
)
ACCOUNT_COLUMNS: Final = (
    *("organization_id", "sequence", "chain"),
    *(f"{account}_credits" for account in Account),
    "updated_at",
)
LOT_COLUMNS: Final = (
    *("id", "organization_id", "sequence", "source", "priority", "expires_at"),
    *("granted_credits", "available_credits", "held_credits"),
)
_ACCOUNTS: Final = tuple(Account)
_BALANCES: Final = tuple(f"{account}_credits" for account in Account)

_OPEN: Final = (
    "insert into credit_accounts (organization_id)"
    " select o.id from organizations o where o.id = any($1::uuid[])"
    " order by o.id on conflict do nothing"
)
# In one order for everybody, so that no two wait for each other.
_LOCK: Final = (
    "select * from credit_accounts where organization_id = any($1::uuid[])"
    " order by organization_id for update"
)
_LOTS: Final = (
    "select * from credit_lots where organization_id = any($1::uuid[]) and is_open"
)
_NAMED: Final = (
    "with named as (select e.* from unnest($1::uuid[], $2::text[]) as n (owner, name)"
    " join billing_events e on e.organization_id = n.owner and e.key = n.name)"
    " select * from named union select r.* from named n join billing_events r"
    " on r.organization_id = n.organization_id and r.resolves = n.sequence"
    " where n.kind = 'hold'"
)
# Compare, write and commit, in one round trip. An account that is not where the decision
# thought it was keeps everything as it is, and is missing from the answer.
_WRITE: Final = f"""
with found as materialized (
  select organization_id, sequence from credit_accounts
  where organization_id = any($1::uuid[]) order by organization_id for update
), wanted as (
  select * from unnest($2::credit_accounts[], $3::bigint[])
    as w ({", ".join(ACCOUNT_COLUMNS)}, expected)
), agreed as materialized (
  select w.* from wanted w join found f
    on f.organization_id = w.organization_id and f.sequence = w.expected
), events as (
  insert into billing_events select e.* from unnest($4::billing_events[]) e
  where e.organization_id in (select organization_id from agreed)
), lots as (
  update credit_lots l set available_credits = n.available_credits,
    held_credits = n.held_credits
  from unnest($5::credit_lots[]) n
  where l.id = n.id and l.organization_id = n.organization_id
    and n.organization_id in (select organization_id from agreed)
), accounts as (
  update credit_accounts a set sequence = g.sequence, chain = g.chain,
    {", ".join(f"{name} = g.{name}" for name in _BALANCES)}, updated_at = g.updated_at
  from agreed g where a.organization_id = g.organization_id and g.sequence > g.expected
), shown as (
  update organizations o set credit_balance = g.available_credits
  from agreed g where o.id = g.organization_id
    and o.credit_balance <> g.available_credits
), acts as (
  insert into billing_audit_log (id, organization_id, action, actor_type, actor_id,
    resource_type, resource_id, before_state, after_state, metadata, ip_address,
    user_agent)
  select t.id, t.organization_id, t.action, t.actor_type, t.actor_id, t.resource_type,
    t.resource_id, t.before_state::jsonb, t.after_state::jsonb, t.context::jsonb,
    t.ip_address, t.user_agent
  from json_to_recordset($6::json) as t (id uuid, organization_id uuid, action text,
    actor_type text, actor_id text, resource_type text, resource_id text,
    before_state text, after_state text, context text, ip_address inet,
    user_agent text)
  where t.organization_id in (select organization_id from agreed)
)
select organization_id from agreed
"""  # noqa: S608  own names


async def locked(
    connection: Connection, keys: Mapping[UUID, Sequence[str]]
) -> dict[UUID, State]:
    """Lock the accounts, in the order of their ids, and read what they are.

    Each statement sees what was committed before it began: the lock is one of its own.
    An organization that does not exist is missing from the answer.
    """
    wanted = sorted(keys)
    found = await connection.rows(_LOCK, wanted)
    if len(found) < len(wanted):
        await connection.rows(_OPEN, wanted)
        found = await connection.rows(_LOCK, wanted)
    lots: dict[UUID, list[Lot]] = {}
    for row in await connection.rows(_LOTS, wanted):
        lots.setdefault(row.organization_id, []).append(ledger.lot_of(row))
    pairs = [(owner, key) for owner, named in keys.items() for key in named]
    posted: dict[UUID, list[Posted]] = {}
    for row in await connection.rows(
        _NAMED, [owner for owner, _ in pairs], [key for _, key in pairs]
    ):
        posted.setdefault(row.organization_id, []).append(ledger.posted_of(row))
    return {
        row.organization_id: _state(
            row,
            lots=lots.get(row.organization_id, ()),
            posted=posted.get(row.organization_id, ()),
        )
        for row in found
    }


def _state(row: Any, *, lots: Iterable[Lot], posted: Sequence[Posted]) -> State:  # noqa: ANN401
    return State(
        organization_id=row.organization_id,
        sequence=row.sequence,
        chain=row.chain,
        balances={account: getattr(row, f"{account}_credits") for account in Account},
        lots={lot.id: lot for lot in lots},
        by_key={one.key: one for one in posted},
        resolved={one.resolves: one for one in posted if one.resolves is not None},
    )


async def write(
    connection: Connection, changes: Mapping[UUID, Change], *, acts: str, now: datetime
) -> frozenset[UUID]:
    """Write what still stands on what it was decided upon; say for whom it was.

    Outside of a transaction the statement is one, with its commit.

    Args:
        connection: Of the system role: it writes for many organizations at once.
        changes: By organization.
        acts: A JSON array of rows for the record of acts.
        now: Of the accounts' change.
    """
    decisions = [(one, change.decision) for one, change in changes.items()]
    rows = await connection.rows(
        _WRITE,
        list(changes),
        [_account(decision.state, now) for _, decision in decisions],
        [change.expected for change in changes.values()],
        [_event(row) for _, decision in decisions for row in decision.rows],
        [_lot(one, lot) for one, decision in decisions for lot in decision.lots],
        acts,
    )
    return frozenset(row.organization_id for row in rows)


def _account(state: State, now: datetime) -> tuple[object, ...]:
    balances = [state.balances.get(account, 0) for account in _ACCOUNTS]
    return (state.organization_id, state.sequence, state.chain, *balances, now)


def _lot(organization_id: UUID, lot: Lot) -> tuple[object, ...]:
    return (
        lot.id,
        organization_id,
        lot.sequence,
        lot.source,
        lot.priority,
        lot.expires_at,
        lot.granted_credits,
        lot.available_credits,
        lot.held_credits,
        None,  # generated
    )


def _event(row: Posted) -> tuple[object, ...]:
    entries = row.entries
    return (
        row.id,
        row.organization_id,
        row.sequence,
        row.kind,
        row.key,
        row.credits,
        row.asked_credits,
        [entry.account for entry in entries],
        [entry.lot_id for entry in entries],
        [entry.credits for entry in entries],
        row.credits_amount,
        row.balance_after,
        row.resolves,
        row.reverses,
        row.expires_at,
        row.source,
        row.priority,
        row.unlimited,
        row.event_type,
        row.description,
        row.analysis_job_id,
        row.stripe_event_id,
        row.chain,
        row.created_at,
    )
