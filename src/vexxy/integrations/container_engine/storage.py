"""What lies on the host: mounts, scratch directories, control groups, sizes."""

import errno
import hashlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from vexxy.sandbox.types import Scratch

ROOTS_DIRECTORY: Final = Path("/run/vexxy/roots")
CONTROL_GROUPS: Final = Path("/sys/fs/cgroup")
NANOSECONDS: Final = 1e9
MICROSECONDS: Final = 1e6
MOUNT_SECONDS_MAX: Final = 30
# Two descriptors each; nothing that is not made to hide lies deeper.
DIRECTORIES_DEEP_MAX: Final = 128
# With both flags Linux calls a link no directory, as it does a file.
_INTO: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# What an image removes or replaces meanwhile, and what is not this user's to look at:
# without root nothing runs here, so the helper, which is root, measures it.
_VANISHED: Final = (FileNotFoundError, NotADirectoryError, PermissionError)


def give_to_owner(process_id: int, scratch: Scratch) -> None:
    """Give a scratch directory of a waiting container the owner it has in the image.

    The runtime fills it with the image's content but keeps it for root. Its path is
    canonical and nothing of the image runs yet, so no link can lead outside.
    """
    if scratch.user_id == 0 and scratch.group_id == 0:
        return
    inside = Path("/proc", str(process_id), "root", scratch.path.lstrip("/"))
    with suppress(OSError):
        os.chown(inside, scratch.user_id, scratch.group_id, follow_symlinks=False)


def mount_root(container_id: str, found: Mapping[str, Any]) -> Path | None:
    """Mount the layers of a Docker container read-only; return where, None if it fails.

    Docker mounts a container only while it runs. The mount is named after the container
    and is taken away with it, by whoever removes it.
    """
    data = (found.get("GraphDriver") or {}).get("Data") or {}
    lower, upper = data.get("LowerDir"), data.get("UpperDir")
    if not (lower and upper) or os.geteuid() != 0:
        return None
    target = ROOTS_DIRECTORY / container_id
    target.mkdir(parents=True, exist_ok=True)
    if _mount_layers([upper, *lower.split(":")], target):
        return target
    target.rmdir()
    return None


def _mount_layers(layers: Sequence[str], target: Path) -> bool:
    """Lay directories over each other, the topmost first; return whether that worked.

    The kernel takes one page of options, which the paths of some forty layers fill. So
    the layers are named by short links, which it follows once, while it mounts.
    """
    with TemporaryDirectory(dir=ROOTS_DIRECTORY) as links:
        names = [str(number) for number in range(len(layers))]
        for name, layer in zip(names, layers, strict=True):
            Path(links, name).symlink_to(layer)
        options = f"ro,lowerdir={':'.join(names)}"
        done = subprocess.run(
            ("mount", "-t", "overlay", "vexxy", "-o", options, str(target)),
            cwd=links,
            # From 2.39 on, mount hands over option by option, each 255 bytes at most.
            env={**os.environ, "LIBMOUNT_FORCE_MOUNT2": "always"},
            capture_output=True,
            check=False,
            timeout=MOUNT_SECONDS_MAX,
        )
    return done.returncode == 0


def unmount_root(container_id: str) -> None:
    """Take away what `mount_root` mounted; nothing mounted is no error."""
    target = ROOTS_DIRECTORY / container_id
    if not target.exists():
        return
    subprocess.run(
        ("umount", "-l", str(target)),
        capture_output=True,
        check=False,
        timeout=MOUNT_SECONDS_MAX,
    )
    with suppress(OSError):
        target.rmdir()


def manifest_digest(found: Mapping[str, Any]) -> str | None:
    """Return the digest of the manifest that Podman keeps with an image, None if unseen.

    Args:
        found: The answer of `/libpod/images/{id}/json`.
    """
    driver = found.get("GraphDriver") or {}
    upper = (driver.get("Data") or {}).get("UpperDir")
    if not upper:
        return None
    # <storage>/overlay/<layer>/diff, and beside it <storage>/overlay-images/<id>/manifest
    images = Path(upper).parents[2] / f"{driver.get('Name')}-images"
    try:
        content = (images / str(found["Id"]) / "manifest").read_bytes()
    except OSError:
        return None
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    listed = found.get("RepoDigests") or ()
    return digest if any(entry.endswith(f"@{digest}") for entry in listed) else None


def written(found: Mapping[str, Any]) -> tuple[int | None, bool]:
    """Return the bytes a container wrote to its own layer and volumes, None if unseen.

    And whether that is all: an image can hide what it writes from being measured.

    Args:
        found: The answer of `/containers/{id}/json`.
    """
    upper = ((found.get("GraphDriver") or {}).get("Data") or {}).get("UpperDir")
    mounts = found.get("Mounts") or ()
    volumes = [mount["Source"] for mount in mounts if mount.get("Type") == "volume"]
    places = [Path(place) for place in (upper, *volumes) if place]
    if not any(place.exists() for place in places):
        return None, True
    try:
        return sum(size for place in places for size in _sizes(place)), True
    except OSError:
        return None, False


def control_group_usage(process_id: int) -> tuple[int | None, float | None]:
    """Return peak memory in bytes and processor time in seconds of a process's group."""
    try:
        lines = Path("/proc", str(process_id), "cgroup").read_text().splitlines()
    except OSError:
        return None, None
    groups = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path.lstrip("/")
    memory = _number(CONTROL_GROUPS / groups.get("", "") / "memory.peak")
    if memory is None and "memory" in groups:
        directory = CONTROL_GROUPS / "memory" / groups["memory"]
        memory = _number(directory / "memory.max_usage_in_bytes")
    return memory, _processor_seconds(groups)


def _processor_seconds(groups: Mapping[str, str]) -> float | None:
    if "cpuacct" in groups:
        used = _number(CONTROL_GROUPS / "cpuacct" / groups["cpuacct"] / "cpuacct.usage")
        return None if used is None else used / NANOSECONDS
    with suppress(OSError, ValueError):
        path = CONTROL_GROUPS / groups.get("", "") / "cpu.stat"
        for line in path.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "usage_usec":
                return int(value) / MICROSECONDS
    return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _sizes(place: Path) -> Iterator[int]:
    """Yield the size of each file below; what vanishes meanwhile has none.

    Raises:
        OSError: Some of it cannot be looked at.
    """
    with suppress(*_VANISHED):
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        yield from _sizes_in(descriptor, deep=1)


def _sizes_in(directory: int, *, deep: int) -> Iterator[int]:
    """Yield sizes below an open directory, which is closed.

    Directories are opened one in another, because a path that an image made may be
    longer than any that the kernel takes.
    """
    try:
        with os.scandir(directory) as listing:
            for entry in listing:
                with suppress(*_VANISHED):
                    if not entry.is_dir(follow_symlinks=False):
                        yield entry.stat(follow_symlinks=False).st_blocks * 512
                    elif deep < DIRECTORIES_DEEP_MAX:
                        below = os.open(entry.name, _INTO, dir_fd=directory)
                        yield from _sizes_in(below, deep=deep + 1)
                    else:
                        raise OSError(errno.ELOOP, "directories too deep to be measured")
    finally:
        os.close(directory)
