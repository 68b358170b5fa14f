"""What waits together is decided together, and everybody gets their own outcome."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.billing.spending.spenders import (
    CHARGED,
    PRICE,
    a_hold,
    a_settle,
    answers,
    record,
    run,
    with_credits,
)
from vexxy.audit import types as audit
from vexxy.audit.types import Act
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.errors import (
    HoldResolved,
    IdempotencyKeyReused,
    InsufficientCredits,
    NoSuchOrganization,
)
from vexxy.billing.ledger.types import Adjust, Kind, Posted, Release
from vexxy.billing.spending import repository, service
from vexxy.billing.spending.errors import OutcomeUnknown, Stopping, TooManyWaiting
from vexxy.billing.spending.service import Combiner
from vexxy.kit import ids
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import VexxyError
from vexxy.kit.writes import Connection, Lost, Writes


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("billing_events", repository.EVENT_COLUMNS),
        ("credit_accounts", repository.ACCOUNT_COLUMNS),
        ("credit_lots", (*repository.LOT_COLUMNS, "is_open")),
    ],
)
def test_rows_are_written_in_the_order_of_the_tables(
    db_system: Database, table: str, columns: Sequence[str]
) -> None:
    query = text(
        "select attname from pg_attribute where attrelid = cast(:table as regclass)"
        " and attnum > 0 and not attisdropped order by attnum"
    )
    with db_system.transaction() as session:
        assert tuple(session.scalars(query, {"table": table})) == tuple(columns)


def test_what_is_combined_is_what_the_ledger_would_have_done(
    database_url: str, db_system: Database
) -> None:
    combined, plain = with_credits(db_system, 90), with_credits(db_system, 90)
    first, second, third = a_hold(), a_hold(40), a_hold(5)
    end = Release(key="end", hold_key=second.key)
    steps = [[first, second, third], [a_settle(first), end], [a_settle(third, 5)]]

    async def work(combiner: Combiner) -> None:
        for step in steps:
            await answers(combiner, combined, step)  # type: ignore[arg-type]

    run(database_url, work)
    for step in steps:
        with db_system.transaction(plain) as session:
            ledger.post(session, plain, step)

    def said(organization_id: UUID) -> list[tuple[object, ...]]:
        rows = record(db_system, organization_id)
        lots = {row.id: row.key for row in rows}
        return [
            (
                row.kind,
                row.key,
                row.credits,
                [
                    (one.account, one.credits, one.lot_id and lots[one.lot_id])
                    for one in row.entries
                ],
                row.balance_after,
                row.resolves,
                row.event_type,
            )
            for row in rows
        ]

    assert said(combined) == said(plain)
    assert len(said(combined)) == 2 + 6


def test_a_refusal_stands_on_the_database_and_disturbs_nobody(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, 40)

    async def work(combiner: Combiner) -> list[Posted | VexxyError]:
        first = await answers(combiner, organization_id, [a_hold(20), a_hold(30)])
        # The process remembers 20; the database has more meanwhile.
        with db_system.transaction(organization_id) as session:
            gift = Adjust(key="gift", credits=15, description="a gift")
            ledger.post_one(session, organization_id, gift)
        return first + await answers(combiner, organization_id, [a_hold(30), a_hold(30)])

    taken, refused, more, again = run(database_url, work)
    assert isinstance(taken, Posted)
    assert isinstance(refused, InsufficientCredits)
    assert (refused.required_credits, refused.available_credits) == (30, 20)
    assert isinstance(more, Posted)
    assert isinstance(again, InsufficientCredits)
    record(db_system, organization_id)


def test_a_key_means_one_thing_however_often_it_is_asked(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, 100)
    hold = a_hold()
    settle = a_settle(hold)

    async def work(combiner: Combiner) -> list[list[Posted | VexxyError]]:
        return [
            await answers(combiner, organization_id, [hold, hold]),
            await answers(combiner, organization_id, [hold]),
            await answers(combiner, organization_id, [settle, settle, hold]),
            await answers(combiner, organization_id, [settle, hold]),
        ]

    held, again, settled, after = run(database_url, work)
    strangers = run(database_url, work)
    first, charge = held[0], settled[0]
    assert held == [first, first]
    assert again == [first]
    assert settled == [charge, charge, first]
    assert after == [charge, first]
    assert strangers == [held, again, settled, after]
    other = [a_hold(19, key=hold.key), a_settle(hold, 13), a_settle(a_hold(key=hold.key))]
    reused = run(database_url, lambda one: answers(one, organization_id, other))
    assert isinstance(reused[0], IdempotencyKeyReused)
    assert isinstance(reused[1], IdempotencyKeyReused)
    assert reused[2] == charge
    late = Release(key="late", hold_key=hold.key)
    (over,) = run(database_url, lambda one: answers(one, organization_id, [late]))  # type: ignore[list-item]
    assert isinstance(over, HoldResolved)
    kinds = [row.kind for row in record(db_system, organization_id)]
    assert kinds == [Kind.GRANT, Kind.GRANT, Kind.HOLD, Kind.SETTLE]


def test_credits_of_nobody_are_refused(database_url: str) -> None:
    stranger = ids.new_id()
    (answer,) = run(database_url, lambda one: answers(one, stranger, [a_hold()]))
    assert isinstance(answer, NoSuchOrganization)


def test_many_wait_and_few_commits_are_made(database_url: str, db_system: Database) -> None:
    organization_id = with_credits(db_system, 10_000)
    holds = [a_hold() for _ in range(200)]
    before = _commits(db_system, organization_id)

    async def work(combiner: Combiner) -> list[Posted | VexxyError]:
        await answers(combiner, organization_id, holds)
        return await answers(combiner, organization_id, map(a_settle, holds))

    settled = run(database_url, work)
    assert all(isinstance(one, Posted) for one in settled)
    assert len(record(db_system, organization_id)) == 2 + 400
    assert _commits(db_system, organization_id) - before <= 10


def _commits(system: Database, organization_id: UUID) -> int:
    """Return how many transactions wrote the rows of an organization."""
    query = text(
        "select count(distinct xmin::text) from billing_events where organization_id = :id"
    )
    with system.transaction() as session:
        return int(session.scalars(query, {"id": organization_id}).one())


def test_the_act_is_recorded_in_the_commit_that_performs_it(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, 20)
    hold, refused = a_hold(), a_hold()

    def act(name: str) -> Act:
        return Act(
            action="credits.held",
            actor=audit.system("test"),
            organization_id=organization_id,
            resource_type="hold",
            resource_id=name,
            after={"credits": PRICE, "words": 'a "quoted" é'},
        )

    async def work(combiner: Combiner) -> None:
        await combiner.spend(organization_id, hold, act=act("done"))
        await combiner.spend(organization_id, hold, act=act("replayed"))
        with pytest.raises(InsufficientCredits):
            await combiner.spend(organization_id, refused, act=act("refused"))

    run(database_url, work)
    query = text(
        "select resource_id, after_state from billing_audit_log where organization_id = :id"
    )
    with db_system.transaction() as session:
        found = session.execute(query, {"id": organization_id}).all()
    assert [tuple(row) for row in found] == [
        ("done", {"credits": PRICE, "words": 'a "quoted" é'})
    ]


class Breaking:
    """Connections that end right after the server has done what it was told."""

    def __init__(self, url: str) -> None:
        self._writes = Writes(url, role=Role.SYSTEM)
        self.breaks = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Breaking.Broken"]:
        async with self._writes.connection() as connection:
            yield Breaking.Broken(connection, self)

    class Broken:
        def __init__(self, connection: Connection, owner: "Breaking") -> None:
            self._connection = connection
            self._owner = owner

        async def rows(self, query: str, *values: Any) -> Sequence[Any]:  # noqa: ANN401
            found = await self._connection.rows(query, *values)
            if self._owner.breaks:
                raise Lost("the cable was cut")
            return found

        def transaction(self) -> AbstractAsyncContextManager[None]:
            return self._connection.transaction()

    async def close(self) -> None:
        await self._writes.close()


def test_an_answer_that_is_lost_is_not_taken_for_a_failure(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, 100)
    holds = [a_hold() for _ in range(3)]

    async def work() -> tuple[list[Posted | VexxyError], list[Posted | VexxyError]]:
        source = Breaking(database_url)
        combiner = Combiner(source)
        await answers(combiner, organization_id, holds[:1])
        source.breaks = True
        lost = await answers(combiner, organization_id, holds)
        source.breaks = False
        again = await answers(combiner, organization_id, holds)
        await source.close()
        return lost, again

    lost, again = asyncio.run(work())
    assert [type(one) for one in lost] == [OutcomeUnknown] * 3
    assert [one.key for one in again if isinstance(one, Posted)] == [
        hold.key for hold in holds
    ]
    rows = record(db_system, organization_id)
    assert [row.key for row in rows[2:]] == [hold.key for hold in holds]


def test_who_comes_when_too_many_wait_is_told_at_once(
    database_url: str, db_system: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    organization_id = with_credits(db_system, 1000)
    monkeypatch.setattr(service, "WAITING_MAX", 5)
    holds = [a_hold() for _ in range(8)]
    got = run(database_url, lambda one: answers(one, organization_id, holds))
    assert [type(one) for one in got] == [Posted] * 5 + [TooManyWaiting] * 3
    assert len(record(db_system, organization_id)) == 2 + 5


def test_who_waits_when_the_process_ends_is_served_and_nobody_after_them(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, 1000)

    async def work(combiner: Combiner) -> list[Posted]:
        waiting = [
            asyncio.ensure_future(combiner.spend(organization_id, a_hold()))
            for _ in range(40)
        ]
        await asyncio.sleep(0)
        await combiner.close()
        assert all(one.done() for one in waiting)
        with pytest.raises(Stopping):
            await combiner.spend(organization_id, a_hold())
        return [one.result() for one in waiting]

    assert len(run(database_url, work)) == 40
    assert len(record(db_system, organization_id)) == 2 + 40


def test_a_caller_who_leaves_takes_nobody_along(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, 100)

    async def work(combiner: Combiner) -> Posted:
        leaving = asyncio.ensure_future(combiner.spend(organization_id, a_hold()))
        staying = asyncio.ensure_future(combiner.spend(organization_id, a_hold()))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert run(database_url, work).credits == PRICE
    rows = record(db_system, organization_id)
    assert rows[-1].credits == PRICE
    assert CHARGED < PRICE
