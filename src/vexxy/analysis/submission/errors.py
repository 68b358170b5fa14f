"""What can be wrong with an analysis that somebody submits, follows or ends."""

from uuid import UUID

from vexxy.analysis.submission.types import Status
from vexxy.kit import errors


class SubmissionRefused(errors.InvalidInput):
    """A field of the submission is malformed or outside its bounds.

    Args:
        field: Where it is, as the request names it: `config.ports`.
        message: What is wrong with it.
    """

    def __init__(self, field: str, message: str, *, hint: str | None = None) -> None:
        place = ["body", *field.split(".")]
        super().__init__(
            f"{field}: {message}",
            hint=hint,
            details={"errors": [{"loc": place, "message": message}]},
        )


class AnalysisNotFound(errors.NotFound):
    """There is no such analysis, or it is another organization's."""

    def __init__(self, analysis_id: UUID) -> None:
        super().__init__(f"there is no analysis {analysis_id}")


class AnalysisEnded(errors.Conflict):
    """A complete, failed or cancelled analysis cannot be cancelled."""

    def __init__(self, analysis_id: UUID, status: Status) -> None:
        super().__init__(
            f"analysis {analysis_id} is {status} already", details={"status": status.value}
        )


class AnalysisOver(errors.Conflict):
    """Somebody else brought the analysis to an end; what was about to be kept is not."""

    def __init__(self, analysis_id: UUID) -> None:
        super().__init__(f"analysis {analysis_id} was ended meanwhile")


class AnalysisUnfinished(errors.Conflict):
    """What was asked for exists only of a complete analysis."""

    def __init__(self, analysis_id: UUID, status: Status) -> None:
        super().__init__(
            f"analysis {analysis_id} is {status}, not complete",
            hint="wait until its status is complete",
            details={"status": status.value},
        )


class EnvironmentUnreadable(errors.InvalidInput):
    """The environment was sealed with a key that this worker does not have."""
