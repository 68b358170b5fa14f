"""Jobs as values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

Scalar = str | int | bool | None
Payload = Mapping[str, Scalar]

DEADLINE_SECONDS_DEFAULT: Final = 900
ATTEMPTS_DEFAULT: Final = 5
ATTEMPTS_MAX: Final = 100
PRIORITY_MAX: Final = 9
KEY_LENGTH_MAX: Final = 200
LEASE_SECONDS_DEFAULT: Final = 15


class State(StrEnum):
    """Where a job is; the last three are final, and the database refuses to leave them."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL: Final = frozenset({State.DONE, State.FAILED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be put into the queue.

    Attributes:
        kind: Names the handler, such as `analysis`.
        organization_id: For whom; None for work of the installation itself.
        payload: Ids and small values only: when the job runs, rows know what is true.
        priority: Of the tier, 0 to 9; a higher one goes first until others waited long.
        key: Unique while unfinished: a second job of the same key is the first one.
        run_at: Not before this instant; None for at once.
        deadline_seconds: Of one attempt; None for 900 s.
        max_attempts: How often it is begun at most, lost workers included.
    """

    kind: str
    organization_id: UUID | None
    payload: Payload
    priority: int = 0
    key: str | None = None
    run_at: datetime | None = None
    deadline_seconds: int | None = None
    max_attempts: int = ATTEMPTS_DEFAULT


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to work on one attempt of a job, as long as it is renewed.

    Attributes:
        token: Of this attempt alone; what another attempt holds is refused with it.
        deadline_seconds: How long the attempt may take from the claim on.
        waited_seconds: From when it was due to the claim.
    """

    job_id: UUID
    token: UUID
    kind: str
    organization_id: UUID | None
    payload: Payload
    attempt: int
    max_attempts: int
    deadline_seconds: float
    deadline_at: datetime
    waited_seconds: float

    @property
    def last_attempt(self) -> bool:
        """Whether a failure of this attempt is the job's."""
        return self.attempt >= self.max_attempts

    @property
    def exhausted(self) -> bool:
        """Whether every attempt was begun and lost: nothing is left but to say so."""
        return self.attempt > self.max_attempts


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the queue, as it is shown.

    Attributes:
        error: The sentence it failed with, last time; None before any failure.
        error_kind: Name of the error's class.
        cancel_requested: Somebody wants it ended; its worker has yet to see that.
    """

    job_id: UUID
    kind: str
    organization_id: UUID | None
    payload: Payload
    state: State
    priority: int
    attempts: int
    max_attempts: int
    created_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: str | None
    error_kind: str | None
    cancel_requested: bool


@dataclass(frozen=True, slots=True)
class Depth:
    """How much of one kind is in one unfinished state.

    Attributes:
        oldest_seconds: Since the oldest became due, or was begun when it runs.
    """

    kind: str
    state: State
    jobs: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of jobs whose lease ran out."""

    requeued: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True)
class Announced:
    """A queued job, and when a message was last sent for it."""

    job_id: UUID
    announced_at: datetime | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a job after a failed attempt.

    Attributes:
        delay_seconds: Before the next attempt; None for no further one.
    """

    error_kind: str
    error: str
    delay_seconds: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due and waits.

    Attributes:
        oldest_seconds: How long the oldest has waited; 0 when none does.
    """

    waiting: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A process that takes jobs.

    Attributes:
        running: How many it worked on when it was seen.
    """

    name: str
    seen_at: datetime
    seconds_ago: float
    running: int
    detail: Payload
