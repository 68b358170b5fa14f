"""What a handler is given, and what it is."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session

from vexxy.jobs.types import Lease
from vexxy.kit.db import Database


class JobContext(Protocol):
    """One attempt of a job, as its handler sees it.

    The lease is renewed by the worker in the background; a handler need not call
    anything for it. It looks at `cancelled()` between steps, or calls `heartbeat()`.
    """

    @property
    def job(self) -> Lease:
        """The job: id, kind, organization, payload, attempt."""

    @property
    def database(self) -> Database:
        """Of the WORKER role; of SYSTEM for a job that has no organization."""

    @property
    def deadline_at(self) -> datetime:
        """When this attempt has to be over."""

    def remaining_seconds(self) -> float:
        """Return how long it may still take; by this machine's own clock."""

    def cancelled(self) -> bool:
        """Return whether to stop: cancelled, past the deadline, or the lease is lost."""

    def heartbeat(self) -> None:
        """Go on only if the attempt may.

        Raises:
            JobCancelled: It was cancelled.
            DeadlinePassed: It took too long.
            LeaseLost: Another attempt has the job.
        """

    def finish(self, session: Session) -> None:
        """Mark the job done in the handler's own transaction.

        With it the effect and the end of the job are one commit: whoever lost the lease
        writes neither. A handler that returns without it is marked done afterwards, and
        must then bear being run twice.

        Raises:
            LeaseLost: Another attempt has the job; let it roll the transaction back.
        """


Handler = Callable[[JobContext], None]
