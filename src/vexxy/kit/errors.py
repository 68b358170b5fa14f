"""The kinds of failure; every error of the product is one of these.

A slice subclasses the kind that fits and knows no status code or exit code: each
door (command line, API) keeps one table from kind to answer.
"""


class VexxyError(Exception):
    """A failure that has a sentence for the person who meets it.

    Args:
        message: What happened, in one sentence.
        hint: What to do next, or None where there is nothing to advise.
        kept: What was saved in spite of the failure, or None.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, kept: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.kept = kept


class InvalidInput(VexxyError):
    """What was given is malformed, inconsistent or unsupported; nothing was done."""


class NotFound(VexxyError):
    """The thing that was named does not exist."""


class Conflict(VexxyError):
    """The state of a thing does not allow the act."""


class PermissionDenied(VexxyError):
    """The caller may not do this."""


class QuotaExceeded(VexxyError):
    """A limit of use, credits or size is reached."""


class ExternalFailure(VexxyError):
    """Something outside (engine, image, remote service) failed while it was used."""


class Unavailable(VexxyError):
    """A prerequisite is missing; trying again without mending it is of no use."""


class TimedOut(VexxyError):
    """Something did not happen within its time."""
