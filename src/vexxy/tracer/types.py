"""Values of an observation. Paths are canonical paths inside the image."""

from dataclasses import dataclass
from enum import StrEnum


class Access(StrEnum):
    """The strongest way a file was touched, weakest last.

    `executed` and `mapped` ran; `code` was read by something that runs what it reads
    (an interpreter's module, an archive of classes, an unknown kind of file); `data`
    was read and cannot be code; `metadata` is a package manager's own record.
    """

    EXECUTED = "executed"
    MAPPED = "mapped"
    CODE = "code"
    DATA = "data"
    METADATA = "metadata"


class Source(StrEnum):
    """Where observations come from."""

    EBPF = "ebpf"
    FANOTIFY = "fanotify"
    PTRACE = "ptrace"
    PROC_MAPS = "proc_maps"
    KUBESCAPE = "kubescape"
    COVERAGE = "coverage"


@dataclass(frozen=True, slots=True)
class FileAccess:
    """One file, touched in one way.

    Attributes:
        path: Canonical path inside the image.
        access: How.
        first_seen_seconds: Seconds from the start of the recording to the first time.
        process: Canonical path of the executable that did it, empty if unknown.
        source: Who saw it.
    """

    path: str
    access: Access
    first_seen_seconds: float
    process: str = ""
    source: Source = Source.EBPF


@dataclass(frozen=True, slots=True)
class NetworkConnection:
    """A socket that was bound, accepted on or connected.

    Attributes:
        direction: `listen`, `inbound` or `outbound`.
        protocol: `tcp` or `udp`.
    """

    direction: str
    protocol: str
    address: str
    port: int
    process: str = ""


@dataclass(frozen=True, slots=True)
class Process:
    """A program that ran.

    Attributes:
        executable: Canonical path of the binary (the interpreter, for a script).
        script: Canonical path of the script a `#!` line led from, else None.
    """

    process_id: int
    parent_process_id: int
    executable: str
    arguments: tuple[str, ...] = ()
    script: str | None = None
    first_seen_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that was entered, as a runtime or a probe reported it.

    Attributes:
        module: Dotted Python module, npm `package/path.js`, Go import path, library.
        name: Qualified name inside the module.
        path: Canonical path of the file that holds it.
    """

    module: str
    name: str
    path: str
    source: Source = Source.COVERAGE


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of what happened was seen, and how hard the image was exercised.

    Attributes:
        observed_seconds: From readiness (or start, if never ready) to the end.
        ready_seconds: From start to readiness; None if it never became ready.
        traffic_requests: Requests that the image answered.
        lost_events: Events the kernel or reader dropped.
        partial: True when something may have run unseen.
        reasons: Why partial, or what else limits the observation; sentences.
    """

    observed_seconds: float
    ready_seconds: float | None
    traffic_requests: int
    lost_events: int
    partial: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExecutionProfile:
    """What one run of one image did; enough to decide again without running."""

    sandbox_id: str
    duration_seconds: float
    files_accessed: tuple[FileAccess, ...]
    executed_binaries: tuple[str, ...]
    loaded_libraries: tuple[str, ...]
    syscalls: tuple[str, ...]
    network_connections: tuple[NetworkConnection, ...]
    completeness: Completeness
    sources: tuple[Source, ...]
    processes: tuple[Process, ...] = ()
    functions: tuple[FunctionCall, ...] = ()
    code_coverage_percent: float | None = None
