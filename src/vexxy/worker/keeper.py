"""Keeps the leases of a process alive, and tells attempts when to stop."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from vexxy.jobs.errors import JobCancelled, LeaseLost, WorkerStopping
from vexxy.jobs.repository import leases
from vexxy.jobs.types import Scalar
from vexxy.kit import logging
from vexxy.kit.db import Database
from vexxy.worker.attempt import Attempt
from vexxy.worker.line import Line, QueueUnreachable

WATCH_SECONDS: Final = 1.0
SEEN_SECONDS: Final = 5.0
# A thread cannot be killed. One that runs on so long after its deadline takes its
# process with it: leases run out, jobs are tried again, whoever started us does so again.
OVERRUN_SECONDS: Final = 30.0
OVERRUN_EXIT: Final = 75

log = logging.logger(__name__)


class Keeper:
    """A thread beside those that work.

    Args:
        database: Of the SYSTEM role.
        name: Of the worker.
        lease_seconds: Leases are renewed three times in this.
        detail: What is told of the worker.
        is_stopping: Whether another process wants this one to end; looked at each second.
    """

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        lease_seconds: int,
        detail: Mapping[str, Scalar],
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._line = Line(database)
        self._name = name
        self._lease_seconds = lease_seconds
        self._detail = detail
        self._is_stopping = is_stopping
        self._attempts = dict[UUID, Attempt]()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to keep."""
        self._thread.start()

    def close(self) -> None:
        """Stop keeping; leases that are still held run out."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)
        try:
            self._line.run(lambda it: leases.forget_worker(it, self._name))
        except QueueUnreachable:
            log.info("worker.left_without_goodbye", worker=self._name)
        self._line.close()

    def keep(self, attempt: Attempt) -> None:
        """Renew the attempt's lease from now on."""
        self._attempts[attempt.job.token] = attempt

    def let_go(self, attempt: Attempt) -> None:
        """Renew it no more."""
        self._attempts.pop(attempt.job.token, None)

    def held(self) -> list[Attempt]:
        """Return the attempts that are being worked on."""
        return list(self._attempts.values())

    def stop_attempts(self) -> None:
        """Ask every attempt to end, because the worker does."""
        for attempt in self.held():
            attempt.stop(WorkerStopping())

    def _run(self) -> None:
        renewed = seen = time.monotonic() - 3600
        while not self._stop.wait(WATCH_SECONDS):
            if self._is_stopping():
                self.stop_attempts()
            self._end_overrun()
            now = time.monotonic()
            try:
                if now - renewed >= self._lease_seconds / 3:
                    self._renew()
                    renewed = now
                if now - seen >= SEEN_SECONDS:
                    self._tell()
                    seen = now
                self._watch()
            except QueueUnreachable:
                renewed = seen = now - 3600
                log.warning("worker.database_unreachable", worker=self._name)

    def _renew(self) -> None:
        held = [attempt.job for attempt in self.held()]
        if held:
            self._line.run(
                lambda it: leases.renew(it, held, lease_seconds=self._lease_seconds)
            )

    def _watch(self) -> None:
        held = self.held()
        if not held:
            return
        jobs = [attempt.job for attempt in held]
        stopped = self._line.run(lambda it: leases.watch(it, jobs))
        for attempt in held:
            job_id = attempt.job.job_id
            if job_id in stopped:
                cancelled = stopped[job_id]
                attempt.stop(JobCancelled(job_id) if cancelled else LeaseLost(job_id))

    def _tell(self) -> None:
        running = len(self._attempts)
        self._line.run(
            lambda it: leases.saw_worker(
                it, self._name, running=running, detail=self._detail
            )
        )

    def _end_overrun(self) -> None:
        for attempt in self.held():
            if attempt.remaining_seconds() < -OVERRUN_SECONDS:
                log.error(
                    "worker.overrun", job_id=attempt.job.job_id, kind=attempt.job.kind
                )
                os._exit(OVERRUN_EXIT)
