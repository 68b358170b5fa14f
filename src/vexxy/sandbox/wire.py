"""Owners and loaded images as labels of a container, and back."""

from collections.abc import Mapping
from typing import Final

from vexxy.sandbox.types import Owner

SANDBOX_LABEL: Final = "io.vexxy.sandbox"
OWNER_LABEL: Final = "io.vexxy.owner-pid"
STARTED_LABEL: Final = "io.vexxy.owner-started"
BOOT_LABEL: Final = "io.vexxy.owner-boot"
NAMESPACE_LABEL: Final = "io.vexxy.owner-pid-namespace"
LOADED_LABEL: Final = "io.vexxy.loaded-image"
KEPT_LABEL: Final = "io.vexxy.keep"
JOB_LABEL: Final = "io.vexxy.job"


def labels(
    sandbox_id: str,
    owner: Owner,
    *,
    loaded_image: str | None,
    keep: bool,
    job_id: str | None = None,
) -> dict[str, str]:
    """Return the labels of a container that belongs to `owner`.

    Args:
        sandbox_id: Names the sandbox.
        owner: The process that has to remove it.
        loaded_image: ID of an image that goes with the container, None if it stays.
        keep: The user wants it kept, so that no sweep removes it.
        job_id: The analysis it is of, for whoever outlives the process that has it.
    """
    found = {
        SANDBOX_LABEL: sandbox_id,
        OWNER_LABEL: str(owner.process_id),
        STARTED_LABEL: str(owner.started_ticks),
        BOOT_LABEL: owner.boot_id,
        NAMESPACE_LABEL: owner.pid_namespace,
    }
    if loaded_image:
        found[LOADED_LABEL] = loaded_image
    if keep:
        found[KEPT_LABEL] = "true"
    if job_id:
        found[JOB_LABEL] = job_id
    return found


def find_owner(found: Mapping[str, str]) -> Owner | None:
    """Return the owner that labels name, None when they are not whole."""
    process_id = found.get(OWNER_LABEL, "")
    started = found.get(STARTED_LABEL, "")
    if not (process_id.isdecimal() and started.isdecimal()):
        return None
    return Owner(
        process_id=int(process_id),
        started_ticks=int(started),
        boot_id=found.get(BOOT_LABEL, ""),
        pid_namespace=found.get(NAMESPACE_LABEL, ""),
    )
