"""How tightly an image runs, and when that is loosened.

The ladder: first nothing is granted; an attempt that fails for want of something gets
just that, once, and the reason is kept as evidence.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from vexxy.sandbox.types import (
    ContainerSpec,
    EngineInfo,
    Obstacle,
    Owner,
    Placement,
    Plan,
    Port,
    PortTraffic,
    Privileges,
    Relaxation,
    SandboxRequest,
    Scratch,
    TrafficReport,
)

# What an entry point that starts as root needs to prepare its files and become
# somebody else; nothing in it reaches outside the sandbox.
USUAL_CAPABILITIES: Final = (
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "KILL",
    "SETGID",
    "SETUID",
    "NET_BIND_SERVICE",
)
# Present in nearly every image that writes anything, and never holding code.
USUAL_SCRATCH: Final = ("/tmp", "/run", "/var/tmp", "/var/log", "/var/cache")  # noqa: S108  directories of the image, not of this machine
ALWAYS_SCRATCH: Final = frozenset({"/tmp", "/run"})  # noqa: S108  same
# Below these a directory that belongs to a service is where it keeps its state.
STATE_PARENTS: Final = ("/var/lib", "/var/spool")

HTTP_PROTOCOLS: Final = frozenset({"http", "https"})

IDENTITY_CALLS: Final = frozenset(
    {
        "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid",
        "setgroups", "setfsuid", "setfsgid",
    }
)  # fmt: skip
OWNERSHIP_CALLS: Final = frozenset(
    {"chown", "fchown", "lchown", "fchownat", "chmod", "fchmod", "fchmodat", "kill", "bind"}
)
KERNEL_SETTINGS: Final = ("/proc/sys/", "/sys/")
_BYTECODE: Final = re.compile(r"/__pycache__(/|$)|\.pyc(\.\d+)?$")
_DENIED_LOG: Final = re.compile(r"operation not permitted|permission denied", re.IGNORECASE)
_READ_ONLY_LOG: Final = re.compile(r"read-only file system", re.IGNORECASE)


class Refused(Protocol):
    """One thing the kernel refused the image; the tracer's `Refusal` is one."""

    @property
    def syscall(self) -> str:
        """Name of the system call."""

    @property
    def error(self) -> str:
        """`EPERM`, `EACCES` or `EROFS`."""

    @property
    def path(self) -> str:
        """What it was about; empty where the call has no path."""


def scratch_directories(
    present: Sequence[Scratch], *, volumes: Sequence[str]
) -> tuple[Scratch, ...]:
    """Return the directories to make writable, outermost only, by path.

    Args:
        present: Directories of the image that come into question, as they are there.
        volumes: Canonical paths that the image declared as volumes.
    """
    wanted = {path: Scratch(path, mode=0o1777) for path in ALWAYS_SCRATCH}
    for directory in present:
        parent = directory.path.rpartition("/")[0]
        state = parent in STATE_PARENTS and directory.user_id != 0
        usual = directory.path in USUAL_SCRATCH or parent in USUAL_SCRATCH
        if usual or state or directory.path in volumes:
            wanted[directory.path] = directory
    for path in volumes:
        wanted.setdefault(path, Scratch(path))
    wanted.pop("/", None)
    return tuple(
        wanted[path]
        for path in sorted(wanted)
        if not any(path.startswith(other + "/") for other in wanted)
    )


def container_spec(
    request: SandboxRequest,
    *,
    sandbox_id: str,
    labels: dict[str, str],
    scratch: tuple[Scratch, ...],
) -> ContainerSpec:
    """Return what the engine is told for this request."""
    limits = request.limits
    if request.attachments is not None:
        memory = limits.memory_bytes + request.attachments.told_bytes
        limits = replace(limits, memory_bytes=memory)
    return ContainerSpec(
        name=f"vexxy-{sandbox_id}",
        image_id=request.image.image_id,
        command=request.command,
        environment=request.environment,
        labels=labels,
        limits=limits,
        privileges=request.privileges,
        scratch=scratch,
        network_allowed=request.network_allowed,
        runtime=request.runtime,
        attachments=request.attachments,
    )


def relax(
    privileges: Privileges, obstacle: Obstacle, refusals: Sequence[Refused]
) -> Relaxation | None:
    """Return the next step down the ladder, None when none would help.

    A ready image is restarted for two things: a process that was not allowed to become
    another user does not do its work, though its port may be open; and an entry point
    that could not write may have gone on without a feature and said nothing.
    """
    needs_capabilities = _needs_capabilities(obstacle, refusals)
    needs_writing = _needs_writing(obstacle, refusals)
    if not (needs_capabilities or needs_writing or obstacle.ready):
        unexplained = not obstacle.refusals_known and obstacle.exit_code != 0
        if unexplained:
            needs_capabilities = needs_writing = "it failed and nothing told why"
    granted = Privileges(
        capabilities=USUAL_CAPABILITIES if needs_capabilities else privileges.capabilities,
        writable_root=privileges.writable_root or bool(needs_writing),
    )
    if granted == privileges:
        return None
    new_capabilities = granted.capabilities != privileges.capabilities
    new_writing = granted.writable_root != privileges.writable_root
    said = []
    if new_capabilities and needs_capabilities:
        said.append(f"given the usual capabilities: {needs_capabilities}")
    if new_writing and needs_writing:
        said.append(f"given a writable root file system: {needs_writing}")
    return Relaxation(granted, "; ".join(said))


