"""What an earlier program left: a server without a master, a stale pid file."""

import os
import signal
import time
from pathlib import Path
from typing import Final

from vexxy.integrations.embedded_postgres import cluster
from vexxy.integrations.embedded_postgres.errors import DatabaseFailed

# A server whose program was killed is already stopping, so asking comes second.
STEPS: Final = ((None, 2.0), (signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0))
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
    """End a server that runs on this directory, and remove the file of one that died.

    The caller holds the directory's lock, so whoever runs there has lost its master.
    PostgreSQL takes a pid file for a living server's when its number belongs to any
    process by now; only one that works in the cluster's folder is one.

    Raises:
        DatabaseFailed: It cannot be ended.
    """
    found = state(directory)
    if found is None:
        return
    pid = found[0]
    for number, seconds in STEPS:
        if number is not None and _runs(pid, directory):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while _runs(pid, directory) and time.monotonic() < deadline:
            time.sleep(CHECK_SECONDS)
    if _runs(pid, directory):
        raise DatabaseFailed(
            f"an earlier PostgreSQL, process {pid}, does not end",
            hint=f"end it: kill -QUIT {pid}",
        )
    _pid_file(directory).unlink(missing_ok=True)


def _runs(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(directory / cluster.CLUSTER)
    except OSError:
        return False


def _pid_file(directory: Path) -> Path:
    return directory / cluster.CLUSTER / "postmaster.pid"
