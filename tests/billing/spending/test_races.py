"""Many spend one balance at once, some are killed, and every credit is where it belongs."""

import asyncio
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from uuid import UUID

import pytest

from tests.billing.spending import spending_process
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
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.errors import InsufficientCredits
from vexxy.billing.ledger.types import Hold, Kind, Posted, Release
from vexxy.billing.spending.service import Combiner
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.integrations.embedded_postgres.server import Server
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import Unavailable
from vexxy.migrations import service as migrations

COMBINED = 32
PLAIN = 32
CREDITS = 4_000
nursery = get_context("spawn")


async def _combined(combiner: Combiner, organization_id: UUID) -> int:
    """Spend until nothing is left; return what was charged."""
    charged = turns = 0
    while True:
        hold = a_hold()
        turns += 1
        try:
            await combiner.spend(organization_id, hold)
        except InsufficientCredits:
            return charged
        if turns % 5 == 0:
            end = Release(key=f"{hold.key}:void", hold_key=hold.key)
            await combiner.spend(organization_id, end)
            continue
        charged += (await combiner.spend(organization_id, a_settle(hold))).credits


def _plain(database: Database, organization_id: UUID) -> int:
    """Do the same, each step in a transaction of its own."""
    charged = 0
    while True:
        hold = a_hold()
        try:
            with database.transaction(organization_id) as session:
                ledger.post_one(session, organization_id, hold)
        except InsufficientCredits:
            return charged
        with database.transaction(organization_id) as session:
            charged += ledger.post_one(session, organization_id, a_settle(hold)).credits


def _all_of(organization_id: UUID, url: str) -> list[int]:
    async def work(combiner: Combiner) -> list[int]:
        return list(
            await asyncio.gather(
                *(_combined(combiner, organization_id) for _ in range(COMBINED))
            )
        )

    return run(url, work)


def test_sixty_four_clients_spend_one_balance_on_both_paths(
    database_url: str, db_system: Database
) -> None:
    """Goal: no overdraft, nothing lost, no deadlock. Method: until all of it is spent."""
    organization_id = with_credits(db_system, CREDITS)
    database = Database(database_url, role=Role.REQUEST, connections=PLAIN)
    with ThreadPoolExecutor(PLAIN + 1) as pool:
        combined = pool.submit(_all_of, organization_id, database_url)
        plain = [pool.submit(_plain, database, organization_id) for _ in range(PLAIN)]
        charged = [*combined.result(), *(one.result() for one in plain)]
    database.close()

    rows = record(db_system, organization_id)
    booked = sum(row.credits for row in rows if row.kind is Kind.SETTLE)
    assert sum(charged) == booked
    assert rows[-1].balance_after == CREDITS - booked
    # All is settled, and what is left is too little for one more.
    assert rows[-1].balance_after < PRICE
    assert min(sum(combined.result()), booked - sum(combined.result())) > 0


def test_two_processes_with_their_own_memory_agree(
    database_url: str, db_system: Database
) -> None:
    organization_id = with_credits(db_system, CREDITS)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(_all_of, organization_id, database_url) for _ in range(2)]
        charged = [sum(one.result()) for one in both]
    rows = record(db_system, organization_id)
    assert sum(row.credits for row in rows if row.kind is Kind.SETTLE) == sum(charged)
    assert CREDITS - sum(charged) == rows[-1].balance_after < PRICE
    assert min(charged) > 0


def test_organizations_are_locked_in_one_order(
    database_url: str, db_system: Database
) -> None:
    """Two combiners take the same organizations in opposite orders, again and again."""
    everybody = [with_credits(db_system, 10_000) for _ in range(8)]

    async def work(combiner: Combiner, order: list[UUID]) -> None:
        for _ in range(15):
            found = await asyncio.gather(
                *(answers(combiner, one, [a_hold(1), a_hold(1)]) for one in order)
            )
            assert all(isinstance(one, Posted) for few in found for one in few), found

    with ThreadPoolExecutor(2) as pool:
        for one in [
            pool.submit(run, database_url, lambda made, order=order: work(made, order))
            for order in (everybody, everybody[::-1])
        ]:
            one.result()
    for organization_id in everybody:
        assert len(record(db_system, organization_id)) == 2 + 2 * 15 * 2


@pytest.mark.alone
@pytest.mark.parametrize("told", [1, 40, 150])
def test_a_process_that_is_killed_leaves_nothing_half_done(
    database_url: str, db_system: Database, told: int
) -> None:
    """What it was told is so; what it was not told is so or not, and a repeat ends it."""
    organization_id = with_credits(db_system, 10**6)
    ours, theirs = nursery.Pipe(duplex=False)
    process = nursery.Process(
        target=spending_process.main, args=(database_url, organization_id, theirs)
    )
    process.start()
    theirs.close()
    said: dict[str, set[str]] = {"asks": set(), "held": set(), "settled": set()}
    while len(said["settled"]) < told:
        word, key = ours.recv()
        said[word].add(key)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    try:
        while True:
            word, key = ours.recv()
            said[word].add(key)
    except (EOFError, OSError):
        ours.close()

    before = record(db_system, organization_id)
    held = {row.key: row for row in before if row.kind is Kind.HOLD}
    settled = {row.key for row in before if row.kind is Kind.SETTLE}
    assert said["held"] <= held.keys() <= said["asks"]
    assert {f"{key}:settle" for key in said["settled"]} <= settled
    again = [a_hold(key=key) for key in said["asks"]]
    got = run(database_url, lambda one: answers(one, organization_id, again))
    assert all(isinstance(one, Posted) for one in got)
    rows = record(db_system, organization_id)
    assert rows[: len(before)] == before
    assert {row.key for row in rows if row.kind is Kind.HOLD} == said["asks"]


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="vexxy-races-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data", durable=False)
        try:
            migrations.upgrade(running.url)
            yield running
        finally:
            running.stop()


def test_a_server_that_is_killed_and_comes_back_loses_and_doubles_nothing(
    server: Server,
) -> None:
    system = Database(server.url, role=Role.SYSTEM)
    organization_id = with_credits(system, 10**6)
    system.close()
    done = threading.Semaphore(0)
    holds = [a_hold() for _ in range(600)]

    async def until_done(combiner: Combiner, request: Hold) -> Posted:
        while True:
            try:
                found = await combiner.spend(organization_id, request)
            except Unavailable:
                await asyncio.sleep(0.01)  # as a client does that is told to come back
            else:
                done.release()
                return found

    async def work(combiner: Combiner) -> list[Posted]:
        found: list[Posted] = []
        for start in range(0, len(holds), 20):
            few = [until_done(combiner, one) for one in holds[start : start + 20]]
            found += await asyncio.gather(*few)
        return found

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(run, server.url, work)
        for _ in range(2):
            for _ in range(100):
                done.acquire()
            os.kill(server.pid, signal.SIGKILL)
            while server.is_alive():
                threading.Event().wait(0.01)
            server.run()
        posted = working.result()
    rows = record(system, organization_id)
    system.close()
    assert [row for row in rows if row.kind is Kind.HOLD] == sorted(
        posted, key=lambda row: row.sequence
    )
    assert {row.key for row in posted} == {hold.key for hold in holds}
    assert CHARGED < PRICE
