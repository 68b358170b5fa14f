"""The life of one sandbox, from prepared to ended."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from vexxy.sandbox import attached, driver, network, processes, readiness
from vexxy.sandbox.errors import (
    DiskFull,
    DriverFailed,
    EngineFailed,
    EngineUnavailable,
    ImageExited,
    ImageUnsuitable,
    PortNeverOpened,
)
from vexxy.sandbox.ports import ContainerEngine, RunningTraffic, TrafficGenerator
from vexxy.sandbox.types import (
    ContainerStatus,
    Ending,
    Prepared,
    Readiness,
    SandboxRequest,
    ScriptRun,
    TrafficPlan,
    Usage,
)

LOG_BYTES_MAX: Final = 1024 * 1024
STOP_SECONDS: Final = 2.0
# A recorder of functions looks for the announcement five times a second.
LAST_WORDS_SECONDS: Final = 1.0
EXIT_CODE_SECONDS_MAX: Final = 5.0
CHECK_SECONDS: Final = 0.05
CHECK_DISK_SECONDS: Final = 2.0


def unstartable(error: EngineFailed) -> EngineFailed | ImageUnsuitable:
    """Return what the engine's failure to start a container really is.

    Both engines pass on the words of the OCI runtime when the program is the trouble.
    """
    if "exec" not in error.message:
        return error
    return ImageUnsuitable(
        f"the image's command cannot be run: {error.message}",
        hint="check --command, and that the image is of this architecture",
    )


def demand_same_machine(process_id: int, container_id: str) -> None:
    """Refuse to go on with a process ID that names another process here.

    A process that has ended meanwhile is nobody else.

    Raises:
        EngineUnavailable: The engine counts processes of another machine.
    """
    try:
        groups = Path(f"/proc/{process_id}/cgroup").read_text()
    except OSError:
        return
    if container_id not in groups:
        raise EngineUnavailable(
            "the engine's processes are not visible here: it runs on another machine or "
            "in another process namespace",
            hint="vexxy doctor says whether a helper beside the engine can do it",
        )


class Sandbox:
    """One container, from created to ended; made by `service.open_sandbox`.

    Call in this order: `start`, `await_ready`, then the driver's methods and
    `check` as often as wanted, then `end`. Removal is `open_sandbox`'s.
    """

    def __init__(
        self,
        engine: ContainerEngine,
        request: SandboxRequest,
        prepared: Prepared,
    ) -> None:
        self._engine = engine
        self._request = request
        self._prepared = prepared
        self._process_id = prepared.process_id
        self._network: network.SandboxNetwork | None = None
        self._told_place: attached.Place | None = None
        self._told = attached.Told({}, ("the directory for it could not be opened",))
        self._ready: Readiness | None = None
        self._checked_at = -CHECK_DISK_SECONDS

    @property
    def prepared(self) -> Prepared:
        """Where it is, for a tracer that starts before it."""
        return self._prepared

    @property
    def process_id(self) -> int:
        """Host ID of the image's first process; 0 before it exists."""
        return self._process_id or 0

    def start(self) -> None:
        """Let the image run.

        Raises:
            ImageUnsuitable: Its entry point cannot be executed.
        """
        self._open_told()
        try:
            self._engine.start(self._prepared.container_id)
        except EngineFailed as error:
            raise unstartable(error) from error
        if self._process_id is None:
            state = self._engine.state(self._prepared.container_id)
            self._process_id = state.process_id
        if self._process_id is not None:
            # An image that exits at once takes its network with it.
            with suppress(FileNotFoundError, ProcessLookupError):
                self._network = self._enter(self._process_id)
            # Afterwards, so that the network is known to be of the process looked at.
            demand_same_machine(self._process_id, self._prepared.container_id)
        self._open_told()

    def await_ready(
        self,
        *,
        timeout_seconds: float,
        activity: Callable[[], int] | None = None,
        quiet_seconds: float = readiness.QUIET_SECONDS,
    ) -> Readiness:
        """Wait until every port answers, or without ports until nothing new happens.

        Args:
            timeout_seconds: How long a port may take. Without a port to wait for it is
                ready at that time at the latest.
            activity: Counts what the tracer has seen so far. Without it the process
                table of the sandbox has to do.
            quiet_seconds: How long without anything new counts as settled.

        Raises:
            ImageExited: Its first process ended, and not as a batch job with 0.
            PortNeverOpened: The time ran out.
        """
        outcome = readiness.wait(
            self,
            readiness.Expected(
                required=self._request.ports,
                likely=self._request.image.config.exposed_ports,
                timeout_seconds=timeout_seconds,
                activity=activity or self._processes,
                quiet_seconds=quiet_seconds,
            ),
        )
        if isinstance(outcome, readiness.Unready):
            raise self._failure(outcome, timeout_seconds)
        self._ready = outcome
        return outcome

    def run_script(self, script: str, *, timeout_seconds: float) -> ScriptRun:
        """Run a test script against the ports that answered; see `driver.run_script`."""
        return driver.run_script(
            script,
            network_path=self._alive().path,
            ports=self._port_numbers(),
            timeout_seconds=timeout_seconds,
        )

    def start_traffic(
        self, generator: TrafficGenerator, plan: TrafficPlan
    ) -> RunningTraffic:
        """Begin to send traffic from beside the sandbox; close what is returned."""
        return generator.start(plan, enter=driver.beside(self._alive().path))

    def check(self) -> None:
        """Enforce the limits that the kernel does not; may be called at any rate.

        Raises:
            DiskFull: The image wrote more than it may; it has been stopped.
        """
        now = time.monotonic()
        if now < self._checked_at + CHECK_DISK_SECONDS:
            return
        self._checked_at = now
        usage = self._engine.usage(self._prepared.container_id)
        written, limit = usage.written_bytes or 0, self._request.limits.disk_bytes
        if written <= limit and not usage.hides_written:
            return
        self._engine.stop(self._prepared.container_id, timeout_seconds=0)
        if usage.hides_written:
            raise DiskFull(
                "the image wrote below so many directories that it cannot be measured",
                hint="see what it writes; the rest of the disk is untouched",
            )
        raise DiskFull(
            f"the image wrote {written} bytes, more than the {limit} it may",
            hint="see what it writes without end; the rest of the disk is untouched",
        )

    def end(self, *, timeout_seconds: float = STOP_SECONDS) -> Ending:
        """Stop it: first the image's stop signal, and after the time a kill.

        The kernel drops a signal that the first process of a container has no handler
        for, so then there is nothing to wait for.
        """
        container_id = self._prepared.container_id
        self._leave_network()
        before = self._engine.state(container_id)
        by_itself = before.status is ContainerStatus.EXITED
        usage = Usage() if by_itself else self._engine.usage(container_id)
        if not by_itself:
            self._await_last_words()
            heard = processes.handles_signal(self.process_id, self._stop_signal())
            self._engine.stop(container_id, timeout_seconds=timeout_seconds if heard else 0)
        state = before if by_itself else self._engine.state(container_id)
        if self._told_place is not None:
            self._told = self._told_place.read()
        return Ending(
            exit_code=state.exit_code,
            exited_by_itself=by_itself,
            out_of_memory=state.out_of_memory,
            logs=self.logs(),
            usage=usage,
        )

    def _await_last_words(self) -> None:
        if self._told_place is not None:
            self._told_place.announce_end()
            time.sleep(LAST_WORDS_SECONDS)

    def told(self) -> attached.Told:
        """Return what was left in the directory attached for it; known after `end`."""
        return self._told

    def logs(self) -> str:
        """Return the end of its output, at most 1 MiB."""
        return self._engine.logs(self._prepared.container_id, limit_bytes=LOG_BYTES_MAX)

    def has_ended(self) -> int | None:
        """Return the exit code of its first process, None while that runs."""
        if self._process_id is not None and Path(f"/proc/{self._process_id}").exists():
            return None
        deadline = time.monotonic() + EXIT_CODE_SECONDS_MAX
        while True:
            state = self._engine.state(self._prepared.container_id)
            if state.status is ContainerStatus.EXITED:
                return state.exit_code if state.exit_code is not None else -1
            if state.process_id and state.process_id != self._process_id:
                self._process_id = state.process_id
                return None
            if time.monotonic() > deadline:
                raise EngineFailed("the engine does not tell how the image ended")
            time.sleep(CHECK_SECONDS)

    def listening(self) -> tuple[int, ...]:
        """Return the TCP ports something in it listens on."""
        return self._network.listening() if self._network else ()

    def received(self) -> int:
        """Return how many connections and datagrams came in on its network so far."""
        return self._network.received() if self._network else 0

    def protocol_of(self, port: int, *, patience_seconds: float) -> str | None:
        """Return what answers on the port, None when nothing connects."""
        if self._network is None:
            return None
        return self._network.protocol_of(port, patience_seconds=patience_seconds)

    def _processes(self) -> int:
        return hash((self.listening(), processes.descendants(self.process_id)))

    def _stop_signal(self) -> str:
        return self._request.image.config.stop_signal

    def _port_numbers(self) -> tuple[int, ...]:
        answering = self._ready.ports if self._ready else ()
        return tuple(port.number for port in answering) or self._request.ports

    def _alive(self) -> network.SandboxNetwork:
        if self._network is None or self.has_ended() is not None:
            raise DriverFailed("the image has ended, so nothing can be sent to it")
        return self._network

    def _enter(self, process_id: int) -> network.SandboxNetwork:
        try:
            return network.SandboxNetwork(process_id)
        except PermissionError as error:
            raise DriverFailed(
                "entering the sandbox's network is not allowed",
                hint="run vexxy as root; vexxy doctor says what else would do",
            ) from error

    def close(self) -> None:
        """Let go of what it holds here; the container is not touched."""
        self._leave_network()
        if self._told_place is not None:
            self._told_place.close()
            self._told_place = None

    def _open_told(self) -> None:
        wanted = self._request.attachments
        if wanted is None or self._process_id is None or self._told_place is not None:
            return
        # An image that exits at once takes it along; then nothing of it is told.
        with suppress(OSError):
            self._told_place = attached.Place(
                self._process_id, wanted.told_path, limit_bytes=wanted.told_bytes
            )

    def _leave_network(self) -> None:
        if self._network is not None:
            self._network.close()
            self._network = None

    def _failure(
        self, outcome: readiness.Unready, timeout_seconds: float
    ) -> ImageExited | PortNeverOpened:
        logs = self.logs()
        if outcome.exit_code is None:
            missing = ", ".join(map(str, outcome.missing)) or "any"
            return PortNeverOpened(
                f"port {missing} did not answer within {timeout_seconds:g} seconds",
                exit_code=None,
                logs=logs,
                hint="check --port, or give the image what it needs with --env",
            )
        state = self._engine.state(self._prepared.container_id)
        cause = " (out of memory)" if state.out_of_memory else ""
        return ImageExited(
            f"the image exited with code {outcome.exit_code}{cause} before it was ready",
            exit_code=outcome.exit_code,
            logs=logs,
            hint="give it what it needs with --env or --command; an image must stay in "
            "the foreground",
        )
