"""Processes that outlived both their guard and their worker.

Every process of a job has a mark in its environment that names its worker. It is found
there even when it left its parents, its session and its group.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from vexxy.sandbox import processes

NAME: Final = "CHILD_OF_VEXXY"
GUARD: Final = Path(__file__).with_name("guard.py")
AGAIN_SECONDS: Final = 0.01


def mark() -> str:
    """Return a new mark of this worker's."""
    worker = os.getpid()
    return f"{worker}:{processes.find_started_ticks(worker)}:{uuid4().hex}"


def end(wanted: str) -> None:
    """Kill every process with the mark, until there is none."""
    while found := _marked().get(wanted):
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(AGAIN_SECONDS)


def sweep() -> int:
    """Kill what belongs to workers that are gone, unless a guard sees to it.

    Returns:
        How many jobs had left something.
    """
    ended = 0
    for wanted, found in _marked().items():
        worker, started, _ = wanted.split(":")
        alive = str(processes.find_started_ticks(int(worker))) == started
        if not alive and not any(_is_guard(pid) for pid in found):
            end(wanted)
            ended += 1
    return ended


def _marked() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    prefix = f"{NAME}=".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            variables = path.read_bytes().split(b"\0")
        except OSError:
            continue
        for variable in variables:
            if variable.startswith(prefix) and variable.count(b":") == 2:  # noqa: PLR2004
                wanted = variable.removeprefix(prefix).decode("ascii", "replace")
                if wanted.split(":")[0].isdecimal():
                    found.setdefault(wanted, []).append(int(path.parent.name))
    return found


def _is_guard(pid: int) -> bool:
    try:
        return os.fsencode(GUARD) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
