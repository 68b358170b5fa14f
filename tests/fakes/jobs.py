"""Attempts of jobs for handlers that are called without a worker."""

from datetime import timedelta
from uuid import UUID

from vexxy.jobs.types import Lease, Scalar
from vexxy.kit import clock, ids
from vexxy.kit.db import Database
from vexxy.worker.attempt import Attempt


def an_attempt(
    database: Database,
    organization_id: UUID | None,
    *,
    kind: str,
    **payload: Scalar,
) -> Attempt:
    """Return the first attempt of a job that is in no queue."""
    lease = Lease(
        job_id=ids.new_id(),
        token=ids.new_id(),
        kind=kind,
        organization_id=organization_id,
        payload=payload,
        attempt=1,
        max_attempts=5,
        deadline_seconds=60.0,
        deadline_at=clock.now() + timedelta(seconds=60),
        waited_seconds=0.0,
    )
    return Attempt(lease, database)
