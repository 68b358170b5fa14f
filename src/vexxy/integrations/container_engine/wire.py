"""The engines' JSON and our values.

Source: Docker Engine API 1.41 (`/images/{id}/json`, `/containers/create`, `/info`) and
libpod API 4 where it says more.
"""

import resource
from collections.abc import Mapping
from typing import Any, Final

from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.images.wire.config import health_check
from vexxy.sandbox.types import ContainerSpec, ContainerState, ContainerStatus

Json = Mapping[str, Any]

PORT_MAX: Final = 65535
PORT_DIGITS_MAX: Final = 5
SCRATCH_OPTIONS: Final = "rw,exec,nosuid,nodev"
TOLD_OPTIONS: Final = "rw,noexec,nosuid,nodev"
FILES_SUFFIX: Final = "-files.vexxy"
LOG_SIZE_MAX: Final = "8m"
# Names of machines as `uname -m` has them, to the words of the OCI specification.
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}
_RUNNING: Final = frozenset({"running", "paused", "restarting", "stopping"})


def architecture(name: str) -> str:
    """Return the OCI word for a machine's name."""
    return _ARCHITECTURES.get(name, name)


def with_algorithm(image_id: str) -> str:
    """Return the ID with `sha256:`, which Podman's own endpoints leave out."""
    return image_id if ":" in image_id else f"sha256:{image_id}"


def image_from(found: Json, *, reference: str, manifest_digest: str | None) -> Image:
    """Return the image that `/images/{id}/json` describes.

    Args:
        found: The answer.
        reference: What the user named.
        manifest_digest: Of this platform, when the engine told; Docker does not, and
            then the only repository digest there is stands in for it.
    """
    repo_digests = tuple(sorted(found.get("RepoDigests") or ()))
    digests = {entry.rpartition("@")[2] for entry in repo_digests}
    if manifest_digest is None and len(digests) == 1:
        (manifest_digest,) = digests
    others = sorted(digests - {manifest_digest})
    names = [name for name in found.get("RepoTags") or () if "<none>" not in name]
    named = names[0] if names else (repo_digests[0] if repo_digests else "")
    return Image(
        reference=reference,
        name=named.partition("@")[0].rpartition("/")[2].partition(":")[0],
        image_id=with_algorithm(found["Id"]),
        manifest_digest=manifest_digest,
        index_digest=others[0] if others else None,
        repo_digests=repo_digests,
        platform=Platform(
            os=found.get("Os") or "linux",
            architecture=found.get("Architecture") or "",
            variant=found.get("Variant") or None,
        ),
        config=config_from(
            {
                # Podman has it beside the configuration, Docker inside.
                "Healthcheck": found.get("Healthcheck") or {},
                **(found.get("Config") or {}),
            }
        ),
        size_bytes=int(found.get("Size") or 0),
    )


def config_from(found: Json) -> ImageConfig:
    """Return the image configuration; absent fields are empty."""
    environment = dict(
        entry.split("=", 1) for entry in found.get("Env") or () if "=" in entry
    )
    return ImageConfig(
        user=found.get("User") or "",
        exposed_ports=tcp_ports(found.get("ExposedPorts") or {}),
        entrypoint=tuple(found.get("Entrypoint") or ()),
        command=tuple(found.get("Cmd") or ()),
        environment=environment,
        working_directory=found.get("WorkingDir") or "",
        volumes=tuple(sorted(found.get("Volumes") or ())),
        labels=dict(found.get("Labels") or {}),
        stop_signal=found.get("StopSignal") or "SIGTERM",
        health_check=health_check(found.get("Healthcheck") or {}),
    )


def tcp_ports(exposed: Json) -> tuple[int, ...]:
    """Return the TCP ports of `ExposedPorts`, ranges included, ascending.

    What is no port number is left out: an image may declare anything.
    """
    ports: set[int] = set()
    for entry in exposed:
        numbers, _, protocol = entry.partition("/")
        first, _, last = numbers.partition("-")
        if protocol not in {"", "tcp"} or not _is_short_number(first):
            continue
        end = int(last) if _is_short_number(last) else PORT_MAX if last else int(first)
        ports.update(range(max(int(first), 1), min(end, PORT_MAX) + 1))
    return tuple(sorted(ports))


def _is_short_number(text: str) -> bool:
    """Tell a number that may be a port's; Python takes seconds for very long ones."""
    return len(text) <= PORT_DIGITS_MAX and text.isascii() and text.isdecimal()


