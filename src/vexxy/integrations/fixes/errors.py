"""Failures of git."""

from pathlib import Path

from vexxy.kit.errors import ExternalFailure, NotFound, Unavailable


class GitMissing(Unavailable):
    """This machine has no git."""

    def __init__(self) -> None:
        super().__init__(
            "git is not installed here, and fixes are read with it", hint="install git"
        )


class NoRepository(NotFound):
    """The folder holds no repository."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is no git repository",
            hint="clone the project there first; vexxy does not download repositories",
        )


class GitFailed(ExternalFailure):
    """git did not answer."""
