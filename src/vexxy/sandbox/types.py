"""Values of a sandbox: what may run, how tightly, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from vexxy.images.types import Image, Platform

MIB: Final = 1024 * 1024
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a container engine says about itself.

    Attributes:
        name: `podman` or `docker`.
        address: Where it answers, such as `unix:///run/podman/podman.sock`.
        rootless: True when its containers live in a user namespace of one user.
        default_runtime: OCI runtime it uses when none is asked for.
        runtimes: OCI runtimes it knows by name; may be incomplete for Podman.
        host_processes: True when this process sees the containers' processes in its
            own `/proc`, with a host process ID; False for a virtual machine.
        starts_in_two_steps: True when a container's first process can be held back
            with its namespaces already there (`init`, then `start`).
    """

    name: str
    version: str
    address: str
    platform: Platform
    rootless: bool
    default_runtime: str
    runtimes: tuple[str, ...]
    host_processes: bool
    starts_in_two_steps: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What one sandbox may use at most; everything beyond is refused by the kernel.

    Attributes:
        memory_bytes: Memory of all processes together, scratch space included.
        scratch_bytes: Size of each writable scratch directory.
        disk_bytes: What may be written when the root file system is writable.
    """

    memory_bytes: int = 1024 * MIB
    cpus: float = 2.0
    process_count: int = 512
    open_files: int = 4096
    scratch_bytes: int = 256 * MIB
    disk_bytes: int = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Privileges:
    """What a sandbox is allowed beyond the strictest setting.

    Attributes:
        capabilities: Names without the `CAP_` prefix, in the kernel's order.
        writable_root: Whether the image may write to its own root file system.
    """

    capabilities: tuple[str, ...] = ()
    writable_root: bool = False


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A step down from the strictest setting, with the reason it was taken."""

    privileges: Privileges
    reason: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an attempt is no good, as far as it is known.

    Attributes:
        ready: Whether it became ready all the same.
        exit_code: Of its first process, None while it runs.
        logs: The end of its output.
        refusals_known: False when nothing recorded what the kernel refused.
    """

    ready: bool
    exit_code: int | None
    logs: str
    refusals_known: bool


@dataclass(frozen=True, slots=True)
class Scratch:
    """A directory that is writable although the root file system is not.

    Attributes:
        user_id: Owner in the image, which the new file system must have, too.
        size_bytes: What the image has there, to be copied.
    """

    path: str
    user_id: int = 0
    group_id: int = 0
    mode: int = 0o755
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Attachments:
    """Files of ours beside the image's own, and a place where they may tell something.

    Attributes:
        files: Content by path below `path`; world-readable, nobody can change them.
        path: Directory of the files, which the image must not have.
        told_path: Directory in memory that anybody may write to; same.
        told_bytes: What fits there; it comes on top of the memory limit.
    """

    files: Mapping[str, bytes]
    path: str = "/.vexxy"
    told_path: str = "/.vexxy-out"
    told_bytes: int = 128 * MIB


@dataclass(frozen=True, slots=True)
class SandboxRequest:
    """One sandbox that somebody wants.

    Attributes:
        image: What runs is its `image_id`, never its reference.
        environment: Added to the image's own; secrets, so never logged.
        command: Replaces the image's command, None keeps it.
        ports: TCP ports to wait for; empty means the image's `ExposedPorts`, else
            those it is seen listening on.
        network_allowed: False gives a network of its own with nothing but loopback.
        runtime: OCI runtime to ask for (`runsc`), None for the engine's usual one.
    """

    image: Image
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None
    ports: tuple[int, ...] = ()
    network_allowed: bool = False
    runtime: str | None = None
    limits: Limits = field(default_factory=Limits)
    privileges: Privileges = field(default_factory=Privileges)
    attachments: Attachments | None = None


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What an engine is told to create; `sandbox.rules` makes it from a request.

    Attributes:
        image_id: Digest of the configuration; the engine must use exactly this image.
        scratch: Directories that get a writable file system of their own, filled with
            what the image has there, and removed with the container.
    """

    name: str
    image_id: str
    command: tuple[str, ...] | None
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    limits: Limits
    privileges: Privileges
    scratch: tuple[Scratch, ...]
    network_allowed: bool = False
    runtime: str | None = None
    attachments: Attachments | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A sandbox that exists and whose first process has not run anything of the image.

    Attributes:
        process_id: Host process ID of the waiting first process, which will become the
            image's entry point; None where the engine cannot hold it back, and then the
            name of its control group contains `container_id`.
        root_path: The root file system on the host, None where it is not visible yet.
        scratch: Directories that are file systems in memory: a file there has another
            device and inode than in `root_path`, but the same path.
    """

    sandbox_id: str
    container_id: str
    process_id: int | None
    root_path: Path | None
    scratch: tuple[str, ...]


class ContainerStatus(StrEnum):
    """Where in its life a container is."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"


