"""One attempt of a job, as its handler sees it."""

import time
from datetime import datetime

from sqlalchemy.orm import Session

from vexxy.jobs.errors import DeadlinePassed, JobCancelled, LeaseLost
from vexxy.jobs.repository import leases
from vexxy.jobs.types import Lease
from vexxy.kit.db import Database
from vexxy.kit.errors import VexxyError


class Attempt:
    """Implements `JobContext`; the keeper tells it when to stop."""

    def __init__(self, lease: Lease, database: Database) -> None:
        self.job = lease
        self.database = database
        self.stopped_by: VexxyError | None = None
        self._ends = time.monotonic() + lease.deadline_seconds

    @property
    def deadline_at(self) -> datetime:
        """When this attempt has to be over."""
        return self.job.deadline_at

    def remaining_seconds(self) -> float:
        """Return how long it may still take."""
        return self._ends - time.monotonic()

    def stop(self, reason: VexxyError) -> None:
        """Ask the handler to end; the first reason stands."""
        if self.stopped_by is None:
            self.stopped_by = reason

    def cancelled(self) -> bool:
        """Return whether to stop, for whatever reason."""
        return self.stopped_by is not None or self.remaining_seconds() <= 0

    def heartbeat(self) -> None:
        """Go on only if the attempt may."""
        if self.stopped_by is not None:
            raise self.stopped_by
        if self.remaining_seconds() <= 0:
            raise DeadlinePassed(self.job.job_id)

    def finish(self, session: Session) -> None:
        """Mark the job done in the handler's own transaction."""
        connection = session.connection()
        if leases.finish(connection, self.job):
            return
        if leases.watch(connection, [self.job]).get(self.job.job_id):
            raise JobCancelled(self.job.job_id)
        raise LeaseLost(self.job.job_id)
