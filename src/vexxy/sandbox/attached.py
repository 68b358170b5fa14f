"""What a sandbox left in the directory that was attached for it to tell something.

The directory is a file system in memory of the sandbox's own: it vanishes with the last
process there, so it is held open from here. Whatever lies in it was written by the
image: links and devices are never followed, and everything is bounded.
"""

import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEPTH_MAX: Final = 3
FILES_MAX: Final = 50_000
# A directory on the way is opened, never anything else under its name.
DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A pipe or a device of that name must not block.
REGULAR: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
STOP_NAME: Final = "stop"
ANNOUNCED: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Told:
    """What was left there.

    Attributes:
        files: Content of regular files by their path below the directory.
        problems: What could not be read or was too much; sentences.
    """

    files: Mapping[str, bytes]
    problems: tuple[str, ...] = ()


class Place:
    """The directory of one sandbox, held open until `close`.

    Args:
        process_id: Of a process in the sandbox that runs nothing of the image yet, or
            has only just begun to.
        path: The directory there; a mount point, which nobody in it can replace.
        limit_bytes: How much is read at most.
    """

    def __init__(self, process_id: int, path: str, *, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        inside = Path("/proc", str(process_id), "root", path.lstrip("/"))
        self._descriptor = os.open(inside, DIRECTORY)
        # The host's own directory of this name is another file system.
        outside = Path("/proc", str(process_id), "root")
        if os.fstat(self._descriptor).st_dev == outside.stat().st_dev:
            self.close()
            raise FileNotFoundError(path)

    def announce_end(self) -> None:
        """Leave a file `stop` there, with the monotonic seconds of this moment.

        A recorder that collects what it will tell looks for it; see `Sandbox.end`.
        """
        with suppress(OSError):
            os.unlink(STOP_NAME, dir_fd=self._descriptor)
        with suppress(OSError):
            file = os.open(STOP_NAME, ANNOUNCED, 0o444, dir_fd=self._descriptor)
            try:
                os.write(file, f"{time.monotonic():.6f}\n".encode())
            finally:
                os.close(file)

    def read(self) -> Told:
        """Return what is there now."""
        files: dict[str, bytes] = {}
        problems: list[str] = []
        left = self._limit_bytes
        for name, descriptor in _regular_files(self._descriptor, "", 0):
            with open(descriptor, "rb") as file:  # noqa: PTH123  a descriptor has no path
                if len(files) >= FILES_MAX:
                    problems.append(f"more than {FILES_MAX} files were written")
                    break
                files[name] = content = file.read(left + 1)
            left -= len(content)
            if left < 0:
                problems.append(f"more than {self._limit_bytes} bytes were written")
                break
        space = os.fstatvfs(self._descriptor)
        if space.f_blocks and not space.f_bavail:
            problems.append("the memory for what the recorders write was used up")
        return Told(files, tuple(problems))

    def close(self) -> None:
        """Let go of the directory; again is no error."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _regular_files(directory: int, prefix: str, depth: int) -> Iterator[tuple[str, int]]:
    """Yield path and open descriptor of each regular file, in the order of names."""
    with suppress(OSError):
        for name in sorted(os.listdir(directory)):
            with suppress(OSError):
                descriptor = os.open(name, REGULAR, dir_fd=directory)
                mode = os.fstat(descriptor).st_mode
                if stat.S_ISREG(mode):
                    yield prefix + name, descriptor
                    continue
                try:
                    if stat.S_ISDIR(mode) and depth < DEPTH_MAX:
                        below = prefix + name + "/"
                        yield from _regular_files(descriptor, below, depth + 1)
                finally:
                    os.close(descriptor)
