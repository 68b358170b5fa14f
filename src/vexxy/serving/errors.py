"""Why `vexxy serve` does not start, or gives up."""

from pathlib import Path

from vexxy.kit.errors import Conflict, ExternalFailure, InvalidInput


class PortTaken(Conflict):
    """Something else listens there."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is taken by another program",
            hint="end that one, or choose another port with --port",
        )


class AddressUnusable(InvalidInput):
    """No socket can be bound to this address."""

    def __init__(self, host: str, port: int, *, reason: str) -> None:
        super().__init__(
            f"cannot listen on {host} port {port}: {reason}",
            hint="--host takes an address of this machine, --port a number up to 65535",
        )


class DataDirectoryInUse(Conflict):
    """Another `vexxy serve` runs on the directory."""

    def __init__(self, directory: Path, *, pid: str) -> None:
        super().__init__(
            f"{directory} is in use by another vexxy serve"
            + (f", process {pid}" if pid else ""),
            hint="end that one, or choose another directory with --data-dir",
        )


class DataDirectoryUnusable(InvalidInput):
    """The directory cannot be made or written."""

    def __init__(self, directory: Path, *, reason: str) -> None:
        super().__init__(
            f"cannot use {directory} as the data directory: {reason}",
            hint="choose a directory of yours with --data-dir",
        )


class StartFailed(ExternalFailure):
    """A process ended, or said nothing, before the service was up."""
