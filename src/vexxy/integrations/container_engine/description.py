"""What an engine is: by its own account, or because we started it."""

import os
from collections.abc import Mapping
from typing import Any, Final

import docker

from vexxy.images.types import Platform
from vexxy.integrations.container_engine import wire
from vexxy.integrations.container_engine.failures import translated
from vexxy.sandbox.types import EngineInfo

PING_SECONDS: Final = 10
# Set in a helper beside the engine; see `helper`.
IN_HELPER: Final = "VEXXY_IN_HELPER"


def describe(client: docker.APIClient, address: str) -> EngineInfo:
    """Ask the engine what it is."""
    # Not `/version`: Podman takes half a second to ask its runtime for one.
    with translated("describe itself"):
        found = client.info()
        answer = client.get(f"{client.base_url}/_ping", timeout=PING_SECONDS)
    podman = "Libpod-Api-Version" in answer.headers
    return EngineInfo(
        name="podman" if podman else "docker",
        version=str(found.get("ServerVersion") or ""),
        address=address,
        platform=Platform(
            os=found.get("OSType") or "linux",
            architecture=wire.architecture(found.get("Architecture") or ""),
        ),
        rootless=bool(found.get("Rootless"))
        or any("rootless" in option for option in found.get("SecurityOptions") or ()),
        default_runtime=found.get("DefaultRuntime") or "",
        runtimes=tuple(sorted(found.get("Runtimes") or ())),
        host_processes=_shares_kernel(found, address),
        starts_in_two_steps=podman,
    )


def describe_own(client: docker.APIClient, address: str, runtime: str | None) -> EngineInfo:
    """Return what a Podman service of our own is; it need not be asked.

    Asking costs a quarter of a second, for it looks at every image and container.
    """
    with translated("answer"):
        answer = client.get(f"{client.base_url}/_ping", timeout=PING_SECONDS)
    here = os.uname()
    return EngineInfo(
        name="podman",
        version=str(answer.headers.get("Libpod-Api-Version", "")),
        address=address,
        platform=Platform(
            os=here.sysname.lower(), architecture=wire.architecture(here.machine)
        ),
        rootless=os.geteuid() != 0,
        default_runtime=runtime or "",
        runtimes=(runtime,) if runtime else (),
        host_processes=True,
        starts_in_two_steps=True,
    )


def _shares_kernel(found: Mapping[str, Any], address: str) -> bool:
    """Return whether the engine runs on the kernel that this process runs on.

    Another machine may run the same release, so it has to be a socket of this one.

    Docker Desktop for Windows shares a kernel with its user and no processes; only from
    inside a helper are they seen.
    """
    here = os.uname()
    desktop = "desktop" in str(found.get("OperatingSystem", "")).lower()
    return (
        here.sysname == "Linux"
        and address.startswith("unix://")
        and found.get("KernelVersion") == here.release
        and (not desktop or IN_HELPER in os.environ)
    )
