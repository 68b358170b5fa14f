"""What can be wrong with a job."""

from uuid import UUID

from vexxy.kit import errors


class JobInvalid(errors.InvalidInput):
    """A job that no worker could take; nothing was enqueued."""


class JobNotFound(errors.NotFound):
    """There is no such job, or it is another organization's."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"there is no job {job_id}")


class JobFinished(errors.Conflict):
    """A job that has ended can be neither cancelled nor begun."""


class LeaseLost(errors.Conflict):
    """Somebody else has the job now; whatever this attempt would write is refused."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"the lease of job {job_id} was lost; another attempt has it")


class JobCancelled(errors.Conflict):
    """The job was cancelled while it ran; not a failure of the handler."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} was cancelled")


class RetryLater(errors.ExternalFailure):
    """A failure whose handler knows when the next attempt makes sense."""

    def __init__(self, message: str, *, delay_seconds: float) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds


class WorkerStopping(errors.Unavailable):
    """The worker ends in order; the job goes back to its place in the queue."""

    def __init__(self) -> None:
        super().__init__("the worker is being stopped; the job goes back into the queue")


class WorkersLost(errors.Conflict):
    """Every attempt ended with its worker, not with a result."""

    def __init__(self, attempts: int) -> None:
        super().__init__(
            f"the worker was lost in each of {attempts} attempts",
            hint="look for what ends workers: memory, disk, the machine itself",
        )


class DeadlinePassed(errors.TimedOut):
    """An attempt took longer than its job allows."""

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"job {job_id} did not end within its deadline")
