"""What the process answers to its caller."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from vexxy.kit import errors


class ExitCode(IntEnum):
    """Exit codes; documented in docs/cli.md, and stable."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    FAILED = 3
    PREREQUISITES = 4
    INTERRUPTED = 130


CODES: Final[Mapping[type[errors.VexxyError], ExitCode]] = {
    errors.InvalidInput: ExitCode.USAGE,
    errors.NotFound: ExitCode.USAGE,
    errors.Conflict: ExitCode.FAILED,
    errors.Unauthenticated: ExitCode.PREREQUISITES,
    errors.PermissionDenied: ExitCode.PREREQUISITES,
    errors.TooLarge: ExitCode.USAGE,
    errors.PaymentRequired: ExitCode.FAILED,
    errors.RateLimited: ExitCode.FAILED,
    errors.QuotaExceeded: ExitCode.FAILED,
    errors.ExternalFailure: ExitCode.FAILED,
    errors.Unavailable: ExitCode.PREREQUISITES,
    errors.TimedOut: ExitCode.FAILED,
}


def code_of(error: errors.VexxyError) -> ExitCode:
    """Return the exit code of the error's kind."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
