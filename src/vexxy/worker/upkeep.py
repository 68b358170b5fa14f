"""What somebody has to do for the queue: sweeps of lost leases, periodic work.

Any number of processes may do it at once: each step is one conditional statement.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from vexxy.jobs import service as jobs
from vexxy.jobs.repository import leases
from vexxy.kit import logging
from vexxy.worker import schedule
from vexxy.worker.line import Line, QueueUnreachable
from vexxy.worker.schedule import Periodic
from vexxy.worker.station import Station

STEP_SECONDS: Final = 1.0
PRUNE_SECONDS: Final = 600.0
KEPT_DAYS: Final = 7
KEPT_FAILED_DAYS: Final = 90

log = logging.logger(__name__)


class Upkeep:
    """A thread that keeps the queue in order."""

    def __init__(
        self, station: Station, *, periodic: Sequence[Periodic] = schedule.PERIODIC
    ) -> None:
        self._station = station
        self._periodic = periodic
        self._line = Line(station.system)
        self._stop = threading.Event()
        self._pruned = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        self._line.close()

    def step(self) -> None:
        """Do what is due.

        Raises:
            QueueUnreachable: The database is away; the next step does it.
        """
        lease_seconds = self._station.lease_seconds
        swept = self._line.run(lambda it: leases.sweep(it, lease_seconds=lease_seconds))
        if swept.requeued or swept.failed or swept.cancelled:
            log.warning(
                "jobs.swept",
                requeued=swept.requeued,
                failed=swept.failed,
                cancelled=swept.cancelled,
            )
        for periodic in self._periodic:
            self._take(periodic)
        if time.monotonic() - self._pruned > PRUNE_SECONDS:
            self._pruned = time.monotonic()
            self._line.run(_prune)

    def _take(self, periodic: Periodic) -> None:
        try:
            with self._station.system.transaction() as session:
                if jobs.take_turn(
                    session, periodic.name, every_seconds=periodic.every_seconds
                ):
                    periodic.act(session)
        except Exception as error:
            log.warning("schedule.failed", name=periodic.name, exc_info=error)

    def _run(self) -> None:
        while not self._stop.wait(STEP_SECONDS):
            try:
                self.step()
            except QueueUnreachable:
                log.warning("upkeep.database_unreachable")


_prune: Callable[..., object] = lambda it: leases.prune(  # noqa: E731  an operation
    it, days=KEPT_DAYS, failed_days=KEPT_FAILED_DAYS
)
