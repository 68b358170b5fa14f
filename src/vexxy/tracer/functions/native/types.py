"""Values of probes on compiled code. Offsets are of bytes in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PlaceKind(StrEnum):
    """What is known when the instruction at a place is executed."""

    ENTRY = "entry"
    INLINED = "inlined"
    """Code of the function, copied into another one, is entered."""
    CLOSURE = "closure"
    """A function made by the function is entered, so that one ran before."""


@dataclass(frozen=True, slots=True)
class Place:
    """An instruction to probe.

    Attributes:
        holder: For an inlined copy, the function whose body holds it; for a closure its
            own name; else empty.
        code: The first bytes there, so that no other file is probed instead.
    """

    kind: PlaceKind
    offset: int
    holder: str = ""
    code: bytes = b""


@dataclass(frozen=True, slots=True)
class Watchable:
    """Where a function can be watched in one file.

    Attributes:
        name: As it was asked for.
        places: Empty where it cannot be watched at all.
        obstacle: Why silence at these places proves nothing, a sentence; empty where
            the places are all there are.
        absent: The file was read whole and holds no code of the function.
    """

    name: str
    places: tuple[Place, ...] = ()
    obstacle: str = ""
    absent: bool = False


@dataclass(frozen=True, slots=True)
class UnwatchedFunction:
    """A function that may be called unseen; a call that was seen counts all the same.

    Attributes:
        path: Canonical path of the binary or library.
        reason: A sentence.
        absent: The file holds no code of it, which is more than silence.
    """

    path: str
    name: str
    reason: str
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Uprobe:
    """A probe to set.

    Attributes:
        number: The caller's own, below 65,536 and used once in a recording.
        path: Inside the container, or on this machine where `on_host`.
        entry: The instruction is a function's first: the caller's address lies on top
            of the stack.
        code: Bytes that the file must have there.
    """

    number: int
    path: str
    offset: int
    entry: bool = True
    code: bytes = b""
    on_host: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One address of a call stack; path and offset are empty where nobody knew."""

    address: int
    path: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A probe was hit for the first time.

    Attributes:
        process_id: As the container counts, None where the record was lost.
        host_process_id: As this machine counts, 0 where the record was lost.
        executable: The program that hit it, empty if unknown.
        frames: The probe itself, then its callers; empty where the record was lost.
    """

    number: int
    process_id: int | None = None
    host_process_id: int = 0
    seconds: float | None = None
    executable: str = ""
    command: str = ""
    frames: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class ProbesSeen:
    """What became of the probes of a recording.

    Attributes:
        refused: Why, by number, for each probe that was not set.
        changed: Files that were replaced or written to while they were probed.
        finished: The agent watched them to the end of the recording.
    """

    wanted: int = 0
    hits: tuple[Hit, ...] = ()
    refused: Mapping[int, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    finished: bool = False
