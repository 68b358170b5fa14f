"""One attempt to run, drive and watch an image in one sandbox."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Final

from vexxy.analysis.phases import Clock, Phase
from vexxy.analysis.ports import Tools
from vexxy.analysis.types import Request
from vexxy.sandbox import rules as sandbox_rules
from vexxy.sandbox.attached import Told
from vexxy.sandbox.errors import DriverFailed, ImageFailed
from vexxy.sandbox.life import Sandbox
from vexxy.sandbox.ports import RunningTraffic
from vexxy.sandbox.types import (
    Ending,
    Obstacle,
    Port,
    Prepared,
    Privileges,
    Readiness,
    ReadyWhen,
    Relaxation,
    ScriptRun,
    TrafficPlan,
    TrafficReport,
)
from vexxy.tracer.functions.native.types import Uprobe
from vexxy.tracer.ports import Recording
from vexxy.tracer.types import Target, Trace, Window

WATCH_SECONDS: Final = 0.25
# Asking the engine costs it some milliseconds that the image could use.
CHECK_SECONDS: Final = 2.0
# A worker that may not change its user dies within moments of its master's start.
AFTERMATH_SECONDS: Final = 1.0
# What the kernel told the tracer arrives a little later.
REACTION_SECONDS: Final = 1.0
NO_REACTION: Final = "the test script succeeded but nothing of the image reacted to it"
SEED_PATHS: Final = ("/", "/health", "/healthz", "/status")


class TooStrict(Exception):
    """The sandbox was too strict for the image; the next attempt is looser."""

    def __init__(self, relaxation: Relaxation) -> None:
        super().__init__(relaxation.reason)
        self.relaxation = relaxation


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything one attempt produced.

    Attributes:
        told: What recorders beside the image wrote, empty where none were.
        attached_seconds: When the recording began, by the monotonic clock.
    """

    trace: Trace
    window: Window
    readiness: Readiness
    ending: Ending
    traffic: TrafficReport
    script: ScriptRun | None
    told: Told = field(default_factory=lambda: Told({}))
    attached_seconds: float = 0.0

    @property
    def driven(self) -> bool:
        """Whether the image was exercised and answered."""
        return self.window.traffic_requests > 0


def observe(
    sandbox: Sandbox,
    request: Request,
    *,
    tools: Tools,
    clock: Clock,
    privileges: Privileges,
    meanwhile: Callable[[], None],
    probes: Sequence[Uprobe] | None = None,
) -> Observed:
    """Record the sandbox from before its first instruction to its end.

    Args:
        sandbox: Prepared and not started.
        request: What was asked.
        tools: The recorder and the traffic.
        clock: Hears of the phases.
        privileges: What the sandbox has, to know what it could be given.
        meanwhile: Work that may be done while the image is watched.
        probes: Places in compiled code to wait for; None where nothing is waited for.

    Raises:
        TooStrict: The sandbox kept the image from working.
        ImageFailed: The image ended or never answered, and no looser sandbox helps.
    """
    prepared = sandbox.prepared
    with ExitStack() as stack:
        with clock.phase(Phase.DEPLOY, "attaching the tracer"):
            recording = _attach(tools, prepared, probes)
        stack.callback(recording.stop)
        attached = time.monotonic()
        with clock.phase(Phase.READY):
            sandbox.start()
            readiness = _await_ready(
                sandbox,
                recording,
                timeout_seconds=request.settings.ready_timeout_seconds,
                privileges=privileges,
            )
        ready_seconds = time.monotonic() - attached
        drive = _Drive(
            sandbox, recording, request=request, clock=clock, privileges=privileges
        )
        drive.run(readiness, tools, meanwhile)
        with clock.phase(Phase.EXTRACT, "stopping the image"):
            ending = sandbox.end()
            trace = recording.stop()
        window = Window(
            sandbox_id=prepared.sandbox_id,
            ready_seconds=ready_seconds,
            traffic_requests=drive.requests,
            reasons=drive.reasons(trace),
        )
        seen = Observed(trace, window, readiness, ending, drive.traffic, drive.script)
        return replace(seen, told=sandbox.told(), attached_seconds=attached)


def _attach(tools: Tools, prepared: Prepared, probes: Sequence[Uprobe] | None) -> Recording:
    target = Target(process_id=prepared.process_id, cgroup_name=prepared.container_id)
    # Without a waiting process there are no files yet to set probes in.
    if not probes or prepared.process_id is None:
        return tools.recorder.start(target)
    return tools.recorder.start(target, probes=probes)


def _await_ready(
    sandbox: Sandbox,
    recording: Recording,
    *,
    timeout_seconds: float,
    privileges: Privileges,
) -> Readiness:
    try:
        readiness = sandbox.await_ready(
            timeout_seconds=timeout_seconds,
            activity=lambda: recording.counters().files,
        )
    except ImageFailed as error:
        obstacle = Obstacle(
            ready=False,
            exit_code=error.exit_code,
            logs=error.logs,
            refusals_known=recording.failure() is None,
        )
        looser = sandbox_rules.relax(privileges, obstacle, recording.refusals())
        if looser is not None:
            raise TooStrict(looser) from error
        raise
    if readiness.when is not ReadyWhen.FINISHED:
        time.sleep(AFTERMATH_SECONDS)
        _demand_enough(recording, privileges)
    return readiness


