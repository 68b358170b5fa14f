"""Callers of the combiner, and what must hold whatever they did."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import text

from tests import service_values
from vexxy.billing.ledger import repository, service
from vexxy.billing.ledger.rules import chain
from vexxy.billing.ledger.types import Account, Grant, Hold, Posted, Settle, Source
from vexxy.billing.spending.service import Combiner
from vexxy.kit import clock, ids
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import VexxyError
from vexxy.kit.writes import Writes

Result = TypeVar("Result")
PRICE = 18
CHARGED = 12


def with_credits(system: Database, credits: int) -> UUID:  # noqa: A002
    """Store an organization that has credits, in two lots that expire differently."""
    organization_id = service_values.an_organization(system)
    soon = clock.instant() + timedelta(days=20)
    lots = [
        Grant(key="kept", credits=credits - credits // 3, source=Source.PURCHASE),
        Grant(
            key="allowance",
            credits=credits // 3,
            source=Source.PLAN_ALLOWANCE,
            expires_at=soon,
        ),
    ]
    with system.transaction(organization_id) as session:
        for grant in lots:
            if grant.credits:
                service.post_one(session, organization_id, grant)
    return organization_id


def a_hold(credits: int = PRICE, *, key: str | None = None) -> Hold:  # noqa: A002
    expires_at = clock.instant() + timedelta(hours=1)
    return Hold(
        key=key or f"hold:{ids.new_id().hex}", credits=credits, expires_at=expires_at
    )


def a_settle(hold: Hold, credits: int = CHARGED) -> Settle:  # noqa: A002
    return Settle(key=f"{hold.key}:settle", hold_key=hold.key, credits=credits)


def run(url: str, work: Callable[[Combiner], Awaitable[Result]]) -> Result:
    """Run the work with a combiner of its own."""

    async def whole() -> Result:
        writes = Writes(url, role=Role.SYSTEM)
        combiner = Combiner(writes)
        try:
            return await work(combiner)
        finally:
            await combiner.close()
            await writes.close()

    return asyncio.run(whole())


async def answers(
    combiner: Combiner, organization_id: UUID, requests: Iterable[Hold | Settle]
) -> list[Posted | VexxyError]:
    """Ask for all of them at the same moment."""

    async def one(request: Hold | Settle) -> Posted | VexxyError:
        try:
            return await combiner.spend(organization_id, request)
        except VexxyError as error:
            return error

    return list(await asyncio.gather(*map(one, requests)))


def record(system: Database, organization_id: UUID) -> list[Posted]:
    """Return the whole record of an organization, checked row by row.

    Without gaps, chained, each transaction and all accounts sum to zero, holds end once,
    nothing was ever overdrawn, and the projections say what the entries add up to.
    """
    columns = repository.EVENT_COLUMNS
    named = {"id": organization_id}
    with system.transaction() as session:
        # One view: what a killed process sent may still be on its way to its commit.
        session.execute(text("set transaction isolation level repeatable read"))
        rows = [
            repository.posted_of(row)
            for row in session.execute(
                text(
                    f"select {columns} from billing_events"  # noqa: S608
                    " where organization_id = :id order by sequence"
                ),
                named,
            )
        ]
        account = session.execute(
            text("select * from credit_accounts where organization_id = :id"), named
        ).one()
        shown = session.scalars(
            text("select credit_balance from organizations where id = :id"), named
        ).one()
        lots = session.execute(
            text(
                "select coalesce(sum(available_credits), 0)::bigint,"
                " coalesce(sum(held_credits), 0)::bigint from credit_lots"
                " where organization_id = :id"
            ),
            named,
        ).one()
    totals = dict.fromkeys(Account, 0)
    link = chain.START
    for number, row in enumerate(rows, 1):
        assert row.sequence == number
        assert chain.holds(link, row)
        link = row.chain
        assert sum(entry.credits for entry in row.entries) == 0
        for entry in row.entries:
            totals[entry.account] += entry.credits
        assert totals[Account.AVAILABLE] >= 0
        assert totals[Account.HELD] >= 0
    resolved = [row.resolves for row in rows if row.resolves is not None]
    assert len(resolved) == len(set(resolved))
    assert {kind: getattr(account, f"{kind}_credits") for kind in Account} == totals
    assert (account.sequence, bytes(account.chain)) == (len(rows), link)
    assert shown == totals[Account.AVAILABLE]
    assert tuple(lots) == (totals[Account.AVAILABLE], totals[Account.HELD])
    return rows
