"""What recorders of functions are put beside an image with, and what they leave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from vexxy.tracer.ports import ImageRoot
from vexxy.tracer.rules import RECORDERS_PATH
from vexxy.tracer.types import FunctionCall, FunctionRecording, Trace

FILES_PATH = RECORDERS_PATH
TOLD_PATH = f"{RECORDERS_PATH}-out"


class ImageFiles(ImageRoot, Protocol):
    """The image's root file system with its content; `images.rootfs` has one."""

    def read_bytes(self, path: str, *, limit: int = ...) -> bytes:
        """Return a regular file's content; an `images.errors` error where it cannot."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What one recorder needs in a sandbox.

    Attributes:
        files: Content by path below `FILES_PATH`, read-only there.
        environment: Variables with their whole new values: what the image or the user
            had there is part of it.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a recorder's results are made from.

    Attributes:
        told: Content by path below `TOLD_PATH`; written by the image, so untrusted.
        problems: Why some of it may be missing; sentences, and reasons for everyone.
        trace: What the kernel's recorder saw meanwhile.
        root: The image's files as they were before it ran.
        started_seconds: When the trace began, by this machine's monotonic clock.
    """

    told: Mapping[str, bytes]
    problems: tuple[str, ...]
    trace: Trace
    root: ImageFiles
    started_seconds: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one recorder saw."""

    calls: tuple[FunctionCall, ...]
    recording: FunctionRecording


Planner = Callable[[Mapping[str, str]], Beside]
"""From the variables of the image with the user's on top to what is put beside it."""

Collector = Callable[[Evidence], Recorded | None]
"""From what was left to the results; None where the recorder was not at work."""