def _demand_enough(recording: Recording, privileges: Privileges) -> None:
    """Look for work that was refused while a port is open.

    Such as workers that may not change their user, or a feature that could not be
    unpacked and is left out without a word.
    """
    obstacle = Obstacle(ready=True, exit_code=None, logs="", refusals_known=True)
    looser = sandbox_rules.relax(privileges, obstacle, recording.refusals())
    if looser is not None:
        raise TooStrict(looser)


class _Drive:
    """The observation window: script, traffic, and a watch over both."""

    def __init__(
        self,
        sandbox: Sandbox,
        recording: Recording,
        *,
        request: Request,
        clock: Clock,
        privileges: Privileges,
    ) -> None:
        self._sandbox = sandbox
        self._recording = recording
        self._request = request
        self._clock = clock
        self._privileges = privileges
        self._reacted = False
        self._limits: list[str] = []
        self._ports: tuple[Port, ...] = ()
        self.script: ScriptRun | None = None
        self.traffic = TrafficReport()

    @property
    def requests(self) -> int:
        """Requests the image answered; a script that drove it is one."""
        return self.traffic.answered + (self._succeeded and self._reacted)

    @property
    def _succeeded(self) -> bool:
        return self.script is not None and self.script.exit_code == 0

    def reasons(self, trace: Trace) -> tuple[str, ...]:
        """Return what limits the observation, as driver and sandbox know it."""
        limits = list(self._limits)
        if not self.requests and self._succeeded:
            limits.append(NO_REACTION)
        if not (self._succeeded and self._reacted):
            limits += sandbox_rules.traffic_limits(self._ports, self.traffic)
        failure = self._recording.failure()
        refused = sandbox_rules.observation_limits(trace.refusals)
        return (*limits, *([failure] if failure else []), *refused)

    def run(
        self, readiness: Readiness, tools: Tools, meanwhile: Callable[[], None]
    ) -> None:
        """Exercise the image for the whole window."""
        deadline = time.monotonic() + self._request.settings.duration_seconds
        if readiness.when is ReadyWhen.FINISHED:
            self._limits.append("the image finished by itself; nothing could drive it")
            meanwhile()
            return
        if self._request.test_script is not None:
            with self._clock.phase(Phase.DAST):
                before = self._signs_of_life()
                self._run_script(deadline)
                self._reacted = self._reacts(before)
            _demand_enough(self._recording, self._privileges)
        with self._clock.phase(Phase.OBSERVE), ExitStack() as stack:
            left = deadline - time.monotonic()
            running = None
            self._ports = readiness.ports
            if readiness.ports and left > 0:
                running = self._start_traffic(readiness, tools, left)
                if running is not None:
                    stack.enter_context(running)
            meanwhile()
            self._watch(deadline, running)
            if running is not None:
                self.traffic = running.stop()
                if self.traffic.failure:
                    why = self.traffic.failure
                    self._limits.append(f"the built-in driver ended by itself: {why}")

    def _run_script(self, deadline: float) -> None:
        script = self._request.test_script or ""
        limit = min(
            float(self._request.settings.script_timeout_seconds),
            max(1.0, deadline - time.monotonic()),
        )
        try:
            self.script = self._sandbox.run_script(script, timeout_seconds=limit)
        except DriverFailed as error:
            self._limits.append(f"the test script could not run: {error.message}")
            return
        if self.script.exit_code is None:
            self._limits.append(f"the test script was ended after {limit:.0f} s")
        elif self.script.exit_code != 0:
            self._limits.append(
                f"the test script failed with exit code {self.script.exit_code}"
            )

    def _signs_of_life(self) -> tuple[int, int, int]:
        counters = self._recording.counters()
        return self._sandbox.received(), counters.files, counters.processes

    def _reacts(self, before: tuple[int, int, int]) -> bool:
        """Tell whether the image did anything since, as soon as it is known."""
        deadline = time.monotonic() + REACTION_SECONDS
        while self._signs_of_life() == before:
            if time.monotonic() > deadline:
                return False
            time.sleep(REACTION_SECONDS / 10)
        return True

    def _start_traffic(
        self, readiness: Readiness, tools: Tools, seconds: float
    ) -> RunningTraffic | None:
        plan = TrafficPlan(
            ports=readiness.ports,
            duration_seconds=seconds,
            fuzz=self._request.settings.fuzz,
            seed_paths=tuple(dict.fromkeys((*self._request.seed_paths, *SEED_PATHS))),
        )
        try:
            return self._sandbox.start_traffic(tools.traffic, plan)
        except DriverFailed as error:
            self._limits.append(f"the built-in driver could not run: {error.message}")
            return None

    def _watch(self, deadline: float, running: RunningTraffic | None) -> None:
        duration = self._request.settings.duration_seconds
        checked = time.monotonic()
        while (left := deadline - time.monotonic()) > 0:
            code = self._sandbox.has_ended()
            if code is not None:
                self._limits.append(
                    f"the image exited with code {code} after "
                    f"{duration - left:.0f} of {duration} s"
                )
                return
            if self._recording.failure() is not None:
                return
            if time.monotonic() - checked > CHECK_SECONDS:
                self._sandbox.check()
                _demand_enough(self._recording, self._privileges)
                checked = time.monotonic()
            self._clock.say(
                Phase.OBSERVE,
                _seen(self._recording, running),
                done=1 - left / duration,
                remaining_seconds=left,
            )
            time.sleep(min(WATCH_SECONDS, left))


def _seen(recording: Recording, running: RunningTraffic | None) -> str:
    counters = recording.counters()
    words: Sequence[str] = (f"{counters.files} files", f"{counters.mapped} mapped")
    if running is not None:
        words = (*words, f"{running.report().answered} answers")
    return ", ".join(words)
