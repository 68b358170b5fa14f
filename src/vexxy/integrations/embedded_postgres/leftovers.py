"""What an earlier program left: a server without a master, a stale pid file."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from vexxy.integrations.embedded_postgres import cluster
from vexxy.integrations.embedded_postgres.errors import DatabaseFailed

# A server whose program was killed is already stopping, so asking comes second. Killed
# as a whole it loses nothing: the next one recovers what was committed.
STEPS: Final = (
    (None, 2.0),
    (signal.SIGINT, 10.0),
    (signal.SIGQUIT, 5.0),
    (signal.SIGKILL, 5.0),
)
CHECK_SECONDS: Final = 0.02
STATE_LINE: Final = 7


def state(directory: Path) -> tuple[int, str] | None:
    """Return pid and state from the server's own file, or None when there is none."""
    try:
        lines = _pid_file(directory).read_text().splitlines()
        return int(lines[0]), lines[STATE_LINE].strip() if len(lines) > STATE_LINE else ""
    except (FileNotFoundError, ValueError, IndexError):
        return None


def end(directory: Path) -> None:
    """End the server that runs on this directory, and remove the file of one that died.

    The caller holds the directory's lock, so whoever runs there has lost its master.
    PostgreSQL takes a pid file for a living server's when its number belongs to any
    process by now, and does not start beside a process that outlived a killed server;
    here only those that work in the cluster's folder count, and they are ended.

    Raises:
        DatabaseFailed: They cannot be ended.
    """
    for number, seconds in STEPS:
        left = _members(directory)
        if number is not None:
            for pid in left:
                _send(pid, number)
                _send(pid, signal.SIGCONT)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(CHECK_SECONDS)
            left = _members(directory)
        if not left:
            _pid_file(directory).unlink(missing_ok=True)
            return
    raise DatabaseFailed(
        f"an earlier PostgreSQL does not end: {', '.join(map(str, left))}",
        hint="is the disk they wait for answering?",
    )


def _members(directory: Path) -> list[int]:
    """Return the server's processes: they work in the cluster's folder."""
    folder = directory / cluster.CLUSTER
    if not folder.exists():
        return []
    return [
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdecimal() and _works_in(process, folder)
    ]


def _works_in(process: Path, folder: Path) -> bool:
    try:
        named = (process / "comm").read_text() == "postgres\n"
        return named and (process / "cwd").samefile(folder)
    except OSError:
        return False


def _send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _pid_file(directory: Path) -> Path:
    return directory / cluster.CLUSTER / "postmaster.pid"
