"""What an engine says while it fetches and loads images."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from vexxy.integrations.container_engine.failures import refused
from vexxy.kit.progress import Listener, Progress

PULLING: Final = "Pulling image"
_LOADED: Final = ("Loaded image ID: ", "Loaded image(s): ", "Loaded image: ")


def follow_pull(
    events: Iterable[Mapping[str, Any]], *, reference: str, listener: Listener
) -> None:
    """Tell the listener how far a pull is; percent is of the bytes known so far.

    Raises:
        EngineFailed: The engine said that it failed.
    """
    done: dict[str, int] = {}
    wanted: dict[str, int] = {}
    failed = ""
    for event in events:
        # Read to the end, or the connection is left to the garbage collector.
        failed = failed or str(event.get("error") or "")
        detail = event.get("progressDetail") or {}
        layer = str(event.get("id", ""))
        if detail.get("total"):
            done[layer] = int(detail.get("current") or 0)
            wanted[layer] = int(detail["total"])
        total = sum(wanted.values())
        percent = min(100, 100 * sum(done.values()) // total) if total else 0
        listener(Progress(PULLING, percent, detail=str(event.get("status") or "")))
    if failed:
        raise refused(f"pull {reference}", failed)


def loaded_names(said: str) -> tuple[str, ...]:
    """Return the names and IDs in an engine's answer to `/images/load`."""
    found: dict[str, None] = {}
    for line in said.splitlines():
        for prefix in _LOADED:
            if line.startswith(prefix):
                names = line.removeprefix(prefix).split(",")
                found.update(dict.fromkeys(name.strip() for name in names if name.strip()))
                break
    return tuple(found)
