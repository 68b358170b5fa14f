"""What the sandbox needs from outside: a container engine and a traffic generator."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from vexxy.images.types import Image
from vexxy.kit.progress import Listener
from vexxy.sandbox.types import (
    ContainerSpec,
    ContainerState,
    EngineInfo,
    TrafficPlan,
    TrafficReport,
    Usage,
)


class ContainerEngine(Protocol):
    """A container engine. Each fake passes the contract suite of the real one.

    Every method may raise `EngineFailed` (it refused, or went away) and `DiskFull`.
    """

    def info(self) -> EngineInfo:
        """Return what the engine is; asked once and kept."""

    def find_image(self, reference: str) -> Image | None:
        """Return the image if the engine has it; nothing is fetched."""

    def pull(self, reference: str, *, platform: str | None, listener: Listener) -> Image:
        """Fetch the image from its registry.

        Raises:
            ImageMissing: No registry has it, or none can be reached.
        """

    def load(self, archive: Path, *, manifest: bytes | None = None) -> tuple[str, ...]:
        """Take in an OCI or docker archive; return the IDs of the images in it.

        Args:
            archive: A tar, possibly packed.
            manifest: What docker's `manifest.json` would say of an OCI archive, for
                engines that read no other description.

        Raises:
            ImageUnsuitable: The engine can make nothing of the file.
        """

    def tag_image(self, image_id: str, reference: str) -> None:
        """Give the image a further name, taking it from whichever image had it."""

    def has_image(self, image_id: str) -> bool:
        """Return whether the engine has the image with this ID."""

    def list_images(self) -> frozenset[str]:
        """Return the IDs of every image the engine has."""

    def remove_image(self, image_id: str) -> None:
        """Remove the image and its names; an absent one is no error."""

    def create(self, spec: ContainerSpec) -> str:
        """Create a container and return its ID; no process exists yet.

        With `spec.attachments` their files are there, read-only, and an empty directory
        in memory for what they tell; both are gone when the container is removed.
        """

    def image_of(self, container_id: str) -> str:
        """Return the ID of the image the container was really created from."""

    def initialize(self, container_id: str) -> int:
        """Bring the namespaces up and hold the first process back; return its host ID.

        Its scratch directories belong to whom they belong to in the image.

        Only where `info().starts_in_two_steps`.
        """

    def root_path(self, container_id: str) -> Path | None:
        """Return the root file system as a host directory, None if there is none.

        It may be asked before the container was started, and is valid until it is
        removed. Never a path through `/proc`: its links would lead to the host's root.
        """

    def start(self, container_id: str) -> None:
        """Let the image's entry point run."""

    def state(self, container_id: str) -> ContainerState:
        """Return where the container is in its life."""

    def usage(self, container_id: str) -> Usage:
        """Return what it used so far; what is no longer known is None."""

    def logs(self, container_id: str, *, limit_bytes: int) -> str:
        """Return the end of standard output and error, in the order written."""

    def stop(self, container_id: str, *, timeout_seconds: float) -> None:
        """Send the image's stop signal, and kill it after the time."""

    def remove(self, container_id: str) -> None:
        """Kill and remove it with its anonymous volumes; an absent one is no error."""

    def list_owned(self) -> Mapping[str, Mapping[str, str]]:
        """Return ID and labels of every container with a `io.vexxy.sandbox` label."""

    def close(self) -> None:
        """Let go of the connection, and end the service if we started it."""


class RunningTraffic(Protocol):
    """Traffic that is being sent to a sandbox."""

    def report(self) -> TrafficReport:
        """Return what was done so far."""

    def stop(self) -> TrafficReport:
        """End it and return what was done."""

    def __enter__(self) -> Self:
        """Return itself."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """End it, whatever happened."""


class TrafficGenerator(Protocol):
    """Exercises what answers on ports."""

    def start(self, plan: TrafficPlan, *, enter: Sequence[str]) -> RunningTraffic:
        """Begin to send traffic from a process of its own.

        Args:
            plan: What to send, where and how long.
            enter: Command prefix that runs a program inside the sandbox's network and
                outside its other namespaces.
        """


Activity = Callable[[], int]
"""Counts how much new was seen so far; a number that stopped growing means settled."""
