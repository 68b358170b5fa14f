"""Batches that wait at the same moment share a commit, and nothing else."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests import service_values
from tests.billing.usage.values import TODAY, an_event
from vexxy.audit import types as audit
from vexxy.billing.usage import rules, service
from vexxy.billing.usage.lanes import EVENTS_MAX, Lanes, Report
from vexxy.billing.usage.types import Batch, Days, Event, Recorded, Source
from vexxy.kit.db import Database
from vexxy.kit.errors import VexxyError

ACTOR = audit.system("meter")


def a_report(events: Sequence[Event]) -> Report:
    return Report(rules.batch(events), ACTOR)


class Noted:
    """Counts the commits of each organization."""

    def __init__(self) -> None:
        self.commits: list[UUID] = []

    def __call__(self, session: Session, organization_id: UUID) -> None:
        self.commits.append(organization_id)


def told_at_once(
    lanes: Lanes, reports: Sequence[tuple[UUID, Report]]
) -> list[Recorded | BaseException]:
    async def tell() -> list[Recorded | BaseException]:
        waiting = [
            lanes.record(home, report, source=Source.API) for home, report in reports
        ]
        return await asyncio.gather(*waiting, return_exceptions=True)

    return asyncio.run(tell())


def test_waiting_batches_share_a_commit_and_each_hears_of_its_own(
    db_system: Database, db_request: Database
) -> None:
    noted = Noted()
    lanes = Lanes(db_request, noted=noted)
    home, other = (service_values.an_organization(db_system) for _ in range(2))
    reports = [
        (home if number % 2 else other, a_report([an_event(f"e{number}"), an_event("x")]))
        for number in range(40)
    ]
    found = told_at_once(lanes, reports)
    assert sum(one.accepted for one in found if isinstance(one, Recorded)) == 40 + 2
    assert sum(one.duplicates for one in found if isinstance(one, Recorded)) == 40 - 2
    assert set(noted.commits) == {home, other}
    assert len(noted.commits) < 40, "nobody shared"
    with db_system.transaction() as session:
        acts = session.execute(
            text(
                "select (after_state ->> 'accepted')::int, count(*) from billing_audit_log"
                " where action = 'usage.reported' group by 1 order by 1"
            )
        ).all()
        for one in (home, other):
            days = Days(one, TODAY, TODAY.replace(day=TODAY.day + 1))
            assert service.check(session, days) == []
    assert [tuple(row) for row in acts] == [(1, 38), (2, 2)], "an act for each of them"


def test_a_batch_that_the_database_refuses_takes_no_other_with_it(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    lanes = Lanes(db_request, noted=Noted())
    fine = [a_report([an_event(f"e{number}")]) for number in range(5)]
    bad = rules.batch([an_event("bad")])
    broken = Batch(*(getattr(bad, name) for name in Batch.__slots__[:-1]), ["{"])
    reports = [(home, report) for report in [*fine, Report(broken, ACTOR), *fine[:1]]]
    found = told_at_once(lanes, reports)
    failed = [one for one in found if isinstance(one, BaseException)]
    assert len(failed) == 1
    assert found.index(failed[0]) == 5
    assert [one.accepted for one in found if isinstance(one, Recorded)] == [1] * 5 + [0]


def test_an_organization_that_is_not_there_stores_nothing(db_request: Database) -> None:
    lanes = Lanes(db_request, noted=Noted())
    nobody = uuid4()
    (found,) = told_at_once(lanes, [(nobody, a_report([an_event("a")]))])
    assert isinstance(found, Exception)
    with db_request.transaction(nobody) as session:
        query = text("select count(*) from billing_usage_events")
        assert session.execute(query).scalar_one() == 0


def test_a_commit_stays_bounded(db_system: Database, db_request: Database) -> None:
    noted = Noted()
    home = service_values.an_organization(db_system)
    size = EVENTS_MAX // 4 + 1
    reports = [
        (home, a_report([an_event(f"{turn}-{n}") for n in range(size)]))
        for turn in range(5)
    ]
    found = told_at_once(Lanes(db_request, noted=noted), reports)
    assert sum(one.accepted for one in found if isinstance(one, Recorded)) == 5 * size
    assert len(noted.commits) == 2, "three of them fit into one commit, not four"


def test_who_hung_up_keeps_nobody_waiting(
    db_system: Database, db_request: Database
) -> None:
    home = service_values.an_organization(db_system)
    lanes = Lanes(db_request, noted=Noted())

    async def tell() -> Recorded:
        gone = asyncio.create_task(
            lanes.record(home, a_report([an_event("gone")]), source=Source.API)
        )
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        stays = a_report([an_event("stays"), an_event("gone")])
        return await lanes.record(home, stays, source=Source.API)

    found = asyncio.run(tell())
    assert (found.accepted, found.duplicates) == (1, 1), "what was sent counts once"
    assert not isinstance(found, VexxyError)
