"""Running ourselves beside an engine that is elsewhere, or that our user only borrows.

The helper is a container of the project's own image on the same engine: root there, and
among the processes that it has to trace. It gets the engine's socket, the files that the
command line names, and nothing of the image that is analyzed.
"""

import os
import shutil
import sys
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Final, TextIO

from vexxy.integrations.container_engine.adapter import Engine
from vexxy.integrations.container_engine.description import IN_HELPER
from vexxy.integrations.container_engine.failures import translated
from vexxy.integrations.container_engine.wire import ulimits
from vexxy.sandbox import processes, wire

SOCKET_INSIDE: Final = "/run/vexxy-engine.sock"
DATA_INSIDE: Final = "/var/lib/vexxy"
# Where an engine in a virtual machine has its socket, seen from inside that machine.
USUAL_SOCKETS: Final = {
    "docker": "/var/run/docker.sock",
    "podman": "/run/podman/podman.sock",
}
# To load kernel programs, read other processes and enter their networks, besides what
# an engine gives to every container.
CAPABILITIES: Final = ("SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG", "NET_ADMIN")
UNCONFINED: Final = ("seccomp=unconfined", "apparmor=unconfined", "label=disable")
OPEN_FILES_MAX: Final = 65536
STOP_SECONDS: Final = 20
# Root writes the results; they become the user's, and nothing else does that somebody
# writes to the same folders meanwhile. The exit code stays vexxy's own.
_SCRIPT: Final = """
touch -d "@$(($(date +%s) - 1))" /tmp/started  # some find only know whole seconds
vexxy "$@"
code=$?
printf '%s\\n' "$HELPER_RESULTS" | while IFS= read -r result; do
  if [ -n "$result" ] && [ -e "$result" ]; then
    find "$result" -xdev -user 0 -newer /tmp/started \\
      -exec chown -h "$HELPER_OWNER" {} +
  fi
done
exit $code
"""


@dataclass(frozen=True, slots=True)
class HelperRun:
    """What to run in the helper.

    Attributes:
        image: The project's own image on the engine.
        arguments: After `vexxy`, as the user gave them.
        readable: Files and folders that the arguments name; seen at the same paths.
        results: Files and folders to be written; the folder of each is seen at the
            same path. They belong to this process's user afterwards.
        data_directory: With the advisory database.
    """

    image: str
    arguments: Sequence[str]
    data_directory: Path
    readable: Sequence[Path] = ()
    results: Sequence[Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def run(engine: Engine, wanted: HelperRun) -> int:
    """Run the command in a helper, pass its output on, and return its exit code.

    Raises:
        EngineFailed: The engine could not run it, or went away.
    """
    with _created(engine, wanted) as container_id, translated("run the helper"):
        engine.client.start(container_id)
        told, complained = (
            engine.client.logs(
                container_id, stdout=out, stderr=not out, stream=True, follow=True
            )
            for out in (True, False)
        )
        listener = Thread(target=_pass_on, args=(complained, sys.stderr), daemon=True)
        listener.start()
        _pass_on(told, sys.stdout)
        listener.join()
        return int(engine.client.wait(container_id)["StatusCode"])


def creation(
    wanted: HelperRun, *, labels: Mapping[str, str], binds: Sequence[str]
) -> dict[str, Any]:
    """Return the body of `/containers/create` for a helper."""
    environment = {
        **wanted.environment,
        "VEXXY_ENGINE": f"unix://{SOCKET_INSIDE}",
        "VEXXY_DATA_DIRECTORY": DATA_INSIDE,
        IN_HELPER: "1",
        "COLUMNS": str(shutil.get_terminal_size().columns),
        "HELPER_OWNER": f"{os.geteuid()}:{os.getegid()}",
        "HELPER_RESULTS": "\n".join(str(path.absolute()) for path in wanted.results),
    }
    return {
        "Image": wanted.image,
        "Entrypoint": ["/bin/sh", "-c", _SCRIPT, "vexxy"],
        "Cmd": list(wanted.arguments),
        "WorkingDir": str(Path.cwd()),
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": dict(labels),
        "HostConfig": {
            # Less than "privileged": no devices, and no capability beyond these.
            "CapAdd": list(CAPABILITIES),
            "SecurityOpt": list(UNCONFINED),
            "MaskedPaths": [],
            "ReadonlyPaths": [],
            "PidMode": "host",
            "NetworkMode": "none",
            "Binds": list(binds),
            "Ulimits": ulimits(OPEN_FILES_MAX),
            "RestartPolicy": {"Name": "no"},
        },
    }


def binds(wanted: HelperRun, *, socket: str, storage: str) -> tuple[str, ...]:
    """Return what of the engine's machine the helper sees.

    Args:
        wanted: Names the user's files.
        socket: The engine's, on the engine's side.
        storage: Where the engine keeps images; the tracer reads their files there.
    """
    found = {
        SOCKET_INSIDE: f"{socket}:{SOCKET_INSIDE}",
        storage: f"{storage}:{storage}",
        "/sys": "/sys:/sys",
        DATA_INSIDE: f"{wanted.data_directory}:{DATA_INSIDE}",
    }
    for path in wanted.readable:
        found[str(path)] = f"{path}:{path}:ro"
    for path in _writable(wanted):
        found[str(path)] = f"{path}:{path}"
    return tuple(found.values())


def engine_socket(engine: Engine) -> str:
    """Return where the engine's socket is on the machine that the engine runs on."""
    info = engine.info()
    if info.host_processes and info.address.startswith("unix://"):
        return info.address.removeprefix("unix://")
    return USUAL_SOCKETS[info.name]


@contextmanager
def _created(engine: Engine, wanted: HelperRun) -> Iterator[str]:
    helper_id = uuid.uuid4().hex[:12]
    labels = wire.labels(
        f"helper-{helper_id}", processes.current_owner(), loaded_image=None, keep=False
    )
    wanted.data_directory.mkdir(parents=True, exist_ok=True)
    with translated("describe itself"):
        storage = str(engine.client.info()["DockerRootDir"])
    body = creation(
        wanted,
        labels=labels,
        binds=binds(wanted, socket=engine_socket(engine), storage=storage),
    )
    with translated("create the helper"):
        made = engine.client.create_container_from_config(  # type: ignore[no-untyped-call]
            body, name=f"vexxy-helper-{helper_id}"
        )
    container_id = str(made["Id"])
    try:
        yield container_id
    finally:
        # The helper removes its own sandboxes when it is asked to stop.
        engine.stop(container_id, timeout_seconds=STOP_SECONDS)
        engine.remove(container_id)


def _writable(wanted: HelperRun) -> tuple[Path, ...]:
    folders = [path.absolute().parent for path in wanted.results]
    return tuple(dict.fromkeys((Path.cwd(), *folders)))


def _pass_on(pieces: Iterable[bytes], stream: TextIO) -> None:
    for piece in pieces:
        stream.buffer.write(piece)
        stream.flush()
