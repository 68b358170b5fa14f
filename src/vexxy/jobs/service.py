"""The queue as others use it. Each function works in the caller's transaction."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.jobs.types import Depth, Job, NewJob


def enqueue(session: Session, new: NewJob) -> UUID:
    """Put the job into the queue when the transaction commits; return its id.

    A worker that has nothing to do hears of it at the commit. While a job of the same
    kind, organization and key is unfinished, nothing is added and its id returned.

    Raises:
        JobInvalid: A bound of `NewJob` is not kept.
    """
    raise NotImplementedError


def get(session: Session, job_id: UUID) -> Job:
    """Return the job.

    Raises:
        JobNotFound: There is none, or it is another organization's.
    """
    raise NotImplementedError


def cancel(session: Session, job_id: UUID) -> bool:
    """Cancel the job; return whether that was still possible.

    A queued one is cancelled at once. A running one is asked to end: its worker kills
    what it started and marks it cancelled, in about a second.
    """
    raise NotImplementedError


def depths(session: Session) -> Sequence[Depth]:
    """Return how much waits and runs, by kind; for metrics, as SYSTEM."""
    raise NotImplementedError
