"""What becomes of ends that cannot be written."""

import threading
from datetime import UTC, datetime

import pytest

from vexxy.jobs.types import Lease
from vexxy.kit import ids
from vexxy.kit.db import Database, Role
from vexxy.worker import settling
from vexxy.worker.attempt import Attempt
from vexxy.worker.settling import Settler

NOWHERE = "postgresql://vexxy@127.0.0.1:1/vexxy"


def test_a_lease_is_let_go_of_when_its_end_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Goal: a job whose end was lost is done again, not held for ever."""
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0.0)
    lost: list[Attempt] = []
    told = threading.Event()

    def note(attempt: Attempt) -> None:
        lost.append(attempt)
        told.set()

    database = Database(NOWHERE, role=Role.SYSTEM, connections=1)
    settler = Settler(database, lambda *_: None, lost=note)
    settler.start()
    attempt = Attempt(_lease(), database)
    settler.add(attempt)
    assert told.wait(30)
    settler.close()
    database.close()
    assert lost == [attempt]


def _lease() -> Lease:
    return Lease(
        job_id=ids.new_id(),
        token=ids.new_id(),
        kind="noop",
        organization_id=None,
        payload={},
        attempt=1,
        max_attempts=3,
        deadline_seconds=60.0,
        deadline_at=datetime.now(UTC),
        waited_seconds=0.0,
    )
