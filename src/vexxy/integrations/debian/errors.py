"""Failures of apt."""

from vexxy.kit.errors import ExternalFailure, Unavailable


class AptMissing(Unavailable):
    """This machine has no apt."""

    def __init__(self) -> None:
        super().__init__(
            "apt is not installed here, and Debian's patches are read through it",
            hint="run this on Debian or Ubuntu, or in a container of either",
        )


class AptFailed(ExternalFailure):
    """apt could not do what it was asked."""
