"""Workers without a broker: threads of one process that take jobs by themselves."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from vexxy.jobs.types import LEASE_SECONDS_DEFAULT, Scalar
from vexxy.kit import logging
from vexxy.worker import schedule
from vexxy.worker.line import Line, QueueUnreachable
from vexxy.worker.schedule import Periodic
from vexxy.worker.station import Station
from vexxy.worker.upkeep import Upkeep
from vexxy.worker.wake import Listener, Wake
from vexxy.worker.work import Work

# Also the precision with which retries and planned jobs begin.
LOOK_SECONDS: Final = 1.0
STOP_SECONDS: Final = 10.0

log = logging.logger(__name__)


class Loop:
    """Takes jobs until it is stopped.

    Args:
        url: Of the database.
        works: What can be done here, by kind.
        threads: How many jobs at once.
        lease_seconds: How soon the jobs of a lost worker are taken by another.
        upkeep: Whether to do the periodic work and the sweeps as well.
        periodic: The periodic work.
        probe: Tells what this worker can do, for whoever asks; called now and then.
    """

    def __init__(
        self,
        url: str,
        works: Mapping[str, Work],
        *,
        threads: int = 2,
        lease_seconds: int = LEASE_SECONDS_DEFAULT,
        upkeep: bool = True,
        periodic: Sequence[Periodic] = schedule.PERIODIC,
        probe: Callable[[], Mapping[str, Scalar]] | None = None,
    ) -> None:
        self._station = Station(
            url,
            works,
            # Each thread's own, and one a thread for what a job of ours does with SYSTEM;
            # the listener, the keeper, the settler, the upkeep.
            connections=2 * threads + 5,
            lease_seconds=lease_seconds,
            detail={"concurrency": threads, "broker": "none"},
            probe=probe,
        )
        self._wake = Wake(threads)
        self._listener = Listener(self._station.system, self._wake)
        self._upkeep = Upkeep(self._station, periodic=periodic) if upkeep else None
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"worker-{number}", daemon=True)
            for number in range(threads)
        ]

    @property
    def name(self) -> str:
        """The worker's name."""
        return self._station.name

    def start(self) -> None:
        """Begin to take jobs."""
        self._station.start()
        self._listener.start()
        for thread in self._threads:
            thread.start()
        if self._upkeep is not None:
            self._upkeep.start()
        log.info("worker.started", worker=self.name, concurrency=len(self._threads))

    def close(self) -> None:
        """Give running jobs back to the queue and end, in about ten seconds at most."""
        self._stop.set()
        self._wake.ring_all()
        if self._upkeep is not None:
            self._upkeep.close()
        self._station.keeper.stop_attempts()
        ends = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(timeout=max(0.0, ends - time.monotonic()))
        self._listener.close()
        self._station.close()
        log.info("worker.stopped", worker=self.name)

    def _work(self) -> None:
        line = Line(self._station.system)
        while not self._stop.is_set():
            try:
                ran = self._station.run_next(line)
            except QueueUnreachable:
                self._stop.wait(LOOK_SECONDS)
                continue
            if not ran:
                self._wake.wait(LOOK_SECONDS)
        line.close()
