"""Safe look-ups inside an image's root file system on the host.

Links of an image point wherever its author liked: an absolute link means the image's
root, never the host's. Nothing here follows a link with the host's own eyes.
"""

import os
import pathlib
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import BinaryIO, Final

from vexxy.images.errors import FileMissing, FileTooLarge, FileUnreadable
from vexxy.images.types import FileEntry

LINKS_MAX: Final = 40  # as many as Linux follows before ELOOP
READ_LIMIT_BYTES: Final = 256 * 1024 * 1024
SKIPPED_DIRECTORIES: Final = frozenset({"/proc", "/sys", "/dev"})


class RootFilesystem:
    """The tree below `root`, seen as the image sees it.

    The walk is made once, at the first call that needs it, and kept; make a new
    object to see later changes. Look-ups that need no walk read the disk each time,
    but the links on the way to a directory are remembered.
    """

    def __init__(self, root: pathlib.Path) -> None:
        self.root: Final = root.resolve()
        self._prefix: Final = "" if self.root == pathlib.Path("/") else str(self.root)
        self._directories: dict[str, str | None] = {"": "/", "/": "/"}
        self._unreadable: list[str] = []

    def host_path(self, path: str) -> pathlib.Path:
        """Return where a canonical image path lies on the host.

        The path is joined as it stands: give what `resolve` or `walk` returned, or a
        link inside the image is followed on the host.
        """
        return pathlib.Path(f"{self._prefix}/{path.lstrip('/')}")

    def resolve(self, path: str) -> str | None:
        """Return the canonical image path of what `path` names, links followed.

        None when nothing is there or the links go round in circles. The answer is
        always inside the image: `..` stops at its root and absolute links start there.
        """
        if "\0" in path:
            return None
        pending = _components(path)
        current: list[str] = []
        links_left = LINKS_MAX
        while pending:
            name = pending.pop()
            if name == "..":
                if not self._is_directory("/" + "/".join(current)):
                    return None
                del current[-1:]
                continue
            current.append(name)
            target = self._link_target("/" + "/".join(current))
            if target is None:
                continue
            links_left -= 1
            if links_left < 0:
                return None
            del current[0 if target.startswith("/") else -1 :]
            pending.extend(_components(target))
        canonical = "/" + "/".join(current)
        return canonical if self._exists(canonical) else None

    def locate(self, path: str) -> str | None:
        """Return the canonical path of the directory entry itself, its own link kept.

        A package that lists `/lib/libz.so` owns that link, not the file behind it, which
        another package may have brought. None when the directory does not exist; the
        entry need not.
        """
        parent, _, name = path.rstrip("/").rpartition("/")
        if name in {"", ".", ".."}:
            return self.resolve(path)
        if parent not in self._directories:
            self._directories[parent] = self.resolve(parent)
        canonical = self._directories[parent]
        if canonical is None:
            return None
        return f"/{name}" if canonical == "/" else f"{canonical}/{name}"

    def find_file(self, path: str) -> FileEntry | None:
        """Return the regular file at `path`, its own link not followed; walks once."""
        located = self.locate(path)
        return None if located is None else self.entries.get(located)

    def identity(self, path: str) -> tuple[int, int] | None:
        """Return device and inode of what `path` names, links followed."""
        canonical = self.resolve(path)
        if canonical is None:
            return None
        with suppress(OSError):
            status = os.lstat(self._on_host(canonical))
            return status.st_dev, status.st_ino
        return None

    def by_identity(self, identity: tuple[int, int]) -> tuple[str, ...]:
        """Return every canonical path of a regular file, hard links included, sorted."""
        return self._paths.get(identity, ())

    def walk(self) -> Sequence[FileEntry]:
        """Return every regular file, by path; `/proc`, `/sys` and `/dev` are skipped."""
        return tuple(self.entries.values())

    @cached_property
    def entries(self) -> Mapping[str, FileEntry]:
        """Every regular file under its canonical path, in the order of paths."""
        found: list[FileEntry] = []
        pending = [""]
        while pending:
            directory = pending.pop()
            try:
                with os.scandir(self._on_host(directory or "/")) as listing:
                    self._sort_out(directory, listing, (found, pending))
            except OSError:
                self._unreadable.append(directory or "/")
        found.sort(key=lambda entry: entry.path)
        return {entry.path: entry for entry in found}

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Directories and files that the host refused to look into, after a walk."""
        self.entries  # noqa: B018  the walk fills the list
        return tuple(self._unreadable)

    def read_bytes(self, path: str, *, limit: int = READ_LIMIT_BYTES) -> bytes:
        """Return the content of the regular file that `path` names, links followed.

        Raises:
            FileMissing: Nothing is there, or it is no regular file.
            FileTooLarge: It has more than `limit` bytes.
            FileUnreadable: The host refused.
        """
        with self.open_file(path) as file:
            try:
                content = file.read(limit + 1)
            except OSError as error:
                raise _unreadable(path, error) from error
        if len(content) > limit:
            raise FileTooLarge(f"{path} has more than {limit} bytes")
        return content

    def open_file(self, path: str) -> BinaryIO:
        """Open the regular file that `path` names, links followed, for reading.

        Every step down is taken without following links, so an image that changes while
        it is read cannot lead outside either.

        Raises:
            FileMissing: Nothing is there, or it is no regular file.
            FileUnreadable: The host refused.
        """
        # What the walk found is canonical: most files that are opened come from there.
        walked = path in self.__dict__.get("entries", ())
        canonical = path if walked else self.resolve(path)
        if canonical is None or canonical == "/":
            raise FileMissing(f"the image has no file {path}")
        try:
            descriptor = self._open_below(canonical.split("/")[1:])
        except (FileNotFoundError, NotADirectoryError) as error:
            raise FileMissing(f"the image has no file {path}") from error
        except OSError as error:
            raise _unreadable(path, error) from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileMissing(f"{path} is no regular file")
        return os.fdopen(descriptor, "rb")

    @cached_property
    def _paths(self) -> Mapping[tuple[int, int], tuple[str, ...]]:
        paths: dict[tuple[int, int], tuple[str, ...]] = {}
        for entry in self.entries.values():
            known = paths.get(entry.identity, ())
            paths[entry.identity] = (*known, entry.path)
        return paths

    def _sort_out(
        self,
        directory: str,
        listing: Iterator[os.DirEntry[str]],
        into: tuple[list[FileEntry], list[str]],
    ) -> None:
        """Add the files of one directory to `into[0]`, its directories to `into[1]`."""
        files, directories = into
        for item in listing:
            path = f"{directory}/{item.name}"
            try:
                if item.is_dir(follow_symlinks=False):
                    if path not in SKIPPED_DIRECTORIES:
                        directories.append(path)
                elif item.is_file(follow_symlinks=False):
                    status = item.stat(follow_symlinks=False)
                    files.append(
                        FileEntry(
                            path=path,
                            size_bytes=status.st_size,
                            device=status.st_dev,
                            inode=status.st_ino,
                            mode=status.st_mode,
                        )
                    )
            except OSError:
                self._unreadable.append(path)

    def _open_below(self, components: Sequence[str]) -> int:
        holder = os.open(self.root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in components[:-1]:
                flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                deeper = os.open(name, flags, dir_fd=holder)
                os.close(holder)
                holder = deeper
            # Without O_NONBLOCK a named pipe would hold the reader for ever.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            return os.open(components[-1], flags, dir_fd=holder)
        finally:
            os.close(holder)

    def _on_host(self, canonical: str) -> str:
        return self._prefix + canonical

    def _link_target(self, canonical: str) -> str | None:
        with suppress(OSError, ValueError):
            return os.readlink(self._on_host(canonical))  # noqa: PTH115  ten times faster
        return None

    def _is_directory(self, canonical: str) -> bool:
        with suppress(OSError, ValueError):
            return stat.S_ISDIR(os.lstat(self._on_host(canonical) or "/").st_mode)
        return False

    def _exists(self, canonical: str) -> bool:
        with suppress(OSError, ValueError):
            os.lstat(self._on_host(canonical))
            return True
        return False


def _components(path: str) -> list[str]:
    """Return the components of a path, last first, without `.` and empty ones."""
    return [name for name in reversed(path.split("/")) if name not in {"", "."}]


def _unreadable(path: str, error: OSError) -> FileUnreadable:
    return FileUnreadable(f"{path} could not be read: {error.strerror}")
