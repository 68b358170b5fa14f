"""What an analysis is charged for: what ran, from its start to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from tests.analysis.desk import Desk
from tests.analysis.test_money import Work
from tests.fakes.values import a_result
from vexxy.billing.types import Tier
from vexxy.kit import clock
from vexxy.kit.db import Database


@pytest.fixture
def work(db_system: Database, db_request: Database, db_worker: Database) -> Work:
    return Work(Desk(db_system, db_request, tier=Tier.PROFESSIONAL), db_worker, db_system)


@dataclass
class Clock:
    """Time that passes when a test says so."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(clock.instant())
    monkeypatch.setattr(clock, "instant", made)
    return made


def begun(work: Work, time: Clock, **config: object) -> UUID:
    """Submit an analysis that waits an hour until it begins."""
    analysis = work.desk.submit(**config).job_id
    time.now += timedelta(hours=1)
    assert work.begin(analysis)
    work.observe(analysis)
    return analysis


@pytest.mark.parametrize(
    ("minutes", "price"), [(0, 13), (4, 13), (5, 14), (14, 15), (15, 16)]
)
def test_time_counts_from_the_start_and_not_from_the_submission(
    work: Work, time: Clock, minutes: int, price: int
) -> None:
    analysis = begun(work, time)
    time.now += timedelta(minutes=minutes, seconds=1)
    assert work.complete(analysis) == price


@pytest.mark.parametrize(
    ("asked", "happened", "price"),
    [
        # Asked for and skipped: no port, no scanner, no time for it.
        ({"enable_fuzzing": True}, {"fuzzed": False}, 13),
        ({"enable_fuzzing": True}, {"fuzzed": True}, 18),
        ({"enable_code_coverage": True}, {"skipped_features": ("code_coverage",)}, 13),
        ({"enable_code_coverage": True}, {}, 20),
        ({"enable_profiling": False, "enable_code_coverage": True}, {}, 10),
    ],
)
def test_only_what_really_ran_has_a_price(
    work: Work,
    time: Clock,
    asked: Mapping[str, object],
    happened: Mapping[str, object],
    price: int,
) -> None:
    analysis = begun(work, time, config=dict(asked))
    before = work.till.balance()
    assert work.complete(analysis, a_result(**happened)) == price
    owned = sum(before) - price
    assert work.till.balance() == (owned, 0)
