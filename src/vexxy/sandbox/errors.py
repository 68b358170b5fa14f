"""What can go wrong between an image and its sandbox."""

from vexxy.kit import errors


class EngineUnavailable(errors.Unavailable):
    """No container engine answers, and none could be started."""


class EngineFailed(errors.ExternalFailure):
    """The engine refused an act or went away in the middle of it."""


class ImageMissing(errors.NotFound):
    """No engine or registry within reach has the image."""


class ImageUnsuitable(errors.InvalidInput):
    """The image cannot run here: another architecture, no command, no archive."""


class DigestMismatch(errors.Conflict):
    """What was found or created is not the digest that was asked for."""


class DiskFull(errors.ExternalFailure):
    """The engine's storage, or a limit of the sandbox, is used up."""


class ImageFailed(errors.ExternalFailure):
    """The image's own process ended, or never did what it is for.

    Attributes:
        exit_code: Of the first process, None while it still runs.
        logs: Last lines of its output.
    """

    def __init__(
        self, message: str, *, exit_code: int | None, logs: str, hint: str | None = None
    ) -> None:
        shown = "\n".join(logs.strip().splitlines()[-20:])
        super().__init__(f"{message}; its last output:\n{shown}" if shown else message)
        self.hint = hint
        self.exit_code = exit_code
        self.logs = logs


class ImageExited(ImageFailed):
    """The image's first process ended before the image was ready."""


class PortNeverOpened(ImageFailed, errors.TimedOut):
    """A port that was waited for did not answer in time; the image still runs."""


class DriverFailed(errors.ExternalFailure):
    """The test script or the built-in driver could not be run at all."""
