"""What can keep a recording from beginning."""

from vexxy.kit import errors


class AgentMissing(errors.Unavailable):
    """The tracing agent is not installed."""

    def __init__(self, searched: str) -> None:
        super().__init__(
            f"the tracing agent vexxy-trace was not found in {searched}",
            hint="run `make setup`, or set VEXXY_TRACER to its path",
        )


class NoSourceWorks(errors.Unavailable):
    """Neither eBPF, fanotify nor ptrace can record on this machine."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(
            "nothing on this machine can record a container: " + "; ".join(reasons),
            hint="run as root; `vexxy doctor` says what is missing",
        )


class TargetEnded(errors.ExternalFailure):
    """The container's first process was gone before the recording began."""


class AgentFailed(errors.ExternalFailure):
    """The agent ended, or said something else than that it is ready."""


class AgentSilent(errors.TimedOut):
    """The agent did not say within its time that it is ready."""