def observation_limits(refusals: Sequence[Refused]) -> tuple[str, ...]:
    """Return sentences on refusals that may have kept an image from doing its work.

    An attempt to write compiled Python beside its source is none: images whose user
    may not write there live with it. Nor is one on the kernel's own settings, which
    are read-only in every container.
    """
    paths = sorted({refusal.path for refusal in refusals if _is_refused_write(refusal)})
    if not paths:
        return ()
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if paths[5:] else "")
    return (f"the image tried to write where its root is read-only: {shown}",)


def is_success(status: str) -> bool:
    """Tell whether an HTTP status says that what was asked for was done (2xx, 3xx)."""
    return len(status) == len("200") and status[0] in "23" and status.isdecimal()


def traffic_limits(ports: Sequence[Port], report: TrafficReport) -> tuple[str, ...]:
    """Return why the built-in driver's requests prove nothing, a sentence for each port.

    A server whose backend is missing answers everything, with errors; and what another
    port answers says nothing about the code behind this one.
    """
    if not report.sent:
        return ()
    nothing = PortTraffic()
    limits = (_port_limit(port, report.by_port.get(port.number, nothing)) for port in ports)
    return tuple(limit for limit in limits if limit)


def _port_limit(port: Port, traffic: PortTraffic) -> str:
    if port.protocol not in HTTP_PROTOCOLS:
        silent = f"nothing answered the built-in driver at port {port.number}"
        return "" if traffic.answered else f"{silent} ({port.protocol})"
    if any(map(is_success, traffic.statuses)):
        limit = f"port {port.number} was not exercised: {traffic.hindrance}"
        return limit if traffic.hindrance else ""
    counts = traffic.statuses
    told = ", ".join(f"{status}: {counts[status]}" for status in sorted(counts))
    why = told or ("none was answered" if traffic.sent else "none was sent")
    return f"no HTTP request to port {port.number} succeeded ({why})"


def blind_spots(runtime: str | None) -> tuple[str, ...]:
    """Return why a tracer in the host's kernel misses what runs under an OCI runtime.

    Source: gVisor's documentation, "What is gVisor?": the guest's system calls are
    answered by a kernel in user space; Kata's by one in a virtual machine.
    """
    name = (runtime or "").rpartition("/")[2]
    if name.startswith("runsc"):
        return ("the image ran under gVisor, whose own kernel hides what it does",)
    if name.startswith(("kata", "krun")):
        return (f"the image ran in a virtual machine ({name}), which hides what it does",)
    return ()


def is_gone(owner: Owner, here: Owner, started_ticks: int | None) -> bool | None:
    """Return whether the owner has ended; None when it cannot be told from here.

    Args:
        owner: Of the thing that was found.
        here: Any process of this machine, for its boot and process namespace.
        started_ticks: Start of the process that has the owner's process ID here now,
            None if there is none.
    """
    if owner.boot_id != here.boot_id or owner.pid_namespace != here.pid_namespace:
        return None
    return started_ticks != owner.started_ticks


def plan(
    engine: EngineInfo, *, root_here: bool, tracing: str | None, helper_image: bool
) -> Plan:
    """Return where an analysis has to run.

    Args:
        engine: The engine that will run the image.
        root_here: Whether this process may enter namespaces and trace the kernel.
        tracing: Why this kernel cannot be traced from here, None if it can.
        helper_image: Whether the engine has the project's own image.
    """
    obstacles = []
    if not engine.host_processes:
        obstacles.append("the engine's processes live in a virtual machine")
    if not root_here:
        obstacles.append("tracing and entering the sandbox's network need root")
    if tracing and engine.host_processes and root_here:
        obstacles.append(tracing)
    if not obstacles:
        return Plan(Placement.LOCAL)
    reasons = tuple(obstacles)
    if engine.rootless:
        return Plan(
            Placement.IMPOSSIBLE,
            (*reasons, "the engine runs without root, so no helper beside it can be root"),
            hint="run vexxy as root, or point --engine at a rootful engine",
        )
    if not helper_image:
        return Plan(
            Placement.IMPOSSIBLE,
            (*reasons, "the engine does not have the project's image"),
            hint="in the project's folder: docker build -t localhost/vexxy-enterprise .",
        )
    return Plan(Placement.HELPER, reasons)


def _needs_capabilities(obstacle: Obstacle, refusals: Sequence[Refused]) -> str | None:
    denied = [refusal for refusal in refusals if refusal.error != "EROFS"]
    for refusal in denied:
        if refusal.syscall in IDENTITY_CALLS:
            return f"{_named(refusal)} was refused ({refusal.error})"
    if obstacle.ready:
        return None
    for refusal in denied:
        if refusal.syscall in OWNERSHIP_CALLS or refusal.error == "EACCES":
            return f"{_named(refusal)} was refused ({refusal.error})"
    return _last_line(obstacle.logs, _DENIED_LOG)


def _needs_writing(obstacle: Obstacle, refusals: Sequence[Refused]) -> str | None:
    for refusal in refusals:
        if _is_refused_write(refusal):
            return f"{_named(refusal)} was refused (EROFS)"
    return None if obstacle.ready else _last_line(obstacle.logs, _READ_ONLY_LOG)


def _is_refused_write(refusal: Refused) -> bool:
    """Tell whether a writable root could have let through what was refused."""
    path = refusal.path
    kernels = path.startswith(KERNEL_SETTINGS) and "/../" not in path
    return refusal.error == "EROFS" and not kernels and not _BYTECODE.search(path)


def _named(refusal: Refused) -> str:
    return f"{refusal.syscall} {refusal.path}".rstrip()


def _last_line(logs: str, pattern: re.Pattern[str]) -> str | None:
    for line in reversed(logs.splitlines()):
        if pattern.search(line):
            return f"it wrote {line.strip()[:200]!r}"
    return None
