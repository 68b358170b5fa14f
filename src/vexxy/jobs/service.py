"""The queue as others use it. Each function works in the caller's transaction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.jobs import rules
from vexxy.jobs.errors import JobNotFound
from vexxy.jobs.repository import queue
from vexxy.jobs.types import Backlog, Depth, Job, NewJob, WorkerSeen


def enqueue(session: Session, new: NewJob) -> UUID:
    """Put the job into the queue when the transaction commits; return its id.

    A worker that has nothing to do hears of it at the commit. While a job of the same
    kind, organization and key is unfinished, nothing is added and its id returned.

    Raises:
        JobInvalid: A bound of `NewJob` is not kept.
    """
    rules.check(new)
    return queue.enqueue(session, new)


def get(session: Session, job_id: UUID) -> Job:
    """Return the job.

    Raises:
        JobNotFound: There is none, or it is another organization's.
    """
    found = queue.find(session, job_id)
    if found is None:
        raise JobNotFound(job_id)
    return found


def cancel(session: Session, job_id: UUID) -> bool:
    """Cancel the job; return whether that was still possible.

    A queued one is cancelled at once. A running one is asked to end: its worker kills
    what it started and marks it cancelled, in about a second. Once this returned True
    and was committed, the job never becomes done.
    """
    return queue.cancel(session, job_id)


def find_latest(session: Session, kind: str) -> Job | None:
    """Return the job of the kind that ended last; tells how periodic work goes."""
    return queue.find_latest(session, kind)


def list_dead(session: Session, *, limit: int = 50) -> Sequence[Job]:
    """Return the jobs that failed for good, newest first, each with its error."""
    return queue.list_dead(session, limit=limit)


def depths(session: Session) -> Sequence[Depth]:
    """Return how much waits and runs, by kind; for metrics, as SYSTEM."""
    return queue.depths(session)


def backlog(session: Session) -> Backlog:
    """Return how many jobs are due and wait, and how long the oldest does; as SYSTEM."""
    return queue.backlog(session)


def take_turn(session: Session, name: str, *, every_seconds: float) -> bool:
    """Return whether the periodic work is due; of several that ask, one is told yes."""
    return queue.take_turn(session, name, every_seconds=every_seconds)


def list_workers(session: Session) -> Sequence[WorkerSeen]:
    """Return the processes that took jobs lately, the last seen first; as SYSTEM."""
    return queue.list_workers(session)
