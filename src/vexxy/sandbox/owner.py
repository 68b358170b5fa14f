"""Which process a sandbox belongs to, read from `/proc`."""

import os
from pathlib import Path
from typing import Final

from vexxy.sandbox.types import Owner

# proc_pid_stat(5): field 22, of which the first two hold a name that may have spaces.
STARTED_FIELD: Final = 22 - 3


def current() -> Owner:
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
