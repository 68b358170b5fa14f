"""What time ends, ended once, whoever is faster."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import service_values
from tests.billing.ledger.values import DAY, HOUR, NOW, a_grant, a_hold, a_settle
from vexxy.billing.ledger import service
from vexxy.billing.ledger.errors import HoldResolved
from vexxy.billing.ledger.sweeps import repository
from vexxy.billing.ledger.sweeps import service as sweeps
from vexxy.billing.ledger.types import Kind, Posted, Request
from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable


@pytest.fixture
def organization_id(db_system: Database) -> UUID:
    with db_system.transaction() as session:
        session.execute(text("delete from ledger_marks"))
    return service_values.an_organization(db_system)


def post(database: Database, organization_id: UUID, *requests: Request) -> None:
    with database.transaction(organization_id) as session:
        for request in requests:
            service.post_one(session, organization_id, request, now=NOW)


def kinds(database: Database, organization_id: UUID) -> list[str]:
    query = "select kind from billing_events where organization_id = :id order by sequence"
    with database.transaction() as session:
        return list(session.scalars(text(query), {"id": organization_id}))


def test_a_lapsed_hold_gives_its_credits_back_once(
    db_system: Database, organization_id: UUID
) -> None:
    post(db_system, organization_id, a_grant(100), a_hold(30), a_hold(5))
    assert sweeps.sweep(db_system, now=NOW).holds == 0
    assert sweeps.sweep(db_system, now=NOW + HOUR).holds == 2
    assert sweeps.sweep(db_system, now=NOW + HOUR).holds == 0
    assert kinds(db_system, organization_id)[-2:] == [Kind.EXPIRE_HOLD, Kind.EXPIRE_HOLD]
    with db_system.transaction() as session:
        assert service.balance(session, organization_id).available_credits == 100


def test_an_organization_that_is_busy_for_long_ends_the_sweep_of_no_other(
    db_system: Database, organization_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = organization_id
    others = [service_values.an_organization(db_system) for _ in range(3)]
    for one in (busy, *others):
        post(db_system, one, a_grant(100), a_hold(30), a_grant(7, expires_at=NOW + HOUR))
    book, expire_lots = service.book, service.expire_lots

    def refuse(act: Any) -> Any:  # noqa: ANN401  two functions of the ledger
        def acted(session: Session, one: UUID, *given: Any, **named: Any) -> Any:  # noqa: ANN401
            if one == busy:
                raise Unavailable("the database is busy")
            return act(session, one, *given, **named)

        return acted

    monkeypatch.setattr(service, "book", refuse(book))
    monkeypatch.setattr(service, "expire_lots", refuse(expire_lots))
    assert sweeps.sweep(db_system, now=NOW + HOUR).holds == 3
    monkeypatch.undo()
    assert kinds(db_system, busy).count(Kind.EXPIRE_HOLD) == 0
    # And the next sweep finds it again, though the mark went on.
    assert sweeps.sweep(db_system, now=NOW + HOUR).holds == 1
    assert kinds(db_system, busy).count(Kind.EXPIRE_LOT) == 1


def test_what_a_hold_gives_back_to_a_lot_that_is_over_is_lost_with_it(
    db_system: Database, organization_id: UUID
) -> None:
    lapsing = a_grant(100, expires_at=NOW + HOUR / 2)
    post(db_system, organization_id, lapsing, a_hold(30))
    swept = sweeps.sweep(db_system, now=NOW + 2 * HOUR)
    assert swept.holds == 1
    # What nobody held was lost when the hold ended, before the lots were looked for.
    assert kinds(db_system, organization_id)[2:] == [
        Kind.EXPIRE_LOT,
        Kind.EXPIRE_HOLD,
        Kind.EXPIRE_LOT,
    ]
    with db_system.transaction() as session:
        assert service.balance(session, organization_id).available_credits == 0


def test_a_lot_that_is_over_is_booked_without_any_request(
    db_system: Database, organization_id: UUID
) -> None:
    post(db_system, organization_id, a_grant(7, expires_at=NOW + HOUR))
    assert (
        sweeps.sweep(db_system, now=NOW + HOUR - timedelta(microseconds=1)).organizations
        == 0
    )
    assert sweeps.sweep(db_system, now=NOW + HOUR).organizations == 1
    assert sweeps.sweep(db_system, now=NOW + HOUR).organizations == 0
    assert kinds(db_system, organization_id) == [Kind.GRANT, Kind.EXPIRE_LOT]


def test_more_than_a_page_is_swept_in_pages(
    db_system: Database, organization_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "PAGE", 3)
    same = [a_hold(1) for _ in range(7)]
    others = [a_hold(1, expires_at=NOW + HOUR + timedelta(seconds=n)) for n in range(1, 5)]
    post(db_system, organization_id, a_grant(100), *same, *others)
    assert sweeps.sweep(db_system, now=NOW + 2 * HOUR).holds == 11


def test_a_hold_that_was_committed_late_is_found_behind_the_mark(
    db_system: Database, organization_id: UUID
) -> None:
    post(db_system, organization_id, a_grant(100))
    sweeps.sweep(db_system, now=NOW + 2 * HOUR)
    late = a_hold(5, expires_at=NOW + 2 * HOUR - repository.OVERLAP / 2)
    post(db_system, organization_id, late)
    assert sweeps.sweep(db_system, now=NOW + 2 * HOUR).holds == 1


def test_the_mark_keeps_what_is_long_over_out_of_a_sweep(
    db_system: Database, organization_id: UUID
) -> None:
    post(db_system, organization_id, a_grant(100), a_hold(5))
    with db_system.transaction() as session:
        repository.mark_holds(session, NOW + DAY)
        repository.mark_holds(session, NOW)
        due = repository.list_due_holds(session, now=NOW + 2 * DAY, limit=9)
    assert due == []


def test_sweeps_at_once_and_a_settlement_end_each_hold_once(
    db_system: Database,
    db_worker: Database,
    organization_id: UUID,
    *,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Goal: exactly one end of each hold, and nobody is told of a deadlock."""
    monkeypatch.setattr(sweeps, "PAGE", 3)
    holds = [a_hold(2) for _ in range(30)]
    post(db_system, organization_id, a_grant(60), *holds)
    start = threading.Barrier(4)

    def sweep() -> None:
        start.wait()
        sweeps.sweep(db_system, now=NOW + HOUR)

    def settle() -> int:
        start.wait()
        settled = 0
        for hold in reversed(holds):
            with db_worker.transaction(organization_id) as session:
                request = a_settle(hold, 1)
                (answer,) = service.post(
                    session, organization_id, [request], now=NOW + HOUR
                )
            if isinstance(answer, HoldResolved):
                assert answer.resolution == "expired"
            else:
                assert isinstance(answer, Posted), answer
                settled += 1
        return settled

    with ThreadPoolExecutor(4) as pool:
        swept = [pool.submit(sweep) for _ in range(3)]
        settled = pool.submit(settle)
        for one in swept:
            one.result()
    ends = Counter(kinds(db_system, organization_id))
    assert ends[Kind.SETTLE] == settled.result()
    assert ends[Kind.SETTLE] + ends[Kind.EXPIRE_HOLD] == len(holds)
    with db_system.transaction() as session:
        left = service.balance(session, organization_id, now=NOW + HOUR)
    assert left.available_credits == 60 - settled.result()
    assert left.held_credits == 0
