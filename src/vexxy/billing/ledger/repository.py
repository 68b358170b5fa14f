"""SQL of the ledger: lock, read what a decision needs, write what it gave."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from vexxy.billing.ledger.types import (
    Account,
    Balance,
    Entry,
    EventType,
    Kind,
    Lot,
    Posted,
    Source,
    State,
)

_PLAIN: Final = (
    "id, organization_id, sequence, kind, key, credits, asked_credits, credits_amount,"
    " balance_after, resolves, reverses, expires_at, source, priority, unlimited,"
    " event_type, description, analysis_job_id, stripe_event_id, chain, created_at"
)
# The driver does not know the type of the accounts.
EVENT_COLUMNS: Final = (
    f"{_PLAIN}, entry_accounts::text[] as entry_accounts, entry_lots, entry_credits"
)
_EVENT_WRITTEN: Final = f"{_PLAIN}, entry_accounts, entry_lots, entry_credits"
LOT_COLUMNS: Final = (
    "id, sequence, source, priority, expires_at, granted_credits, available_credits,"
    " held_credits"
)
_BALANCES: Final = {account: f"{account}_credits" for account in Account}

# A statement of its own: those that follow see what the lock's last owner committed.
_LOCK: Final = text(
    "select * from credit_accounts where organization_id = :organization_id for update"
)
# The row must be there before it can be locked, or two first spends would both pass.
_OPEN: Final = text(
    "insert into credit_accounts (organization_id)"
    " select id from organizations where id = :organization_id on conflict do nothing"
)
_NAMED: Final = text(
    "with named as materialized (select * from billing_events"  # noqa: S608  own names
    "  where organization_id = :organization_id and key = any(:keys)),"
    " found as (select * from named union"
    "  select * from billing_events where organization_id = :organization_id"
    "   and resolves = any(array(select sequence from named where kind = 'hold')) union"
    "  select * from billing_events where organization_id = :organization_id"
    "   and sequence = any(array(select resolves from named where kind = 'settle')))"
    f" select {EVENT_COLUMNS} from found"
)
_REFUNDED: Final = text(
    "select reverses, sum(credits)::bigint from billing_events"
    " where organization_id = :organization_id and kind = 'refund'"
    " and reverses = any(:sequences) group by reverses"
)
_LOTS: Final = text(
    f"select {LOT_COLUMNS} from credit_lots"  # noqa: S608  own names
    " where organization_id = :organization_id and is_open"
    f" union select {LOT_COLUMNS} from credit_lots"
    " where organization_id = :organization_id and id = any(:ids)"
)
# For a hot path's own statement: follows `with`, needs the values of `written`.
WRITING: Final = (
    f"events as (insert into billing_events ({_EVENT_WRITTEN})"  # noqa: S608
    f"  select {_EVENT_WRITTEN}"
    "  from json_populate_recordset(null::billing_events, cast(:rows as json))),"
    f" lots as (insert into credit_lots (organization_id, {LOT_COLUMNS})"
    f"  select :organization_id, {LOT_COLUMNS}"
    "  from json_populate_recordset(null::credit_lots, cast(:lots as json))"
    "  on conflict (id) do update set available_credits = excluded.available_credits,"
    "  held_credits = excluded.held_credits),"
    " account as (update credit_accounts set sequence = :sequence, chain = :chain,"
    "  updated_at = :now,"
    f"  {', '.join(f'{name} = :{name}' for name in _BALANCES.values())}"
    "  where organization_id = :organization_id),"
    " projected as (update organizations set credit_balance = :available_credits"
    "  where id = :organization_id and credit_balance <> :available_credits)"
)
_WRITE: Final = text(f"with {WRITING} select 1")
_LIST: Final = text(
    f"select {EVENT_COLUMNS} from billing_events"  # noqa: S608  own names
    " where organization_id = :organization_id and event_type is not null"
    " order by sequence desc limit :limit offset :offset"
)
_FIND: Final = text(
    f"select {EVENT_COLUMNS} from billing_events"  # noqa: S608  own names
    " where organization_id = :organization_id and key = :key"
)
_FIND_BY_ID: Final = text(
    f"select {EVENT_COLUMNS} from billing_events"  # noqa: S608  own names
    " where organization_id = :organization_id and id = :id"
)
_OPEN_LOTS: Final = text(
    f"select {LOT_COLUMNS} from credit_lots"  # noqa: S608  own names
    " where organization_id = :organization_id and is_open"
    " order by expires_at nulls last, priority, sequence"
)


def lock_account(session: Session, organization_id: UUID) -> Row[Any] | None:
    """Return the organization's account, locked until the transaction ends.

    The lock makes read, decide, write one step. None where the organization is not there.
    """
    named = {"organization_id": organization_id}
    row = session.execute(_LOCK, named).one_or_none()
    if row is None:
        session.execute(_OPEN, named)
        row = session.execute(_LOCK, named).one_or_none()
    return row


def read_state(session: Session, account: Row[Any], keys: Iterable[str]) -> State:
    """Return what decisions about these keys stand on; the account is locked."""
    organization_id: UUID = account.organization_id
    named = {"organization_id": organization_id}
    wanted = list(keys)
    rows = session.execute(_NAMED, {**named, "keys": wanted}) if wanted else ()
    by_key = {posted.key: posted for posted in map(posted_of, rows)}
    charges = [row.sequence for row in by_key.values() if row.kind is Kind.SETTLE]
    refunded: dict[int, int] = {}
    if charges:
        found = session.execute(_REFUNDED, {**named, "sequences": charges})
        refunded = {sequence: credits for sequence, credits in found}  # noqa: A001, C416
    ids = {row.id for row in by_key.values()} | {
        entry.lot_id
        for row in by_key.values()
        for entry in row.entries
        if entry.lot_id is not None
    }
    lots = session.execute(_LOTS, {**named, "ids": list(ids)})
    return replace(
        state_of(account, map(lot_of, lots)),
        by_key=by_key,
        resolved={row.resolves: row for row in by_key.values() if row.resolves is not None},
        refunded=refunded,
    )


def state_of(account: Row[Any], lots: Iterable[Lot]) -> State:
    """Return what requests stand on whose keys nobody used; the account is locked."""
    return State(
        organization_id=account.organization_id,
        sequence=account.sequence,
        chain=bytes(account.chain),
        balances={kind: getattr(account, name) for kind, name in _BALANCES.items()},
        lots={lot.id: lot for lot in lots},
    )


def write(
    session: Session,
    after: State,
    *,
    rows: Sequence[Posted],
    lots: Sequence[Lot],
    now: datetime,
) -> None:
    """Write transactions and what they leave, in one statement; the account is locked."""
    session.execute(_WRITE, written(after, rows=rows, lots=lots, now=now))


def written(
    after: State, *, rows: Sequence[Posted], lots: Sequence[Lot], now: datetime
) -> dict[str, object]:
    """Return the values of `WRITING`."""
    values = {
        "organization_id": after.organization_id,
        "rows": msgspec.json.encode([written_event(row) for row in rows]).decode(),
        "lots": msgspec.json.encode(lots).decode(),
        "sequence": after.sequence,
        "chain": after.chain,
        "now": now,
    }
    balances = {name: after.balances[account] for account, name in _BALANCES.items()}
    return values | balances


def written_event(posted: Posted) -> Mapping[str, object]:
    """Return the columns of a transaction, as JSON that PostgreSQL reads."""
    return {
        "id": posted.id,
        "organization_id": posted.organization_id,
        "sequence": posted.sequence,
        "kind": posted.kind,
        "key": posted.key,
        "credits": posted.credits,
        "asked_credits": posted.asked_credits,
        "entry_accounts": [entry.account for entry in posted.entries],
        "entry_lots": [entry.lot_id for entry in posted.entries],
        "entry_credits": [entry.credits for entry in posted.entries],
        "credits_amount": posted.credits_amount,
        "balance_after": posted.balance_after,
        "resolves": posted.resolves,
        "reverses": posted.reverses,
        "expires_at": posted.expires_at,
        "source": posted.source,
        "priority": posted.priority,
        "unlimited": posted.unlimited,
        "event_type": posted.event_type,
        "description": posted.description,
        "analysis_job_id": posted.analysis_job_id,
        "stripe_event_id": posted.stripe_event_id,
        "chain": "\\x" + posted.chain.hex(),
        "created_at": posted.created_at,
    }


def find(session: Session, organization_id: UUID, key: str) -> Posted | None:
    """Return the transaction of that key."""
    named = {"organization_id": organization_id, "key": key}
    row = session.execute(_FIND, named).one_or_none()
    return None if row is None else posted_of(row)


def find_by_id(session: Session, organization_id: UUID, event_id: UUID) -> Posted | None:
    """Return the transaction of that id."""
    named = {"organization_id": organization_id, "id": event_id}
    row = session.execute(_FIND_BY_ID, named).one_or_none()
    return None if row is None else posted_of(row)


def list_shown(
    session: Session, organization_id: UUID, *, limit: int, offset: int
) -> list[Posted]:
    """Return transactions that are shown to the organization, newest first."""
    named = {"organization_id": organization_id, "limit": limit, "offset": offset}
    return [posted_of(row) for row in session.execute(_LIST, named)]


def list_open_lots(session: Session, organization_id: UUID) -> list[Lot]:
    """Return the lots that are not used up, in the order they are spent."""
    named = {"organization_id": organization_id}
    return [lot_of(row) for row in session.execute(_OPEN_LOTS, named)]


def balance_of(organization_id: UUID, lots: Sequence[Lot], now: datetime) -> Balance:
    """Return what the lots amount to at an instant."""
    return Balance(
        organization_id=organization_id,
        available_credits=sum(
            lot.available_credits
            for lot in lots
            if lot.expires_at is None or lot.expires_at > now
        ),
        held_credits=sum(lot.held_credits for lot in lots),
        lots=tuple(lots),
    )


def posted_of(row: Row[Any]) -> Posted:
    """Return the transaction that a row of `EVENT_COLUMNS` is."""
    lines = zip(row.entry_accounts, row.entry_credits, row.entry_lots, strict=True)
    return Posted(
        id=row.id,
        organization_id=row.organization_id,
        sequence=row.sequence,
        kind=Kind(row.kind),
        key=row.key,
        credits=row.credits,
        asked_credits=row.asked_credits,
        entries=tuple(
            Entry(Account(account), credits, lot_id)
            for account, credits, lot_id in lines  # noqa: A001
        ),
        credits_amount=row.credits_amount,
        balance_after=row.balance_after,
        resolves=row.resolves,
        reverses=row.reverses,
        expires_at=row.expires_at,
        source=None if row.source is None else Source(row.source),
        priority=row.priority,
        unlimited=row.unlimited,
        event_type=None if row.event_type is None else EventType(row.event_type),
        description=row.description,
        analysis_job_id=row.analysis_job_id,
        stripe_event_id=row.stripe_event_id,
        chain=bytes(row.chain),
        created_at=row.created_at,
    )


def lot_of(row: Row[Any]) -> Lot:
    """Return the lot that a row of `LOT_COLUMNS` is."""
    return Lot(
        id=row.id,
        sequence=row.sequence,
        source=Source(row.source),
        priority=row.priority,
        expires_at=row.expires_at,
        granted_credits=row.granted_credits,
        available_credits=row.available_credits,
        held_credits=row.held_credits,
    )
