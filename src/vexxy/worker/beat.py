"""Beside Celery's workers: sends the messages of committed jobs, and keeps the queue.

The outbox is the jobs table itself. A message is sent before that is noted, so that a
crash in between sends twice and never not at all; and a job that nobody took is announced
again, so that it does not matter what became of its message. Several may run at once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from vexxy.jobs.repository import leases
from vexxy.jobs.types import LEASE_SECONDS_DEFAULT, Announced
from vexxy.kit import logging
from vexxy.worker import celery_app, schedule
from vexxy.worker.line import Line, QueueUnreachable
from vexxy.worker.schedule import Periodic
from vexxy.worker.station import Station
from vexxy.worker.upkeep import Upkeep
from vexxy.worker.wake import Listener, Wake

LOOK_SECONDS: Final = 0.5
BATCH_MAX: Final = 500
# Once more for a job that nobody took in the time, a few at a time.
AGAIN_SECONDS: Final = 30.0
AGAIN_LOOK_SECONDS: Final = 5.0
AGAIN_MAX: Final = 100
AWAY_SECONDS: Final = 1.0
# Kombu wraps only what fails while it connects.
BROKER_AWAY: Final = (OperationalError, RedisError, OSError)

log = logging.logger(__name__)


class Beat:
    """A process that runs no job itself.

    Args:
        url: Of the database.
        app: From `celery_app.make`.
        lease_seconds: Of the workers.
        again_seconds: When a job that nobody took is announced once more.
        periodic: What it does again and again.
    """

    def __init__(
        self,
        url: str,
        app: Celery,
        *,
        lease_seconds: int = LEASE_SECONDS_DEFAULT,
        again_seconds: float = AGAIN_SECONDS,
        periodic: Sequence[Periodic] = schedule.PERIODIC,
    ) -> None:
        self._app = app
        self._again_seconds = again_seconds
        self._looked_again = 0.0
        self._station = Station(
            url, {}, lease_seconds=lease_seconds, detail={"broker": "beat"}
        )
        self._line = Line(self._station.system)
        self._wake = Wake(1)
        self._listener = Listener(self._station.system, self._wake)
        self._upkeep = Upkeep(self._station, periodic=periodic)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._listener.start()
        self._upkeep.start()
        self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()
        self._wake.ring_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=10)
        self._upkeep.close()
        self._listener.close()
        self._line.close()
        self._station.release()

    def step(self) -> int:
        """Announce what is due; return how many messages were sent.

        Raises:
            QueueUnreachable: The database is away.
            OperationalError: The broker is away; what was sent may be sent again.
        """
        sent = self._announce(lambda it: leases.list_unannounced(it, limit=BATCH_MAX))
        if time.monotonic() - self._looked_again > AGAIN_LOOK_SECONDS:
            self._looked_again = time.monotonic()
            sent += self._announce(
                lambda it: leases.list_overdue(
                    it, again_seconds=self._again_seconds, limit=AGAIN_MAX
                )
            )
        return sent

    def _announce(self, find: Callable[..., Sequence[Announced]]) -> int:
        found = self._line.run(find)
        if found:
            with self._app.producer_or_acquire() as producer:
                for one in found:
                    celery_app.announce(self._app, producer, str(one.job_id))
            self._line.run(lambda it: leases.mark_announced(it, found))
        return len(found)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.step() == 0:
                    self._wake.wait(LOOK_SECONDS)
            except QueueUnreachable:
                log.warning("beat.database_unreachable")
                self._stop.wait(AWAY_SECONDS)
            except BROKER_AWAY:
                log.warning("beat.broker_unreachable")
                self._stop.wait(AWAY_SECONDS)
