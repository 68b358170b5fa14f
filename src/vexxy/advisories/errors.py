"""Failures of the advisory database."""

from pathlib import Path

from vexxy.kit.errors import Conflict, ExternalFailure, InvalidInput, NotFound


class DatabaseNotFound(NotFound):
    """There is no advisory database at the path."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"there is no advisory database at {path}",
            hint="run `vexxy advisories update`; without internet "
            "`vexxy advisories import FOLDER`, or, for a small set to try with, "
            '`vexxy advisories import "$(vexxy advisories bundled)"`',
        )


class DatabaseUnreadable(InvalidInput):
    """The file is not an advisory database, or is damaged."""

    def __init__(self, path: Path, *, reason: str) -> None:
        super().__init__(
            f"{path} cannot be read as an advisory database: {reason}",
            hint="move the file away and run `vexxy advisories update` or `import` again",
        )


class SchemaMismatch(InvalidInput):
    """The database was written by another version of the product."""

    def __init__(self, path: Path, *, found: int, expected: int) -> None:
        age = "an older" if found < expected else "a newer"
        remedy = "move the file away, then run `vexxy advisories update` or `import`"
        hint = remedy if found < expected else f"use that version, or {remedy}"
        super().__init__(
            f"{path} was written by {age} version of vexxy "
            f"(schema {found}, this one reads {expected})",
            hint=hint,
        )


class DatabaseBusy(Conflict):
    """Another process is writing the database."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"another process is writing {path}",
            kept="the database is unchanged",
            hint="wait until it has ended, then try again",
        )


class NothingToImport(InvalidInput):
    """No usable advisory was found in what was given."""

    def __init__(self, source: str, *, reason: str) -> None:
        super().__init__(
            f"no usable advisory in {source}: {reason}",
            kept="the database is unchanged",
            hint="give a folder or zip of OSV JSON records, one record a file",
        )


class SuspiciousUpdate(ExternalFailure):
    """What was downloaded holds far fewer records than what is stored."""

    def __init__(self, ecosystem: str, *, found: int, stored: int) -> None:
        super().__init__(
            f"the download for {ecosystem} holds {found} usable records, "
            f"{stored} are stored",
            kept="the database is unchanged",
            hint="if the source really shrank that much, import the file by hand",
        )


class DownloadFailed(ExternalFailure):
    """An ecosystem's records could not be fetched."""


class DatabaseNotWritten(ExternalFailure):
    """The new database could not be written; the old one is still there."""

    def __init__(self, path: Path, *, reason: str) -> None:
        super().__init__(
            f"{path} could not be written: {reason}",
            kept="the database is as it was before",
            hint="check free space and permissions of its folder, then try again",
        )


class InvalidVersion(ValueError):
    """A version that its ecosystem's order does not know; never leaves the slice."""