def state_from(found: Json) -> ContainerState:
    """Return the state that `/containers/{id}/json` tells."""
    state = found["State"]
    word = state.get("Status") or ""
    if word in _RUNNING:
        status = ContainerStatus.RUNNING
    elif word in {"created", "initialized", "configured"}:
        status = ContainerStatus.CREATED
    else:
        status = ContainerStatus.EXITED
    ended = status is ContainerStatus.EXITED
    return ContainerState(
        status=status,
        process_id=None if ended else int(state.get("Pid") or 0) or None,
        exit_code=int(state.get("ExitCode") or 0) if ended else None,
        out_of_memory=bool(state.get("OOMKilled")),
    )


def creation(spec: ContainerSpec, *, copies_into_memory: bool) -> dict[str, Any]:
    """Return the body of `/containers/create`.

    Args:
        spec: What to create.
        copies_into_memory: True where a file system in memory is filled with what the
            image has there (Podman); else scratch space with content is a volume.
    """
    body: dict[str, Any] = {
        "Image": spec.image_id,
        "Labels": dict(spec.labels),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        # Its own check would run as part of the image, unasked and unobserved by us.
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(spec, copies_into_memory=copies_into_memory),
    }
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    return body


def _host_config(spec: ContainerSpec, *, copies_into_memory: bool) -> dict[str, Any]:
    limits = spec.limits
    in_memory, on_disk = _scratch(spec, copies_into_memory=copies_into_memory)
    found: dict[str, Any] = {
        "NetworkMode": "bridge" if spec.network_allowed else "none",
        "CapDrop": ["ALL"],
        "CapAdd": list(spec.privileges.capabilities),
        "SecurityOpt": ["no-new-privileges"],
        "ReadonlyRootfs": not spec.privileges.writable_root,
        "Tmpfs": in_memory,
        "Mounts": [
            *({"Type": "volume", "Target": path} for path in on_disk),
            *attached_files(spec, read_only=True),
        ],
        "IpcMode": "private",
        "PidsLimit": limits.process_count,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": int(limits.cpus * 1e9),
        "Ulimits": ulimits(limits.open_files),
        # The image's user may not be root and may want port 80 all the same.
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "RestartPolicy": {"Name": "no"},
        "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG_SIZE_MAX}},
    }
    if spec.runtime:
        found["Runtime"] = spec.runtime
    return found


def _scratch(
    spec: ContainerSpec, *, copies_into_memory: bool
) -> tuple[dict[str, str], list[str]]:
    in_memory = {}
    on_disk = []
    for scratch in spec.scratch:
        options = (
            f"{SCRATCH_OPTIONS},size={spec.limits.scratch_bytes},mode={scratch.mode:04o}"
        )
        fits = scratch.size_bytes <= spec.limits.scratch_bytes // 4
        if copies_into_memory and fits:
            in_memory[scratch.path] = options
        elif scratch.mode & 0o1000 and not scratch.size_bytes:
            owner = f",uid={scratch.user_id},gid={scratch.group_id}"
            in_memory[scratch.path] = options + owner
        else:
            on_disk.append(scratch.path)
    if spec.attachments is not None:
        size = spec.attachments.told_bytes
        in_memory[spec.attachments.told_path] = f"{TOLD_OPTIONS},size={size},mode=1777"
    return in_memory, on_disk


def attached_files(spec: ContainerSpec, *, read_only: bool) -> list[dict[str, Any]]:
    """Return the mount of the volume with attached files, none without any."""
    if spec.attachments is None:
        return []
    return [
        {
            "Type": "volume",
            "Source": spec.name + FILES_SUFFIX,
            "Target": spec.attachments.path,
            "ReadOnly": read_only,
        }
    ]


def attached_volumes(found: Json) -> list[str]:
    """Return the volumes with attached files that a container's description names."""
    names = (str(mount.get("Name") or "") for mount in found.get("Mounts") or ())
    return [name for name in names if name.endswith(FILES_SUFFIX)]


def carrier(spec: ContainerSpec) -> dict[str, Any]:
    """Return the body of a container that never runs, through which files are put."""
    return {
        "Image": spec.image_id,
        "Labels": dict(spec.labels),
        "Cmd": ["/never-started"],
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "Mounts": attached_files(spec, read_only=False),
        },
    }


def ulimits(open_files: int) -> list[dict[str, object]]:
    """Return limits that never exceed our own: an engine may be unable to raise any."""
    wanted = {
        "nofile": (resource.RLIMIT_NOFILE, open_files),
        # Processes of one user anywhere on the host; the control group limits the rest.
        "nproc": (resource.RLIMIT_NPROC, 4096),
    }
    found: list[dict[str, object]] = []
    for name, (number, value) in wanted.items():
        hard = resource.getrlimit(number)[1]
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        found.append({"Name": name, "Soft": limit, "Hard": limit})
    return found
