"""What the advisories ask of the world outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vexxy.kit.progress import Listener


@dataclass(frozen=True, slots=True)
class Download:
    """A file that was fetched and checked against what the server said of it.

    Attributes:
        validator: The server's ETag, to ask with next time; None if it gave none.
        received_bytes: What this call transferred; less than the file after a resume.
    """

    path: Path
    url: str
    validator: str | None
    received_bytes: int


class Feed(Protocol):
    """A source of OSV records, one archive an ecosystem."""

    def fetch(
        self, ecosystem: str, folder: Path, *, known: str | None, progress: Listener
    ) -> Download | None:
        """Fetch the ecosystem's archive into `folder`; None if `known` still holds.

        What a failed call received stays in `folder`, and the next call goes on there.

        Raises:
            DownloadFailed: After the last attempt, or when the file is not what the
                server announced.
        """

    def url(self, ecosystem: str) -> str:
        """Return the address that `fetch` reads."""


@dataclass(frozen=True, slots=True)
class PatchedSource:
    """The patches that a distribution carries in one source package.

    Attributes:
        version: Version of the source package.
        patches: Text by path inside the package.
    """

    package: str
    version: str
    patches: Mapping[str, str]


class PatchSource(Protocol):
    """Where a distribution's patches are read from."""

    def read_patches(self, package: str) -> PatchedSource:
        """Return the patches of the newest version of the source package.

        Raises:
            VexxyError: The package is unknown, or its source cannot be fetched.
        """


class History(Protocol):
    """One repository's history, where fixes are read from."""

    def diff(self, commit: str, *, suffixes: Sequence[str]) -> str | None:
        """Return what a commit changes against its first parent, without context.

        White space alone does not count. None where the commit is not known.
        """

    def read(self, revision: str, path: str) -> str | None:
        """Return the text of a file at a revision, None if it is not there."""

    def list_files(self, revision: str) -> frozenset[str]:
        """Return the path of every file at a revision."""

    def find_files(
        self, revision: str, word: str, *, suffixes: Sequence[str]
    ) -> tuple[str, ...]:
        """Return the files that mention a word at a revision; at most a few dozen."""

    def find_commits(self, phrases: Collection[str]) -> tuple[str, ...]:
        """Return the commits whose message has one of the phrases, newest first."""


class Histories(Protocol):
    """Where repositories are found on this machine."""

    def find(self, repository: str) -> History | None:
        """Return the repository `owner/name`, None if it is not here."""
