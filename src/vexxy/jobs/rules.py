"""What a failure means for the job that had it."""

from datetime import timedelta
from typing import Final

from vexxy.jobs.errors import JobInvalid, RetryLater
from vexxy.jobs.types import (
    ATTEMPTS_MAX,
    KEY_LENGTH_MAX,
    PRIORITY_MAX,
    NewJob,
    Verdict,
)
from vexxy.kit import errors

# Trying again changes nothing about these: the job itself is at fault.
HOPELESS: Final = (
    errors.InvalidInput,
    errors.NotFound,
    errors.Conflict,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.TooLarge,
    errors.QuotaExceeded,
    errors.PaymentRequired,
)
# The first delay by kind: what is missing or slow takes longer to mend than what stumbled.
FIRST_DELAY_SECONDS: Final = (
    (errors.Unavailable, 5.0),
    (errors.TimedOut, 10.0),
    (errors.VexxyError, 2.0),
    (Exception, 5.0),
)
DELAY_SECONDS_MAX: Final = 3600.0
DEADLINE_SECONDS_MAX: Final = 86_400
ERROR_LENGTH_MAX: Final = 2000
# Half an hour of waiting is worth one tier: a free job that waited 90 minutes longer
# than an enterprise one goes first.
HEAD_START: Final = timedelta(minutes=30)
# After so many attempts beyond its last, a job that kills even those who bury it fails.
BURIALS_MAX: Final = 3


def check(new: NewJob) -> None:
    """Refuse a job that the table would refuse, with a sentence.

    Raises:
        JobInvalid: A bound is not kept.
    """
    if not 0 <= new.priority <= PRIORITY_MAX:
        raise JobInvalid(f"priority {new.priority} is not between 0 and {PRIORITY_MAX}")
    if not 1 <= new.max_attempts <= ATTEMPTS_MAX:
        raise JobInvalid(
            f"{new.max_attempts} attempts are not between 1 and {ATTEMPTS_MAX}"
        )
    if new.key is not None and not 1 <= len(new.key) <= KEY_LENGTH_MAX:
        raise JobInvalid(f"a key has 1 to {KEY_LENGTH_MAX} characters")
    if new.deadline_seconds is not None and not (
        1 <= new.deadline_seconds <= DEADLINE_SECONDS_MAX
    ):
        raise JobInvalid(f"a deadline is 1 to {DEADLINE_SECONDS_MAX} seconds")
    if new.run_at is not None and new.run_at.tzinfo is None:
        raise JobInvalid("run_at needs a time zone")


def judge(error: Exception, *, attempt: int, max_attempts: int) -> Verdict:
    """Return what becomes of a job whose attempt ended with this error.

    The delay doubles with each attempt up to an hour, unless the error names its own.
    A text that is not ours is left out: it might hold a secret or a path.
    """
    ours = isinstance(error, errors.VexxyError)
    text = error.message if isinstance(error, errors.VexxyError) else "unexpected failure"
    delay = _delay_seconds(error, attempt)
    if attempt >= max_attempts:
        delay = None
    return Verdict(
        error_kind=type(error).__name__,
        error=_storable(text if ours else f"{text} ({type(error).__name__})"),
        delay_seconds=delay,
    )


def _storable(text: str) -> str:
    """Return it as PostgreSQL can hold it: what an image wrote may be part of it."""
    clean = text[:ERROR_LENGTH_MAX].encode("utf-8", "replace").decode()
    return clean.replace("\0", "")


def _delay_seconds(error: Exception, attempt: int) -> float | None:
    if isinstance(error, RetryLater):
        return min(max(error.delay_seconds, 0.0), DELAY_SECONDS_MAX)
    if isinstance(error, errors.RateLimited):
        return min(float(error.retry_after_seconds), DELAY_SECONDS_MAX)
    if isinstance(error, HOPELESS):
        return None
    first = next(delay for kind, delay in FIRST_DELAY_SECONDS if isinstance(error, kind))
    return min(first * 2.0 ** (attempt - 1), DELAY_SECONDS_MAX)
