"""Many at once on a real PostgreSQL: no overdraft, no lost credit, no deadlock."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import text

from tests import service_values
from tests.billing.ledger.values import HOUR, NOW, a_grant, a_hold, a_settle
from vexxy.billing.ledger import service
from vexxy.billing.ledger.checks import service as checks
from vexxy.billing.ledger.errors import HoldResolved, InsufficientCredits
from vexxy.billing.ledger.types import Kind, Posted, Release, Request
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import VexxyError

CLIENTS = 64
Answer = Posted | VexxyError


@pytest.fixture(scope="module")
def database(database_url: str) -> Iterator[Database]:
    """As many connections as PostgreSQL has places for; the rest wait for one."""
    made = Database(database_url, role=Role.WORKER, connections=32)
    yield made
    made.close()


@pytest.fixture
def organization_id(db_system: Database) -> UUID:
    return service_values.an_organization(db_system)


def at_once(acts: Sequence[Callable[[], list[Answer]]]) -> list[list[Answer]]:
    """Do all of it, each in a thread of its own, from one moment on."""
    start = threading.Barrier(len(acts))

    def act(one: Callable[[], list[Answer]]) -> list[Answer]:
        start.wait()
        return one()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def asks(
    database: Database, organization_id: UUID, *requests: Request
) -> Callable[[], list[Answer]]:
    """Return what asks for these, each in a transaction of its own."""

    def ask() -> list[Answer]:
        answers: list[Answer] = []
        for request in requests:
            with database.transaction(organization_id) as session:
                answers += service.post(session, organization_id, [request], now=NOW + HOUR)
        return answers

    return ask


def granted(database: Database, organization_id: UUID, *requests: Request) -> None:
    with database.transaction(organization_id) as session:
        for request in requests:
            service.post_one(session, organization_id, request, now=NOW)


def left(database: Database, organization_id: UUID) -> tuple[int, int]:
    with database.transaction(organization_id) as session:
        found = service.balance(session, organization_id, now=NOW + HOUR)
    return found.available_credits, found.held_credits


def sound(system: Database, organization_id: UUID) -> None:
    assert checks.check(system, organization_id, now=NOW + HOUR).differences == []


def test_64_clients_spend_one_balance_to_the_credit(
    database: Database, db_system: Database, organization_id: UUID
) -> None:
    """Goal: exactly as many get through as there are credits for (fault 14)."""
    granted(database, organization_id, a_grant(60), a_grant(40, expires_at=NOW + 9 * HOUR))
    clients = []
    for _ in range(CLIENTS):
        hold = a_hold(7, expires_at=NOW + 2 * HOUR)
        clients.append(asks(database, organization_id, hold, a_settle(hold, 5)))
    answers = at_once(clients)
    passed = [settled for held, settled in answers if isinstance(held, Posted)]
    refused = [held for held, _ in answers if isinstance(held, InsufficientCredits)]
    assert len(passed) + len(refused) == CLIENTS
    assert all(isinstance(settled, Posted) for settled in passed)
    available, held_credits = left(database, organization_id)
    assert available == 100 - 5 * len(passed)
    assert held_credits == 0
    # A hold is refused only where fewer than 7 were left to hold; others came back later.
    assert 100 // 7 <= len(passed) <= 100 // 5
    sound(db_system, organization_id)


def test_a_hold_that_several_end_at_once_ends_once(
    database: Database, db_system: Database, organization_id: UUID
) -> None:
    holds = [a_hold(3, expires_at=NOW + HOUR) for _ in range(8)]
    granted(database, organization_id, a_grant(100), *holds)
    acts = []
    for hold in holds:
        for number in range(2):
            charge = a_settle(hold, 2)
            endings: list[Request] = [
                charge if number else a_settle(hold, 2),
                Release(key=f"{hold.key}-void-{number}", hold_key=hold.key),
                Release(key=f"{hold.key}-over-{number}", hold_key=hold.key, expired=True),
            ]
            acts += [asks(database, organization_id, ending) for ending in endings]
    answers = [answer for found in at_once(acts) for answer in found]
    # Both settlements of a hold have one key: the second is told of the first.
    ended = {answer.id: answer for answer in answers if isinstance(answer, Posted)}
    assert len(ended) == len(holds)
    assert all(isinstance(answer, Posted | HoldResolved) for answer in answers)
    charged = sum(one.kind is Kind.SETTLE for one in ended.values())
    assert left(database, organization_id) == (100 - 2 * charged, 0)
    sound(db_system, organization_id)


def test_one_key_at_once_is_one_transaction(
    database: Database, db_system: Database, organization_id: UUID
) -> None:
    grant = a_grant(50)
    answers = at_once([asks(database, organization_id, grant) for _ in range(16)])
    assert len({found[0].id for found in answers if isinstance(found[0], Posted)}) == 1
    assert left(database, organization_id) == (50, 0)
    sound(db_system, organization_id)


def test_the_first_spends_of_an_organization_open_one_account(
    database: Database, db_system: Database, organization_id: UUID
) -> None:
    """Nothing to lock is there yet when they arrive."""
    with db_system.transaction() as session:
        query = text("select count(*) from credit_accounts where organization_id = :id")
        assert session.scalar(query, {"id": organization_id}) == 0
    hold = {"expires_at": NOW + 2 * HOUR, "unlimited": True}
    acts = [asks(database, organization_id, a_hold(1, **hold)) for _ in range(16)]
    found = at_once(acts)
    sequences = [one[0].sequence for one in found if isinstance(one[0], Posted)]
    assert sorted(sequences) == list(range(1, 17))
    sound(db_system, organization_id)


def test_many_organizations_do_not_wait_for_each_other(
    database: Database, db_system: Database
) -> None:
    """Goal: what one spends is never charged to another."""
    homes = [service_values.an_organization(db_system) for _ in range(8)]
    acts = []
    for number, home in enumerate(homes):
        granted(database, home, a_grant(100 + number))
        for _ in range(4):
            hold = a_hold(10, expires_at=NOW + 2 * HOUR)
            acts.append(asks(database, home, hold, a_settle(hold, number)))
    kinds = Counter(type(answer) for found in at_once(acts) for answer in found)
    assert kinds == {Posted: 2 * len(acts)}
    for number, home in enumerate(homes):
        assert left(database, home) == (100 + number - 4 * number, 0)
        sound(db_system, home)