@dataclass(frozen=True, slots=True)
class ContainerState:
    """A container, right now.

    Attributes:
        process_id: Host process ID of its first process, None unless there is one.
        exit_code: None unless it exited.
        out_of_memory: True when the kernel killed it for its memory limit.
    """

    status: ContainerStatus
    process_id: int | None
    exit_code: int | None
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port that answered.

    Attributes:
        protocol: `http`, `https`, `redis`, `memcached`, `postgresql` ... or `tcp` when
            it connects and says nothing we know.
    """

    number: int
    protocol: str = "tcp"


class ReadyWhen(StrEnum):
    """What made a sandbox count as ready."""

    ANSWERS = "answers"
    SETTLED = "settled"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Readiness:
    """A sandbox that became ready.

    Attributes:
        when: `answers`: every port answered; `settled`: no port to wait for and nothing
            new happened for a while; `finished`: it exited with 0, a batch job.
        ready_seconds: From start to readiness.
    """

    when: ReadyWhen
    ready_seconds: float
    ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptRun:
    """What a test script did.

    Attributes:
        exit_code: None when it was ended at its time limit.
        output: Standard output and error together, cut at the limit.
        truncated: True when there was more output than is kept.
    """

    exit_code: int | None
    output: str
    truncated: bool
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """What the built-in driver is to do.

    Attributes:
        seed_paths: Paths to ask for besides the usual ones (a health check).
        requests_max: Budget for the whole window.
    """

    ports: tuple[Port, ...]
    duration_seconds: float
    fuzz: bool = False
    seed_paths: tuple[str, ...] = ()
    requests_max: int = 20_000
    requests_per_second: int = 100


@dataclass(frozen=True, slots=True)
class PortTraffic:
    """What the built-in driver did with one port; `hindrance`: why that was too little."""

    sent: int = 0
    answered: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    hindrance: str = ""


@dataclass(frozen=True, slots=True)
class TrafficReport:
    """What the built-in driver did.

    Attributes:
        answered: Requests the image answered, over HTTP with 2xx or 3xx: an error may
            come from code that never reached what it was asked for. Counts as
            `traffic_requests`.
        paths: Distinct targets that were so answered, as `GET /path` or `redis PING`.
        statuses: How often each status came back (`200`, `404`, `tcp`), errors included.
        by_port: The same for each port that was sent anything: another port's answers
            say nothing about the code behind one that only fails.
        passes: Whole rounds over everything known.
        mutated: How many requests had mutated input.
        failure: Why the driver ended before it was told to; empty if it did not.
    """

    sent: int = 0
    answered: int = 0
    paths: tuple[str, ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)
    passes: int = 0
    mutated: int = 0
    errors: tuple[str, ...] = ()
    failure: str = ""
    by_port: Mapping[int, PortTraffic] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a sandbox used, None where the engine does not say.

    Attributes:
        hides_written: The image wrote where it cannot be measured.
    """

    memory_peak_bytes: int | None = None
    cpu_seconds: float | None = None
    written_bytes: int | None = None
    hides_written: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a sandbox ended.

    Attributes:
        exit_code: Of its first process; None if it had to be killed and nobody knows.
        exited_by_itself: False when we stopped it.
        logs: Last part of its standard output and error.
    """

    exit_code: int | None
    exited_by_itself: bool
    out_of_memory: bool
    logs: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Owner:
    """The process a sandbox belongs to; the start time tells it from a successor.

    Attributes:
        boot_id: Of the kernel it runs on, so that a process ID from before a restart,
            or of another machine, is not taken for one of now.
        started_ticks: Field 22 of `/proc/PID/stat`.
        pid_namespace: As `/proc/self/ns/pid` names it; process IDs mean nothing outside.
    """

    process_id: int
    started_ticks: int
    boot_id: str
    pid_namespace: str


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    containers: int = 0
    images: int = 0


class Placement(StrEnum):
    """Where an analysis has to run."""

    LOCAL = "local"
    HELPER = "helper"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where an analysis runs, and why not simply here."""

    placement: Placement
    reasons: tuple[str, ...] = ()
    hint: str | None = None
