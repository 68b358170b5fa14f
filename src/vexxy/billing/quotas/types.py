"""Values of admissions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vexxy.billing.entitlements.types import Override


class State(StrEnum):
    """How far an admission is; only what is admitted changes."""

    ADMITTED = "admitted"
    SETTLED = "settled"
    RELEASED = "released"


class Ending(StrEnum):
    """Why an admission ends without a charge, which says whether it goes on counting.

    `failed` is ours, `unstarted` was cancelled while it waited, `incomplete` was observed
    with holes: none of them counts. `faulty` failed by what was submitted, `cancelled` had
    begun: they used a worker, so they count among the period's analyses.
    """

    FAILED = "failed"
    FAULTY = "faulty"
    UNSTARTED = "unstarted"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be let in.

    Attributes:
        reference: The analysis; the same one again changes nothing.
        credits: What it costs at most.
    """

    organization_id: UUID
    reference: UUID
    credits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a decision stands on, read under the organization's lock.

    Attributes:
        analyses: Let in during the period so far.
        credits_used: Charged for analyses of the period so far.
        credits_held: Held for those of the period that are not over.
        analysis_limit: The period's own, None without limit.
        credit_limit: The period's allowance, None without limit.
        analysis_override: Of an operator, in place of the limit.
        credit_override: Of an operator, in place of the limit.
        resets_at: When the period ends.
    """

    analyses: int
    credits_used: int
    credits_held: int
    analysis_limit: int | None
    credit_limit: int | None
    resets_at: datetime
    analysis_override: Override | None = None
    credit_override: Override | None = None


@dataclass(frozen=True, slots=True)
class Let:
    """An analysis may be taken in.

    Attributes:
        own_first: Its credits are taken from the organization's own.
        unlimited: They need not be (any more): a limit is off, or an operator's covers
            what the own credits do not.
    """

    own_first: bool
    unlimited: bool


@dataclass(frozen=True, slots=True)
class Admission:
    """A decision that was taken, and what became of it.

    Attributes:
        period_id: Where it counts and is charged, also when it ends later.
        unlimited: Nothing was set aside for it.
        hold_number: Holds lapse after a week; of a queue that stood still.
        counted: Whether it is among the period's analyses.
        own_fault: An attempt failed by what was submitted.
        shortfall_credits: What was due and could not be taken.
    """

    organization_id: UUID
    reference: UUID
    period_id: UUID
    state: State
    credits: int
    unlimited: bool
    hold_number: int
    hold_expires_at: datetime
    counted: bool
    own_fault: bool
    charged_credits: int
    shortfall_credits: int
    reason: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a period; None without limit."""

    analyses: int | None
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admission, and what is left after it.

    Attributes:
        alerting: Whether its count reached a percentage that somebody is told of.
    """

    admission: Admission
    remaining: Remaining
    alerting: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """What an organization used of its period."""

    organization_id: UUID
    analyses: int
    credits_used: int
    analysis_limit: int | None
    credit_limit: int | None
    period_start: datetime
    period_end: datetime


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Two records that should say the same and do not.

    Attributes:
        what: `analyses`, `credits_used`, `charge` or `hold`.
        subject: The period, or the analysis.
    """

    what: str
    subject: UUID
    stored: int
    computed: int
