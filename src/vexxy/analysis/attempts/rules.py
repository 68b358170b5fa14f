"""Decisions about attempts: the request, what is told of a failure, what ran."""

import traceback
from pathlib import Path
from typing import Final

from vexxy.analysis.attempts.types import Failure, Order
from vexxy.analysis.errors import AdvisoriesMissing
from vexxy.analysis.submission.types import Config
from vexxy.analysis.types import Request, Result, Settings
from vexxy.billing.types import Options
from vexxy.kit import errors
from vexxy.kit.errors import VexxyError
from vexxy.sandbox.errors import (
    DiskFull,
    EngineFailed,
    ImageFailed,
    ImageMissing,
    PortNeverOpened,
)

MESSAGE_LENGTH_MAX: Final = 8000
TRACEBACK_LENGTH_MAX: Final = 32_000
IMAGE_MISSING: Final = "there is no such image, or it could not be pulled"
SBOM_NAME: Final = "sbom.json"
EVIDENCE_NAME: Final = "evidence"

# Failures of what was submitted: their sentences are about it and nothing else.
_OWN: Final = (
    errors.InvalidInput,
    errors.NotFound,
    errors.Conflict,
    ImageFailed,
    DiskFull,
)


def request_of(order: Order, folder: Path) -> Request:
    """Return what the pipeline is asked for.

    Args:
        order: What the process was told.
        folder: Its own; an SBOM may lie there, evidence is written there.
    """
    config = order.config
    sbom = folder / SBOM_NAME
    return Request(
        image=order.image_ref,
        digest=order.image_digest,
        settings=Settings(
            duration_seconds=config.analysis_duration,
            coverage=config.enable_code_coverage,
            fuzz=config.enable_fuzzing,
            ready_timeout_seconds=config.health_check_timeout,
            script_timeout_seconds=config.test_timeout,
            profiling=config.enable_profiling,
        ),
        ports=config.ports,
        test_script=config.test_script,
        environment=order.environment,
        command=config.command,
        sbom_path=sbom if sbom.exists() else None,
        evidence_directory=folder / EVIDENCE_NAME,
        job_id=str(order.analysis_id),
        files_allowed=order.files_allowed,
        seed_paths=(config.health_check_path,) if config.health_check_path else (),
        keep_grounds=True,
    )


def failure_of(error: Exception) -> Failure:
    """Return what an error means for the analysis, and what may be told of it."""
    told = "".join(traceback.format_exception(error))[-TRACEBACK_LENGTH_MAX:]
    if isinstance(error, ImageMissing):
        # The engine's own words tell who listens where in our network.
        return Failure(IMAGE_MISSING, lasting=True, traceback=told)
    if isinstance(error, _OWN):
        hint = _hint(error)
        message = error.message + (f" ({hint})" if hint else "")
        return Failure(message[:MESSAGE_LENGTH_MAX], lasting=True, traceback=told)
    return Failure(_ours(error), lasting=False, traceback=told)


def _hint(error: VexxyError) -> str | None:
    """Return what to do next, in the words of a submission, not of the command line."""
    match error:
        case PortNeverOpened():
            return "check config.ports, or give the image the variables it needs"
        case ImageFailed():
            return "it may need config.environment or another config.command"
        case _ if error.hint and ("--" in error.hint or "vexxy " in error.hint):
            return None
        case _:
            return error.hint


def _ours(error: Exception) -> str:
    """Return a sentence about a failure of the service, without what it is made of."""
    match error:
        case EngineFailed():
            return "the container engine failed while the image was analyzed"
        case AdvisoriesMissing():
            return (
                "no worker could analyze the image: there are no advisories where it ran; "
                "operators run `vexxy advisories update` there"
            )
        case errors.Unavailable():
            return "no worker could analyze the image: a part of the service is missing"
        case errors.TimedOut():
            return "the analysis did not end within its time"
        case VexxyError():
            return "something outside failed while the image was analyzed"
        case _:
            return "the analysis failed for a fault of the service"


def ran(config: Config, result: Result) -> Options:
    """Return which parts that have a price really ran.

    An earlier service charged for scans that were skipped and coverage it never had.
    """
    recorded = "code_coverage" not in result.skipped_features
    return Options(
        fuzzing=result.fuzzed,
        profiling=config.enable_profiling,
        coverage=config.enable_code_coverage and recorded and config.enable_profiling,
    )
