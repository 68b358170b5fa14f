"""What can go wrong with the embedded database."""

from pathlib import Path

from vexxy.kit.errors import Conflict, ExternalFailure, Unavailable


class DatabaseMissing(Unavailable):
    """The wheel with PostgreSQL is not installed, or not for this machine."""


class DatabaseUnreachable(Unavailable):
    """The account PostgreSQL runs as cannot get at its directory or programs."""


class DatabaseInUse(Conflict):
    """Another program runs the database of this directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"the database in {directory} is already run by another program",
            hint="stop that one, or use another data directory",
        )


class DatabaseFailed(ExternalFailure):
    """PostgreSQL did not do what it was asked; its own words are in the message."""
