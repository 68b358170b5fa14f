"""What the tracer is asked, and what it asks of others."""

from collections.abc import Sequence
from typing import Protocol

from vexxy.tracer.functions.native.types import Uprobe
from vexxy.tracer.types import Counters, Refusal, Source, Target, Trace


class Recording(Protocol):
    """A recording that runs from `Recorder.start` until `stop`."""

    @property
    def source(self) -> Source:
        """Which of the kernel's facilities records."""

    def counters(self) -> Counters:
        """Return the figures so far; never waits for the kernel."""

    def refusals(self) -> tuple[Refusal, ...]:
        """Return what the sandbox refused so far, first seen first."""

    def failure(self) -> str | None:
        """Return why the recording ended by itself, or None while it runs well."""

    def add_probes(self, probes: Sequence[Uprobe]) -> None:
        """Return once more probes stand; which were refused is told by the trace.

        Raises:
            ExternalFailure: The agent ended or did not answer.
        """

    def stop(self) -> Trace:
        """End the recording and return what it saw.

        Stopping twice returns the same trace. A recorder that died is told by a gap
        in the trace, never by an exception: what it saw until then is kept.
        """


class Recorder(Protocol):
    """Starts recordings."""

    def start(
        self,
        target: Target,
        *,
        source: Source | None = None,
        probes: Sequence[Uprobe] | None = None,
    ) -> Recording:
        """Return once every later act of the target's processes is recorded.

        Args:
            target: The container; its first process must not run the image yet.
            source: The facility to use; None takes the best that works here.
            probes: Functions to wait for; they stand before the target goes on. What
                became of each is in the trace, never an exception. None where none
                will be added later either.

        Raises:
            Unavailable: The agent is missing or no source works on this machine.
            ExternalFailure: The target ended, or the agent failed to attach.
        """


class ImageRoot(Protocol):
    """The image's root file system, for canonical paths; `images.rootfs` has one."""

    def resolve(self, path: str) -> str | None:
        """Return the path with every link inside the root followed, None if absent."""

    def identity(self, path: str) -> tuple[int, int] | None:
        """Return device and inode of the file at a canonical path, None if absent."""

    def by_identity(self, identity: tuple[int, int]) -> tuple[str, ...]:
        """Return every canonical path of a file, hard links included; empty if none."""
