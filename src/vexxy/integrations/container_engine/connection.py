"""Where an engine answers, and the first one that does."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import docker
import requests
import urllib3
from docker import errors as docker_errors

from vexxy.integrations.container_engine.adapter import Engine
from vexxy.integrations.container_engine.description import describe_own
from vexxy.integrations.container_engine.podman_service import (
    PodmanService,
    find_runtime,
)
from vexxy.sandbox.errors import EngineUnavailable

API_VERSION: Final = "1.41"
# Long enough for the slowest honest answer, a load of a large archive on a slow disk.
ANSWER_SECONDS_MAX: Final = 600
PING_SECONDS_MAX: Final = 5
ROOTFUL_SOCKETS: Final = ("/run/podman/podman.sock", "/run/docker.sock")
USER_SOCKETS: Final = ("podman/podman.sock", "docker.sock")
ENVIRONMENT: Final = ("DOCKER_HOST", "CONTAINER_HOST")


def open_engine(address: str | None = None, *, runtime: str | None = None) -> Engine:
    """Return an engine that answers.

    Order: the address given; DOCKER_HOST and CONTAINER_HOST; the usual sockets; a
    Podman service of our own, which ends with the calling thread.

    Args:
        address: Only this one is tried when given.
        runtime: OCI runtime that is needed. Podman takes it for a whole service, so
            with a runtime a service of our own is preferred to Podman's socket.

    Raises:
        EngineUnavailable: None answers, with what was tried.
    """
    tried = []
    for candidate in candidates(address):
        engine = _connect(candidate)
        if engine is None:
            tried.append(candidate)
        elif address is None and _is_no_use(engine, runtime):
            engine.close()
            tried.append(candidate)
        else:
            return engine
    if address is not None:
        raise EngineUnavailable(
            f"no container engine answers at {address}",
            hint="start it, or leave the address away to look for one",
        )
    service = PodmanService(runtime=runtime or find_runtime())
    engine = _connect(service.address, service=service)
    if engine is None:
        service.close()
        raise EngineUnavailable(
            "podman's service started but does not answer; tried before: "
            + (", ".join(tried) or "nothing")
        )
    return engine


def candidates(address: str | None) -> Iterator[str]:
    """Yield the addresses to try, best first."""
    if address is not None:
        yield address
        return
    for name in ENVIRONMENT:
        if os.environ.get(name):
            yield os.environ[name]
    user = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    rootful = [Path(path) for path in ROOTFUL_SOCKETS]
    rootless = [user / path for path in USER_SOCKETS]
    desktop = Path.home() / ".docker" / "run" / "docker.sock"
    for path in (*rootful, *rootless, desktop):
        if path.is_socket():
            yield f"unix://{path}"


def _is_no_use(engine: Engine, runtime: str | None) -> bool:
    """Return whether a Podman service of our own would do what this engine cannot."""
    info = engine.info()
    if info.name != "podman" or not info.host_processes:
        return False
    return bool(runtime) or (info.default_runtime == "crun" and find_runtime() == "runc")


def _connect(address: str, *, service: PodmanService | None = None) -> Engine | None:
    try:
        client = docker.APIClient(
            base_url=address, version=API_VERSION, timeout=PING_SECONDS_MAX
        )
        client.ping()
    except (
        docker_errors.DockerException,
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        OSError,
    ):
        return None
    client.timeout = ANSWER_SECONDS_MAX
    if service is None:
        return Engine(client, address=address, on_close=_nothing)
    known = describe_own(client, address, service.runtime)
    return Engine(client, address=address, on_close=service.close, known=known)


def _nothing() -> None:
    """Do nothing: an engine that was there before us stays."""
