"""What `/proc` tells of processes: our own, and those of a sandbox."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

from vexxy.sandbox.types import Owner

# proc_pid_stat(5): field 22, of which the first two hold a name that may have spaces.
STARTED_FIELD: Final = 22 - 3


def current_owner() -> Owner:
    """Return this process as an owner."""
    process_id = os.getpid()
    return Owner(
        process_id=process_id,
        started_ticks=find_started_ticks(process_id) or 0,
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        pid_namespace=_link("/proc/self/ns/pid"),
    )


def find_started_ticks(process_id: int) -> int | None:
    """Return when a process started, in ticks since boot; None when there is none."""
    text = _read(f"/proc/{process_id}/stat")
    fields = text.rpartition(")")[2].split()
    if len(fields) <= STARTED_FIELD or fields[0] in {"Z", "X"}:
        return None
    return int(fields[STARTED_FIELD])


def descendants(process_id: int) -> tuple[int, ...]:
    """Return a process and its descendants, as far as they can be seen."""
    found = []
    pending = [process_id]
    while pending:
        parent = pending.pop()
        found.append(parent)
        for path in Path("/proc", str(parent), "task").glob("*/children"):
            with suppress(OSError):
                pending += map(int, path.read_text().split())
    return tuple(sorted(found))


def handles_signal(process_id: int, name: str) -> bool:
    """Return whether a process has a handler for a signal, named or numbered.

    True also when it cannot be told.
    """
    word = name.upper()
    known = {number.name: number.value for number in signal.Signals}
    number = int(word) if word.isdecimal() else known.get(f"SIG{word.removeprefix('SIG')}")
    for line in _read(f"/proc/{process_id}/status").splitlines():
        if line.startswith("SigCgt:") and number:
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return True


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""
