"""The lines that `vexxy-trace` writes, one event each; docs/tracer.md lists them."""

import json

import msgspec

from vexxy.tracer.types import Source, Use


class Ready(msgspec.Struct, tag="ready", tag_field="event", frozen=True):
    """The first line: from now on everything is recorded."""

    source: Source
    kernel: str
    fallbacks: tuple[str, ...] = ()


class Failed(msgspec.Struct, tag="failed", tag_field="event", frozen=True):
    """The first line where no recording began: `unavailable` or `no_target`."""

    kind: str
    reason: str = ""
    reasons: tuple[str, ...] = ()


class File(msgspec.Struct, tag="file", tag_field="event", frozen=True):
    """A file was used; several uses when one open both reads and writes."""

    use: tuple[Use, ...]
    path: str
    process_id: int
    device: int
    inode: int
    seconds: float
    deleted: bool = False
    truncated: bool = False
    source: Source | None = None


class Exec(msgspec.Struct, tag="exec", tag_field="event", frozen=True):
    """A program was started; `script` is the file a `#!` line led from."""

    path: str
    process_id: int
    container_process_id: int
    device: int
    inode: int
    seconds: float
    arguments: tuple[str, ...] = ()
    script: str | None = None
    deleted: bool = False
    truncated: bool = False


class Fork(msgspec.Struct, tag="fork", tag_field="event", frozen=True):
    """A process was made."""

    process_id: int
    container_process_id: int
    parent_process_id: int
    seconds: float


class Exit(msgspec.Struct, tag="exit", tag_field="event", frozen=True):
    """A process ended; `code` as wait(2) has it."""

    process_id: int
    code: int
    seconds: float


class Network(msgspec.Struct, tag="network", tag_field="event", frozen=True):
    """A socket was listened on, accepted from (local port) or connected."""

    direction: str
    protocol: str
    address: str
    port: int
    process_id: int
    seconds: float


class Refused(msgspec.Struct, tag="refused", tag_field="event", frozen=True):
    """A system call was refused."""

    syscall: str
    error: str
    path: str
    arguments: tuple[int, ...]
    process_id: int
    seconds: float


class GapSeen(msgspec.Struct, tag="gap", tag_field="event", frozen=True):
    """Something may have run unseen."""

    kind: str
    count: int
    detail: str


class Frame(msgspec.Struct, frozen=True):
    """An address of a stack; of a file where the agent could still look it up."""

    address: int
    path: str = ""
    offset: int = 0


class Hit(msgspec.Struct, tag="hit", tag_field="event", frozen=True):
    """A probe was hit first; everything but its number is missing where it was lost."""

    probe: int
    process_id: int = 0
    container_process_id: int | None = None
    thread_id: int = 0
    seconds: float | None = None
    command: str = ""
    frames: tuple[Frame, ...] = ()


class Unprobed(msgspec.Struct, tag="unprobed", tag_field="event", frozen=True):
    """A probe could not be set."""

    probe: int
    reason: str


class Probed(msgspec.Struct, tag="probed", tag_field="event", frozen=True):
    """A set of probes stands, but for the refused ones."""

    set: int
    refused: int


class ProbedFileChanged(
    msgspec.Struct, tag="probed_file_changed", tag_field="event", frozen=True
):
    """A probed file is another one by now; the probes stayed with the old one."""

    path: str


class ProbesEnded(msgspec.Struct, tag="probes_ended", tag_field="event", frozen=True):
    """The probes were watched until the end."""

    set: int
    hit: int


class Lost(
    msgspec.Struct,
    tag="lost",
    tag_field="event",
    frozen=True,
    forbid_unknown_fields=True,
):
    """How many events never left the kernel, by kind."""

    files: int = 0
    executions: int = 0
    directories: int = 0
    forks: int = 0
    exits: int = 0
    connections: int = 0
    refusals: int = 0
    mappings: int = 0
    hits: int = 0
    skipped_runs: int = 0
    overflows: int = 0
    unread: int = 0
    refusals_beyond_bound: int = 0

    @property
    def total(self) -> int:
        """Everything lost; refusals past the agent's bound are told, not lost."""
        counted = (
            getattr(self, name)
            for name in self.__struct_fields__
            if name != "refusals_beyond_bound"
        )
        return sum(counted)


class Syscalls(msgspec.Struct, tag="syscalls", tag_field="event", frozen=True):
    """Every system call that returned to the container at least once."""

    names: tuple[str, ...]


class End(msgspec.Struct, tag="end", tag_field="event", frozen=True):
    """The last line; without it the agent died."""

    seconds: float
    lines_lost: int


Event = (
    Ready
    | Failed
    | File
    | Exec
    | Fork
    | Exit
    | Network
    | Refused
    | Hit
    | Unprobed
    | Probed
    | ProbedFileChanged
    | ProbesEnded
    | GapSeen
    | Lost
    | Syscalls
    | End
)


class MalformedLineError(ValueError):
    """A line is no event."""


def decode(line: bytes) -> Event:
    """Return the event that a line tells.

    Bytes of a path that are no UTF-8 come as lone surrogates, as `os.fsdecode` has them;
    that is why the standard library reads the JSON here.

    Raises:
        MalformedLineError: The line is not one of the events.
    """
    try:
        event: Event = msgspec.convert(json.loads(line), type=Event)
    except (ValueError, RecursionError) as error:
        raise MalformedLineError(str(error)) from error
    return event
