"""What a fault in a thread of a worker becomes."""

import subprocess
import sys

from vexxy.jobs import service
from vexxy.jobs.types import NewJob
from vexxy.kit.db import Database
from vexxy.worker import faults
from vexxy.worker.schedule import Periodic
from vexxy.worker.station import Station
from vexxy.worker.upkeep import Upkeep

PROGRAM = """
import threading
from vexxy.worker import faults

def fail():
    raise KeyError("a bug")

faults.end_with_any_thread()
threading.Thread(target=fail).start()
threading.Event().wait(60)
"""


def test_a_thread_that_fails_takes_its_process_with_it() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert ended.returncode == faults.FAULT_EXIT
    assert "worker.thread_failed" in ended.stdout + ended.stderr


def test_an_act_that_fails_keeps_no_other_from_being_done(
    database_url: str, db_system: Database
) -> None:
    def fail(_: object) -> None:
        raise KeyError("a bug")

    def enqueue(session: object) -> None:
        service.enqueue(session, NewJob("after", None, {}))  # type: ignore[arg-type]

    station = Station(database_url, {})
    acts = (Periodic("fails", 3600, fail), Periodic("works", 3600, enqueue))
    upkeep = Upkeep(station, periodic=acts)
    upkeep.step()
    upkeep.close()
    station.release()
    with db_system.transaction() as session:
        assert "after" in {depth.kind for depth in service.depths(session)}
