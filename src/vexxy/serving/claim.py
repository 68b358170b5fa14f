"""The claim on a data directory, and what an earlier program left running in it."""

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vexxy.serving.errors import DataDirectoryInUse, DataDirectoryUnusable

END_SECONDS_MAX: Final = 20.0
CHECK_SECONDS: Final = 0.05
START_TIME_FIELD: Final = 21


@contextmanager
def claimed(data_directory: Path) -> Iterator[Path]:
    """Hold the directory for this process alone; provide its folder for what runs.

    The claim ends with the process, however that ends.

    Raises:
        DataDirectoryInUse: Another process holds it.
        DataDirectoryUnusable: It cannot be made or written.
    """
    folder = data_directory / "run"
    try:
        # Where root serves, another account runs the database and has to pass.
        mode = 0o711 if os.geteuid() == 0 else 0o700
        data_directory.mkdir(mode=mode, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / "serve.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DataDirectoryUnusable(
            data_directory, reason=error.strerror or str(error)
        ) from error
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataDirectoryInUse(data_directory, pid=lock.read().strip()) from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield folder


def record(folder: Path, pids: Iterable[int]) -> None:
    """Write down what runs, for the start after a kill."""
    known = {pid: started for pid in pids if (started := _started_at(pid))}
    if _recorded(folder) == list(known.items()):
        return
    fresh = folder / "processes.new"
    fresh.write_text(json.dumps(known))
    fresh.rename(folder / "processes.json")


def end_leftovers(folder: Path) -> int:
    """End what an earlier program wrote down and left; return how many those were.

    A pid is believed only with the start time it had: numbers are used again.
    """
    left = {pid: started for pid, started in _recorded(folder) if _runs(pid, started)}
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, started in left.items():
            if _runs(pid, started):
                os.kill(pid, number)
        deadline = time.monotonic() + END_SECONDS_MAX
        while time.monotonic() < deadline:
            if not any(_runs(pid, started) for pid, started in left.items()):
                return len(left)
            time.sleep(CHECK_SECONDS)
    return len(left)


def _recorded(folder: Path) -> list[tuple[int, str]]:
    try:
        found = json.loads((folder / "processes.json").read_bytes())
        return [(int(pid), str(started)) for pid, started in found.items()]
    except (FileNotFoundError, ValueError, AttributeError):
        return []


def _runs(pid: int, started: str) -> bool:
    return _started_at(pid) == started


def _started_at(pid: int) -> str:
    """Return the kernel's word for when it was started; empty when it is gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    ended = {"Z", "X"}
    return "" if words[0] in ended else words[START_TIME_FIELD - 2]
