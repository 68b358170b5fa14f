"""Takes jobs and brings each to an end, whatever its handler does."""

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final
from uuid import uuid4

from vexxy.jobs import rules
from vexxy.jobs.errors import JobCancelled, LeaseLost, WorkersLost, WorkerStopping
from vexxy.jobs.repository import leases
from vexxy.jobs.types import LEASE_SECONDS_DEFAULT, Scalar, State
from vexxy.kit import logging, metrics, tracing
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import VexxyError
from vexxy.worker import strays
from vexxy.worker.attempt import Attempt
from vexxy.worker.keeper import Keeper
from vexxy.worker.line import Line, QueueUnreachable, Result
from vexxy.worker.settling import SETTLE_AGAIN_SECONDS, SETTLE_SECONDS, Settler
from vexxy.worker.work import Work

PROBE_SECONDS: Final = 60.0

log = logging.logger(__name__)


def worker_name() -> str:
    """Return a name for this process that no other one has."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:6]}"


class Station:
    """What the threads of one process share.

    Args:
        url: Of the database.
        works: What can be done here, by kind.
        connections: Threads that work at once, and a few more.
        lease_seconds: How soon the jobs of a lost worker are taken by another.
        detail: What is told of this worker to whoever asks after workers.
        probe: Tells more of that; called every minute, in a thread of its own.
        is_stopping: See `Keeper`.
    """

    def __init__(
        self,
        url: str,
        works: Mapping[str, Work],
        *,
        connections: int = 8,
        lease_seconds: int = LEASE_SECONDS_DEFAULT,
        detail: Mapping[str, Scalar] | None = None,
        probe: Callable[[], Mapping[str, Scalar]] | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = worker_name()
        self.lease_seconds = lease_seconds
        self.system = Database(url, role=Role.SYSTEM, connections=connections)
        self._worker = Database(url, role=Role.WORKER, connections=connections)
        self._works = works
        self._limits = {kind: work.organization_limit for kind, work in works.items()}
        self._detail = dict(detail or {})
        self._probe = probe
        self.keeper = Keeper(
            self.system,
            name=self.name,
            lease_seconds=lease_seconds,
            detail=self._detail,
            is_stopping=is_stopping,
        )
        self._settler = Settler(self.system, self._settled, lost=self.keeper.let_go)

    def start(self) -> None:
        """Begin to keep leases; what a worker before us left running here is ended."""
        strays.sweep()
        self.keeper.start()
        self._settler.start()
        if self._probe is not None:
            threading.Thread(target=self._look, name="probe", daemon=True).start()

    def close(self) -> None:
        """Give back what is still held, and every connection."""
        self._settler.close()
        line = Line(self.system)
        for attempt in self.keeper.held():
            lease = attempt.job
            try:
                line.run(lambda it, lease=lease: leases.give_back(it, lease))  # type: ignore[misc]
            except QueueUnreachable:
                log.warning("worker.lease_left", job_id=lease.job_id)
        line.close()
        self.keeper.close()
        self.release()

    def release(self) -> None:
        """Let go of the connections, of a station that was never started."""
        self.system.close()
        self._worker.close()

    def run_next(self, line: Line) -> bool:
        """Take the job whose turn it is and do it; return whether there was one.

        Raises:
            QueueUnreachable: No job could be taken.
        """
        lease = line.run(
            lambda it: leases.claim(
                it, self._limits, worker=self.name, lease_seconds=self.lease_seconds
            )
        )
        if lease is None:
            return False
        database = self.system if lease.organization_id is None else self._worker
        attempt = Attempt(lease, database)
        self.keeper.keep(attempt)
        with logging.bound(job_id=lease.job_id, organization_id=lease.organization_id):
            metrics.JOB_WAIT_SECONDS.observe(lease.waited_seconds, kind=lease.kind)
            began = time.monotonic()
            error = self._attempt(attempt)
            metrics.JOB_SECONDS.observe(time.monotonic() - began, kind=lease.kind)
            if error is not None:
                self._end(line, attempt, self._fail(line, attempt, error))
            elif self._limits[lease.kind] is None:
                self._settler.add(attempt)
            else:
                # The next one of the organization may begin only after this end.
                done = self._insist(line, lambda it: leases.finish(it, lease))
                self._settled(line, attempt, bool(done))
        return True

    def _settled(self, line: Line, attempt: Attempt, done: bool) -> None:  # noqa: FBT001
        """Note the end of an attempt whose handler succeeded."""
        if done:
            outcome: str = State.DONE
        else:
            # Nothing else refuses it; if the lease is lost, nothing is written.
            outcome = self._fail(line, attempt, JobCancelled(attempt.job.job_id))
        self._end(line, attempt, outcome)

    def _end(self, line: Line, attempt: Attempt, outcome: str) -> None:
        """Let go of an attempt whose end is written."""
        lease = attempt.job
        self.keeper.let_go(attempt)
        metrics.JOBS_FINISHED.count(kind=lease.kind, outcome=outcome)
        if self._limits[lease.kind] is not None:
            self._tell(line, lambda it: leases.call_next(it, lease))

    def _attempt(self, attempt: Attempt) -> Exception | None:
        """Run the handler; return what it failed with."""
        lease = attempt.job
        try:
            if lease.exhausted:
                raise WorkersLost(lease.max_attempts)  # noqa: TRY301  one way to fail
            with tracing.span("job", kind=lease.kind, job_id=str(lease.job_id)):
                self._works[lease.kind].handler(attempt)
        except Exception as error:
            ours = error.message if isinstance(error, VexxyError) else None
            log.warning(
                "job.attempt_ended",
                kind=lease.kind,
                attempt=lease.attempt,
                error=type(error).__name__,
                message=ours,
                exc_info=error if ours is None else None,
            )
            return error
        return None

    def _fail(self, line: Line, attempt: Attempt, error: Exception) -> str:
        """Write what becomes of the job after a failure; return that."""
        lease = attempt.job
        error = attempt.stopped_by or error
        if isinstance(error, WorkerStopping):
            self._tell(line, lambda it: leases.give_back(it, lease))
            return "given back"
        if isinstance(error, LeaseLost):
            return "lost"
        standing = self._insist(line, lambda it: leases.watch(it, [lease]))
        if standing is not None and standing.get(lease.job_id) is False:
            # Perhaps it is done: the handler's own commit may have lost its answer.
            return "lost"
        verdict = rules.judge(error, attempt=lease.attempt, max_attempts=lease.max_attempts)
        if verdict.delay_seconds is None and not isinstance(error, JobCancelled):
            self._abandon(attempt, verdict.error)
        state = self._insist(line, lambda it: leases.fail(it, lease, verdict))
        return "lost" if state is None else state

    def _abandon(self, attempt: Attempt, reason: str) -> None:
        """Tell the kind's owner that the job fails for good."""
        told = self._works[attempt.job.kind].abandoned
        if told is None:
            return
        try:
            told(attempt, reason)
        except Exception:
            log.exception("job.abandon_failed", kind=attempt.job.kind)

    def _look(self) -> None:
        assert self._probe is not None  # noqa: S101  started only with one
        while True:
            self._detail.update(self._probe())
            time.sleep(PROBE_SECONDS)

    def _tell(self, line: Line, operation: Callable[..., object]) -> None:
        """Run what is only quicker than waiting for a lease to run out."""
        try:
            line.run(operation)
        except QueueUnreachable:
            log.info("worker.untold", worker=self.name)

    def _insist(self, line: Line, operation: Callable[..., Result]) -> Result | None:
        """Run a statement that may be repeated until the database answers."""
        ends = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                return line.run(operation)
            except QueueUnreachable:
                if time.monotonic() > ends:
                    return None
                time.sleep(SETTLE_AGAIN_SECONDS)
