"""Recordings by the agent `vexxy-trace`, a process of its own.

The agent talks to the kernel and keeps what its reader has not fetched yet, so a slow
reader here costs memory there, never an event.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

import msgspec

from vexxy.tracer.errors import (
    AgentFailed,
    AgentMissing,
    AgentSilent,
    NoSourceWorks,
    TargetEnded,
)
from vexxy.tracer.functions.native.types import Uprobe
from vexxy.tracer.types import Counters, Probe, Refusal, Source, Target, Trace
from vexxy.tracer.wire import lines, probe_list
from vexxy.tracer.wire import probe as probe_line
from vexxy.tracer.wire.assembly import Assembly

AGENT: Final = "vexxy-trace"
READY_TIMEOUT_SECONDS: Final = 30.0
STOP_TIMEOUT_SECONDS: Final = 60.0
PROBES_TIMEOUT_SECONDS: Final = 60.0


def find_agent(environment: Mapping[str, str] | None = None) -> Path:
    """Return the agent: `VEXXY_TRACER`, else beside this Python, else on PATH.

    Raises:
        AgentMissing: It is in none of these places.
    """
    environment = os.environ if environment is None else environment
    named = environment.get("VEXXY_TRACER")
    if named:
        if not os.access(named, os.X_OK):
            raise AgentMissing(f"VEXXY_TRACER ({named})")
        return Path(named)
    beside = Path(sys.prefix) / "bin" / AGENT
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(AGENT, path=environment.get("PATH"))
    if found is None:
        raise AgentMissing(f"{beside.parent} and PATH")
    return Path(found)


def probe(agent: Path | None = None) -> Probe:
    """Return what can be recorded on this machine; `agent` as for `AgentRecorder`.

    Raises:
        AgentMissing, AgentFailed: There is no agent, or it does not run here.
    """
    command = [str(agent or find_agent()), "probe"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=READY_TIMEOUT_SECONDS, check=True
        )
        return probe_line.decode(done.stdout)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        raise AgentFailed(f"{command[0]} cannot probe this machine: {error}") from error


class AgentRecorder:
    """Starts recordings; `agent` is the binary, found by `find_agent` if not given."""

    def __init__(self, agent: Path | None = None) -> None:
        self._agent = agent

    def start(
        self,
        target: Target,
        *,
        source: Source | None = None,
        probes: Sequence[Uprobe] | None = None,
    ) -> "AgentRecording":
        """Return once every later act of the target's processes is recorded.

        See `ports.Recorder`.
        """
        command = [str(self._agent or find_agent()), "record", *_options(target, source)]
        recording = AgentRecording(command, probes=probes)
        recording.wait_until_ready()
        return recording


class AgentRecording:
    """One run of the agent; see `ports.Recording`."""

    def __init__(
        self, command: list[str], *, probes: Sequence[Uprobe] | None = None
    ) -> None:
        watches = probes is not None
        self._assembly = Assembly()
        self._probes_wanted = 0
        self._answered = threading.Condition()
        self._lock = threading.Lock()
        self._first: lines.Event | None = None
        self._begun = threading.Event()
        self._started_at = time.monotonic()
        self._trace: Trace | None = None
        try:
            self._agent = subprocess.Popen(
                [*command, "--probes", "-"] if watches else command,
                stdin=subprocess.PIPE if watches else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise AgentFailed(f"{command[0]} could not be run: {error.strerror}") from error
        assert self._agent.stdout is not None  # noqa: S101  PIPE was asked for
        self._reader = threading.Thread(
            target=self._read, args=(self._agent.stdout,), name="tracer", daemon=True
        )
        self._reader.start()
        if probes is not None:
            self._write_probes(probes)

    @property
    def source(self) -> Source:
        """Which of the kernel's facilities records."""
        return self._assembly.source

    def wait_until_ready(self) -> None:
        """Wait for the agent's first line; ends the agent where it is not "ready"."""
        if not self._begun.wait(READY_TIMEOUT_SECONDS):
            self._end_agent()
            raise AgentSilent(
                f"the tracing agent was not ready within {READY_TIMEOUT_SECONDS:.0f} s"
            )
        if isinstance(self._first, lines.Ready):
            return
        self._end_agent()
        match self._first:
            case lines.Failed(kind="unavailable"):
                raise NoSourceWorks(self._first.reasons)
            case lines.Failed():
                raise TargetEnded(self._first.reason)
            case _:
                code = self._agent.returncode
                raise AgentFailed(f"the tracing agent ended before it began (code {code})")

    def add_probes(self, probes: Sequence[Uprobe]) -> None:
        """Return once more probes stand, or are refused; see `ports.Recording`."""
        if not probes:
            return
        self._write_probes(probes)
        with self._answered:
            answered = self._answered.wait_for(
                lambda: self._are_probes_answered() or self.failure() is not None,
                PROBES_TIMEOUT_SECONDS,
            )
        if self.failure() is not None:
            raise AgentFailed(self.failure() or "")
        if not answered:
            raise AgentSilent("the tracing agent did not set the probes in time")

    def _are_probes_answered(self) -> bool:
        with self._lock:
            return self._assembly.probes_answered >= self._probes_wanted

    def _write_probes(self, probes: Sequence[Uprobe]) -> None:
        """Hand a set to the agent; one that is gone says so by other means."""
        if self._agent.stdin is None:
            raise AgentFailed("the recording was started without probes")
        self._probes_wanted += len(probes)
        with contextlib.suppress(BrokenPipeError):
            self._agent.stdin.write(probe_list.encode(probes))
            self._agent.stdin.flush()

    def counters(self) -> Counters:
        """Return the figures so far."""
        with self._lock:
            return self._assembly.counters(time.monotonic() - self._started_at)

    def refusals(self) -> tuple[Refusal, ...]:
        """Return what the sandbox refused so far."""
        with self._lock:
            return self._assembly.refusals()

    def failure(self) -> str | None:
        """Return why the agent ended by itself, None while it runs or after `stop`."""
        if self._trace is not None or self._agent.poll() is None:
            return None
        return f"the tracing agent ended by itself (code {self._agent.returncode})"

    def stop(self) -> Trace:
        """End the recording and return what it saw; again, the same trace."""
        if self._trace is not None:
            return self._trace
        elapsed_seconds = time.monotonic() - self._started_at
        died = self.failure()
        self._end_agent()
        with self._lock:
            if died is None and self._assembly.ended is None:
                died = "the tracing agent did not end its recording in time"
            if died is not None:
                self._assembly.add_gap("recorder_died", died)
            self._assembly.expect_probes(self._probes_wanted)
            self._trace = self._assembly.trace(elapsed_seconds)
        return self._trace

    def _end_agent(self) -> None:
        self._agent.terminate()
        self._reader.join(STOP_TIMEOUT_SECONDS)
        if self._reader.is_alive():
            self._agent.kill()
            self._reader.join()
        self._agent.wait()
        if self._agent.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._agent.stdin.close()

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                self._take(line)
        self._begun.set()
        with self._answered:
            self._answered.notify_all()

    def _take(self, line: bytes) -> None:
        try:
            event = lines.decode(line)
        except lines.MalformedLineError:
            with self._lock:
                self._assembly.malformed += 1
            return
        with self._lock:
            if self._first is None:
                self._first = event
                self._started_at = time.monotonic()
            self._assembly.add(event)
        self._begun.set()
        if isinstance(event, lines.Probed):
            with self._answered:
                self._answered.notify_all()


def _options(target: Target, source: Source | None) -> list[str]:
    if target.process_id is not None:
        options = ["--pid", str(target.process_id)]
    else:
        options = ["--cgroup-name", target.cgroup_name]
    if target.root:
        options += ["--root", target.root]
    if source is not None:
        options += ["--source", source.value]
    return options
