"""What a kind of job is to the workers."""

from collections.abc import Callable
from dataclasses import dataclass

from vexxy.jobs.ports import Handler, JobContext

Abandoned = Callable[[JobContext, str], None]


@dataclass(frozen=True, slots=True)
class Work:
    """How one kind of job is done.

    Attributes:
        handler: Does one attempt; an exception is the attempt's failure.
        abandoned: Told why a job fails for good, before that is written, also when its
            handler never came to an end; it may be told twice.
        organization_limit: Most of the kind that run at once for one organization.
    """

    handler: Handler
    abandoned: Abandoned | None = None
    organization_limit: int | None = None
