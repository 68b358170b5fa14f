"""Values of an observation. Paths are canonical paths inside the image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vexxy.tracer.functions.native.types import ProbesSeen, UnwatchedFunction


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
    UPROBE = "uprobe"


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
        ended_seconds: From the start of the recording to its end, None if it was not
            seen to end.
    """

    process_id: int
    parent_process_id: int
    executable: str
    arguments: tuple[str, ...] = ()
    script: str | None = None
    first_seen_seconds: float = 0.0
    ended_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that was entered, as a runtime or a probe reported it first.

    Attributes:
        module: Dotted Python module, npm `package/path.js`, Go import path, library.
        name: Qualified name inside the module; empty for a whole class file or module
            whose functions the recorder cannot tell apart.
        path: Canonical path of the file that holds it.
        line: First line of the function in that file, None if unknown.
        process: Canonical path of the executable that called it, empty if unknown.
        process_id: As the process itself numbers it, None if unknown.
        first_called_seconds: From the start of the recording, None if unknown.
        stack: Its callers at the first call, innermost first, as `path:line name`;
            empty where the recorder has no stacks.
        request: What was being answered at that moment (`GET /note`), empty if unknown.
        inlined_into: The function whose body holds the inlined copy that ran.
    """

    module: str
    name: str
    path: str
    source: Source = Source.COVERAGE
    line: int | None = None
    process: str = ""
    process_id: int | None = None
    first_called_seconds: float | None = None
    stack: tuple[str, ...] = ()
    request: str = ""
    inlined_into: str = ""


class Runtime(StrEnum):
    """What kind of code a recorder of functions understands."""

    PYTHON = "python"
    NODE = "node"
    NATIVE = "native"
    JVM = "jvm"
    RUBY = "ruby"
    PHP = "php"


@dataclass(frozen=True, slots=True)
class WatchedFunction:
    """A function that a probe waited for, whether it came or not.

    Attributes:
        path: Canonical path of the binary or library.
        name: As the symbol data names it (`golang.org/x/net/html.Parse`).
        places: Probes set for it: its entry and each inlined copy.
    """

    path: str
    name: str
    places: int


@dataclass(frozen=True, slots=True)
class FunctionRecording:
    """How completely one recorder saw which functions were called.

    A function that is not listed was not called only where `reasons` is empty and,
    for `native`, where it was watched.

    Attributes:
        processes: Processes that were recorded.
        reasons: Why something may have been called unseen; sentences. Any entry forbids
            to conclude anything from silence in this runtime.
        watched: For `native`, every function that was waited for.
        unit: The smallest thing that is told apart: `function` or `class`.
        paths_unrecorded: Files whose functions this recorder cannot see although the
            rest is complete (code made from text, a file without its source).
        unwatched: For `native`, what was to be waited for and was not, or not everywhere.
    """

    runtime: Runtime
    processes: int
    reasons: tuple[str, ...] = ()
    watched: tuple[WatchedFunction, ...] = ()
    unit: str = "function"
    paths_unrecorded: tuple[str, ...] = ()
    unwatched: tuple[UnwatchedFunction, ...] = ()


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
    """What one run of one image did; enough to decide again without running.

    Attributes:
        files_outside_image: Files that the image does not hold, by their path in the
            container: made at run time, mounted, or in memory. What was executed,
            mapped or read as code there was brought by other code.
        function_recordings: One for each recorder of functions that was at work; a
            runtime that is missing here was not recorded.
        function_recordings: One for each recorder of functions that was at work; a
            runtime that is missing here was not recorded.
    """

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
    files_outside_image: tuple[FileAccess, ...] = ()
    function_recordings: tuple[FunctionRecording, ...] = ()


class Use(StrEnum):
    """What the kernel did with a file, before anyone judges what kind of file it is."""

    EXECUTED = "executed"
    MAPPED = "mapped"
    READ = "read"
    WRITTEN = "written"
    DIRECTORY = "directory"
    REFERRED = "referred"
    """Opened with O_PATH: named, never read."""


@dataclass(frozen=True, slots=True)
class TracedFile:
    """One use of one file, as the recorder reported it.

    Attributes:
        path: Path inside the container's mount namespace, links already followed.
        identity: Device and inode as the kernel numbers them there; (0, 0) if unknown.
        process: Path of the executable that did it, empty if unknown.
        deleted: The file had no name any more (removed, or a memory file).
    """

    path: str
    use: Use
    identity: tuple[int, int]
    first_seen_seconds: float
    process: str = ""
    source: Source = Source.EBPF
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A system call that the sandbox refused: evidence for relaxing a limit.

    Attributes:
        error: `EPERM`, `EACCES` or `EROFS`.
        path: What it was about, as the process wrote it; empty where there is no path.
        arguments: The first three raw arguments, as a rule for `setuid(0)` needs them.
        count: How often it was refused, at least 1.
    """

    syscall: str
    error: str
    path: str = ""
    arguments: tuple[int, ...] = ()
    process: str = ""
    first_seen_seconds: float = 0.0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that may have run unseen.

    Attributes:
        kind: A closed word, such as `io_uring` or `recorder_died`; see docs/tracer.md.
        detail: A sentence.
    """

    kind: str
    detail: str


@dataclass(frozen=True, slots=True)
class Counters:
    """Live figures of a recording.

    Attributes:
        seconds_since_new_code: Since the last file that was executed, mapped or read
            for the first time and may be code; None before the first.
    """

    elapsed_seconds: float
    files: int
    executed: int
    mapped: int
    processes: int
    connections: int
    refusals: int
    lost_events: int
    seconds_since_new_code: float | None


@dataclass(frozen=True, slots=True)
class Trace:
    """Everything one recording saw.

    Attributes:
        fallbacks: Why each better source was not used, and what was shortened;
            sentences that limit nothing.
        lost_events: Events the kernel, the agent or the reader dropped.
        gaps: What may have run unseen; any entry makes the observation partial.
        probes: What became of the probes on functions.
    """

    source: Source
    duration_seconds: float
    files: tuple[TracedFile, ...]
    processes: tuple[Process, ...]
    network_connections: tuple[NetworkConnection, ...]
    syscalls: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    gaps: tuple[Gap, ...]
    lost_events: int
    fallbacks: tuple[str, ...] = ()
    probes: ProbesSeen = field(default_factory=ProbesSeen)


@dataclass(frozen=True, slots=True)
class Target:
    """The container to record.

    Attributes:
        process_id: Host id of its waiting first process (state "created"), else None.
        cgroup_name: Text that its control group's name contains (the container id),
            for an engine that cannot create without starting.
        root: Prefix that the container's paths have on this machine, for a target
            whose mount namespace was never pivoted; empty otherwise.
    """

    process_id: int | None = None
    cgroup_name: str = ""
    root: str = ""


@dataclass(frozen=True, slots=True)
class Window:
    """How the image was exercised while it was recorded; the caller knows.

    Attributes:
        ready_seconds: From the start of the recording to readiness; None if never.
        traffic_requests: Requests that the image answered.
        reasons: What the caller knows to limit the observation; any makes it partial.
    """

    sandbox_id: str
    ready_seconds: float | None
    traffic_requests: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """What can be recorded on this machine.

    Attributes:
        sources: Best first; the reason why one does not work, empty where it does.
    """

    kernel: str
    sources: Mapping[Source, str]

    @property
    def obstacle(self) -> str | None:
        """Why nothing can be recorded, None when something works."""
        if any(not reason for reason in self.sources.values()):
            return None
        first = next(iter(self.sources.values()), "no source is known")
        return f"the kernel cannot be traced from here: {first}"
