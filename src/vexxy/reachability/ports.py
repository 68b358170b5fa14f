"""What reachability asks of a root file system."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from vexxy.images.types import FileEntry


class Root(Protocol):
    """A root file system, seen as the image sees it; `RootFilesystem` is one."""

    @property
    def entries(self) -> Mapping[str, FileEntry]:
        """Every regular file under its canonical path."""

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Paths that could not be looked into."""

    def host_path(self, path: str) -> Path:
        """Return where a canonical path lies on the host."""

    def resolve(self, path: str) -> str | None:
        """Return the canonical path of what `path` names, links followed."""

    def read_bytes(self, path: str, *, limit: int = ...) -> bytes:
        """Return the content of a regular file; raises errors of `images.errors`."""
