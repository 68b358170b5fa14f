"""What went wrong with credits before, one test each (faults of the past, part 2.2)."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from tests import service_values
from tests.billing.ledger.values import HOUR, NOW, a_grant, a_hold, a_settle
from vexxy.billing.ledger import service
from vexxy.billing.ledger.checks import repository as checks
from vexxy.billing.ledger.errors import InsufficientCredits
from vexxy.billing.ledger.types import EventType, Kind, Posted, Request
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.kit.errors import VexxyError


@pytest.fixture
def organization_id(db_system: Database) -> UUID:
    return service_values.an_organization(db_system)


def post(
    database: Database, organization_id: UUID, *requests: Request
) -> list[Posted | VexxyError]:
    with database.transaction(organization_id) as session:
        return service.post(session, organization_id, requests, now=NOW)


def rows(database: Database, organization_id: UUID) -> Sequence[Posted]:
    with database.transaction(organization_id) as session:
        return list(checks.list_rows(session, organization_id))


def test_no_8_a_webhook_that_comes_three_times_gives_credits_once(
    db_worker: Database, organization_id: UUID
) -> None:
    bought = a_grant(100, key="stripe:evt_1", stripe_event_id="evt_1")
    for _ in range(3):
        post(db_worker, organization_id, bought)
    (only,) = rows(db_worker, organization_id)
    assert (only.event_type, only.credits_amount, only.balance_after) == (
        EventType.CREDIT_PURCHASED,
        100,
        100,
    )


def test_no_14_two_charges_of_18_never_both_pass_with_20(
    db_worker: Database, organization_id: UUID
) -> None:
    post(db_worker, organization_id, a_grant(20))
    start = threading.Barrier(2)

    def spend(_: int) -> list[Posted | VexxyError]:
        start.wait()
        return post(db_worker, organization_id, a_hold(18))

    with ThreadPoolExecutor(2) as pool:
        (one,), (other,) = pool.map(spend, range(2))
    assert {type(one), type(other)} == {Posted, InsufficientCredits}
    assert sum(row.credits_amount for row in rows(db_worker, organization_id)) == 20


def test_no_14_what_waits_in_the_queue_has_its_credits_set_aside(
    db_worker: Database, organization_id: UUID
) -> None:
    """One credit let any number of analyses into the queue."""
    post(db_worker, organization_id, a_grant(19))
    answers = post(db_worker, organization_id, *[a_hold(18) for _ in range(5)])
    assert [type(answer) for answer in answers] == [Posted] + 4 * [InsufficientCredits]


def test_no_15_a_charge_that_is_not_covered_leaves_no_trace(
    db_worker: Database, organization_id: UUID
) -> None:
    """It was billed, logged, and charged nothing."""
    post(db_worker, organization_id, a_grant(10))
    (refused,) = post(db_worker, organization_id, a_hold(18))
    assert isinstance(refused, InsufficientCredits)
    assert [row.kind for row in rows(db_worker, organization_id)] == [Kind.GRANT]


def test_no_15_a_job_that_is_delivered_again_is_charged_once_in_one_row(
    db_worker: Database, organization_id: UUID
) -> None:
    """It was charged twice, and every charge stood in two rows."""
    job = ids.new_id()
    hold = a_hold(36, expires_at=NOW + HOUR, analysis_job_id=job)
    charge = a_settle(hold, 18)
    post(db_worker, organization_id, a_grant(100), hold)
    for _ in range(2):
        post(db_worker, organization_id, hold, charge)
    recorded = rows(db_worker, organization_id)
    of_the_job = [row for row in recorded if row.analysis_job_id == job and row.event_type]
    assert [(row.credits_amount, row.balance_after) for row in of_the_job] == [(-18, 82)]
    shown = [row for row in recorded if row.event_type is not None]
    assert sum(row.credits_amount for row in shown) == shown[-1].balance_after == 82
