"""Marks ended jobs done, as many as wait in one commit.

A durable commit costs what the disk costs. Whoever did a job need not wait for it: until
the end is written the lease is kept, and if it never is, the job is done once more, just
as if its worker had died a moment sooner.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from vexxy.jobs.repository import leases
from vexxy.kit import logging
from vexxy.kit.db import Database
from vexxy.worker.attempt import Attempt
from vexxy.worker.line import Line, QueueUnreachable

# Ended attempts that may wait in a process; then whoever ends another waits as well.
WAITING_MAX: Final = 64
# How long ends are kept for a database that went away.
SETTLE_SECONDS: Final = 120.0
SETTLE_AGAIN_SECONDS: Final = 0.5

log = logging.logger(__name__)


class Settler:
    """A thread that writes the ends of a process's jobs.

    Args:
        database: Of the SYSTEM role.
        settled: Told of each, and whether it is done; False when the lease was lost or
            somebody cancelled it.
        lost: Told of each whose end could not be written; its lease has to run out, so
            that the job is done once more.
    """

    def __init__(
        self,
        database: Database,
        settled: Callable[[Line, Attempt, bool], None],
        *,
        lost: Callable[[Attempt], None],
    ) -> None:
        self._line = Line(database)
        self._settled = settled
        self._lost = lost
        self._waiting: list[Attempt] = []
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="settler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, attempt: Attempt) -> None:
        """Have the attempt's job marked done; wait only if many others wait."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < WAITING_MAX)
            self._waiting.append(attempt)
            self._changed.notify_all()

    def close(self) -> None:
        """Write what waits, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        self._line.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting) or self._stopping)
                ended, self._waiting = self._waiting, []
                self._changed.notify_all()
            if not ended:
                return
            self._write(ended)

    def _write(self, ended: Sequence[Attempt]) -> None:
        jobs = [attempt.job for attempt in ended]
        ends = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                done = self._line.run(lambda it: leases.finish_all(it, jobs))
            except QueueUnreachable:
                if time.monotonic() > ends:
                    log.exception("job.ends_lost", jobs=len(jobs))
                    for attempt in ended:
                        self._lost(attempt)
                    return
                time.sleep(SETTLE_AGAIN_SECONDS)
            else:
                break
        for attempt in ended:
            self._settled(self._line, attempt, attempt.job.job_id in done)
