"""The kinds of failure; every error of the product is one of these.

A slice subclasses the kind that fits and knows no status code or exit code: each
door (command line, API) keeps one table from kind to answer.
"""

from collections.abc import Mapping
from typing import Any


class VexxyError(Exception):
    """A failure that has a sentence for the person who meets it.

    Args:
        message: What happened, in one sentence.
        hint: What to do next, or None where there is nothing to advise.
        kept: What was saved in spite of the failure, or None.
        details: Facts for a program that reads the answer; JSON values only.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        kept: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kept = kept
        self.details: Mapping[str, Any] = details or {}


class InvalidInput(VexxyError):
    """What was given is malformed, inconsistent or unsupported; nothing was done."""


class NotFound(VexxyError):
    """The thing that was named does not exist."""


class Conflict(VexxyError):
    """The state of a thing does not allow the act."""


class Unauthenticated(VexxyError):
    """No credentials, or none that hold."""


class PermissionDenied(VexxyError):
    """The caller is known and may not do this."""


class TooLarge(VexxyError):
    """What was sent is over the limit of its kind; nothing of it was kept."""


class QuotaExceeded(VexxyError):
    """A limit of use, credits or size is reached."""


class PaymentRequired(VexxyError):
    """A hard cap is reached or a grace period ran out; only paying helps."""


class RateLimited(VexxyError):
    """Too many requests in a short time.

    Args:
        message: What happened, in one sentence.
        retry_after_seconds: When the next one may be tried.
    """

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message, hint=f"try again in {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds


class ExternalFailure(VexxyError):
    """Something outside (engine, image, remote service) failed while it was used."""


class Unavailable(VexxyError):
    """A prerequisite is missing; trying again without mending it is of no use."""


class TimedOut(VexxyError):
    """Something did not happen within its time."""
