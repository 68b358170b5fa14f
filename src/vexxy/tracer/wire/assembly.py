"""Events, added up to a trace."""

from dataclasses import dataclass, field, replace
from typing import Final

from vexxy.tracer import rules
from vexxy.tracer.functions.native.types import Frame, Hit, ProbesSeen
from vexxy.tracer.types import (
    Counters,
    Gap,
    NetworkConnection,
    Process,
    Refusal,
    Source,
    Trace,
    TracedFile,
    Use,
)
from vexxy.tracer.wire import lines

PROCESSES_MAX: Final = 50_000
# What an image may have us keep: far more than any opens that does not do it to harm us.
NAMED_MAX: Final = 200_000
NAMED_CHARACTERS_MAX: Final = 32 * 1024 * 1024


@dataclass(slots=True)
class _Running:
    """What is known of a process that runs; ids as the container counts them."""

    process_id: int
    parent_process_id: int
    executable: str


@dataclass(slots=True)
class Assembly:
    """Everything told so far; not safe for use by several threads at once."""

    source: Source = Source.EBPF
    fallbacks: tuple[str, ...] = ()
    ended: lines.End | None = None
    malformed: int = 0
    new_code_at: float | None = None
    _files: dict[tuple[str, Use], TracedFile] = field(default_factory=dict)
    _code: set[str] = field(default_factory=set)
    _processes: list[Process] = field(default_factory=list)
    _unlisted_processes: int = 0
    _listed: dict[int, int] = field(default_factory=dict)
    _running: dict[int, _Running] = field(default_factory=dict)
    _connections: dict[NetworkConnection, None] = field(default_factory=dict)
    _refusals: dict[tuple[object, ...], Refusal] = field(default_factory=dict)
    _gaps: dict[str, Gap] = field(default_factory=dict)
    _named: int = 0
    _named_characters: int = 0
    _lost: lines.Lost = field(default_factory=lines.Lost)
    _syscalls: tuple[str, ...] = ()
    _probes: ProbesSeen = field(default_factory=ProbesSeen)

    def add(self, event: lines.Event) -> None:
        """Take in one event."""
        match event:
            case lines.File():
                self._add_file(event)
            case lines.Exec():
                self._add_exec(event)
            case lines.Fork():
                self._add_fork(event)
            case lines.Exit():
                self._add_exit(event)
            case lines.Network():
                self._add_network(event)
            case lines.Refused():
                self._add_refused(event)
            case lines.Hit():
                self._add_hit(event)
            case (
                lines.Unprobed()
                | lines.Probed()
                | lines.ProbedFileChanged()
                | lines.ProbesEnded()
            ):
                self._add_probes(event)
            case _:
                self._add_summary(event)

    def add_gap(self, kind: str, detail: str) -> None:
        """Note that something may have run unseen; the first of a kind is kept."""
        self._gaps.setdefault(kind, Gap(kind, detail))

    @property
    def lost_events(self) -> int:
        """Events that were dropped anywhere on the way here."""
        dropped_lines = self.ended.lines_lost if self.ended else 0
        return self._lost.total + dropped_lines + self.malformed

    def counters(self, elapsed_seconds: float) -> Counters:
        """Return the figures at `elapsed_seconds` from the start."""
        uses = [use for _, use in self._files]
        since = None
        if self.new_code_at is not None:
            since = max(0.0, elapsed_seconds - self.new_code_at)
        return Counters(
            elapsed_seconds=elapsed_seconds,
            files=len({path for path, _ in self._files}),
            executed=uses.count(Use.EXECUTED),
            mapped=uses.count(Use.MAPPED),
            processes=len(self._processes) + self._unlisted_processes,
            connections=len(self._connections),
            refusals=len(self._refusals),
            lost_events=self.lost_events,
            seconds_since_new_code=since,
        )

    def refusals(self) -> tuple[Refusal, ...]:
        """Return what was refused, first seen first."""
        return tuple(self._refusals.values())

    def trace(self, duration_seconds: float) -> Trace:
        """Return the trace; the agent's own duration wins where it told one."""
        remarks = self.fallbacks
        if self._unlisted_processes:
            remarks += (
                f"{self._unlisted_processes} more programs were started than are listed",
            )
        if self._lost.refusals_beyond_bound:
            remarks += ("more refusals happened than are listed",)
        return Trace(
            source=self.source,
            duration_seconds=self.ended.seconds if self.ended else duration_seconds,
            files=tuple(self._files.values()),
            processes=tuple(self._processes),
            network_connections=tuple(self._connections),
            syscalls=tuple(sorted(self._syscalls)),
            refusals=self.refusals(),
            gaps=tuple(self._gaps.values()),
            lost_events=self.lost_events,
            fallbacks=remarks,
            probes=self._probes,
        )

    @property
    def probes_answered(self) -> int:
        """How many probes the agent set or refused so far."""
        return self._probes.wanted

    def expect_probes(self, wanted: int) -> None:
        """Note how many probes were handed over; the agent must answer for each."""
        if self._probes.wanted != wanted:
            self._probes = replace(self._probes, wanted=wanted, finished=False)

    def _add_hit(self, event: lines.Hit) -> None:
        hit = Hit(
            number=event.probe,
            process_id=event.container_process_id,
            host_process_id=event.process_id,
            seconds=event.seconds,
            executable=self._executable(event.process_id),
            command=event.command,
            frames=tuple(Frame(one.address, one.path, one.offset) for one in event.frames),
        )
        self._probes = replace(self._probes, hits=(*self._probes.hits, hit))

    def _add_probes(
        self,
        event: lines.Unprobed | lines.Probed | lines.ProbedFileChanged | lines.ProbesEnded,
    ) -> None:
        probes = self._probes
        match event:
            case lines.Unprobed():
                refused = {**probes.refused, event.probe: event.reason}
                self._probes = replace(probes, refused=refused)
            case lines.Probed():
                wanted = probes.wanted + event.set + event.refused
                self._probes = replace(probes, wanted=wanted)
            case lines.ProbedFileChanged():
                self._probes = replace(probes, changed=(*probes.changed, event.path))
            case lines.ProbesEnded():
                self._probes = replace(probes, finished=True)

    def _add_summary(
        self,
        event: lines.Ready
        | lines.Failed
        | lines.GapSeen
        | lines.Lost
        | lines.Syscalls
        | lines.End,
    ) -> None:
        match event:
            case lines.Ready():
                self.source, self.fallbacks = event.source, event.fallbacks
            case lines.GapSeen():
                self.add_gap(event.kind, f"{event.detail} (seen {event.count} times)")
            case lines.Lost():
                self._lost = event
            case lines.Syscalls():
                self._syscalls = event.names
            case lines.End():
                self.ended = event
            case lines.Failed():
                self.add_gap("recorder_failed", event.reason or "; ".join(event.reasons))

    def _executable(self, process_id: int) -> str:
        running = self._running.get(process_id)
        return running.executable if running else ""

    def _note(self, file: TracedFile) -> None:
        key = (file.path, file.use)
        if key in self._files or not self._has_room(file.path):
            return
        self._files[key] = file
        if file.path not in self._code and rules.may_be_code(file.path, file.use):
            self._code.add(file.path)
            self.new_code_at = file.first_seen_seconds

    def _has_room(self, path: str) -> bool:
        """Count something that is about to be kept; say so when there is too much."""
        self._named += 1
        self._named_characters += len(path)
        if self._named <= NAMED_MAX and self._named_characters <= NAMED_CHARACTERS_MAX:
            return True
        self.add_gap("too_much", "it used more files than are listed")
        return False

    def _add_file(self, event: lines.File) -> None:
        if event.truncated:
            self.add_gap("long_path", f"the path of a file is too long: {event.path}")
        for use in event.use:
            self._note(
                TracedFile(
                    path=event.path,
                    use=use,
                    identity=(event.device, event.inode),
                    first_seen_seconds=event.seconds,
                    process=self._executable(event.process_id),
                    source=event.source or self.source,
                    deleted=event.deleted,
                )
            )

    def _add_exec(self, event: lines.Exec) -> None:
        known = self._running.get(event.process_id)
        parent = known.parent_process_id if known else 0
        here = event.container_process_id
        self._running[event.process_id] = _Running(here, parent, event.path)
        executed = TracedFile(
            path=event.path,
            use=Use.EXECUTED,
            identity=(event.device, event.inode),
            first_seen_seconds=event.seconds,
            process=event.path,
            source=self.source,
            deleted=event.deleted,
        )
        self._note(executed)
        if event.script:
            self._note(replace(executed, path=event.script, identity=(0, 0), deleted=False))
        if len(self._processes) >= PROCESSES_MAX:
            self._unlisted_processes += 1
            return
        process = Process(
            process_id=here,
            parent_process_id=parent,
            executable=event.path,
            arguments=event.arguments,
            script=event.script,
            first_seen_seconds=event.seconds,
        )
        self._listed[event.process_id] = len(self._processes)
        self._processes.append(process)

    def _add_exit(self, event: lines.Exit) -> None:
        self._running.pop(event.process_id, None)
        index = self._listed.pop(event.process_id, None)
        if index is not None:
            ended = replace(self._processes[index], ended_seconds=event.seconds)
            self._processes[index] = ended

    def _add_fork(self, event: lines.Fork) -> None:
        parent = self._running.get(event.parent_process_id)
        known = self._running.get(event.process_id)
        if known:  # ptrace may tell of a child's exec before its birth
            known.parent_process_id = parent.process_id if parent else 0
            return
        self._running[event.process_id] = _Running(
            process_id=event.container_process_id,
            parent_process_id=parent.process_id if parent else 0,
            executable=parent.executable if parent else "",
        )

    def _add_network(self, event: lines.Network) -> None:
        connection = NetworkConnection(
            direction=event.direction,
            protocol=event.protocol,
            address=event.address,
            port=event.port,
            process=self._executable(event.process_id),
        )
        if connection in self._connections or self._has_room(connection.address):
            self._connections.setdefault(connection)

    def _add_refused(self, event: lines.Refused) -> None:
        process = self._executable(event.process_id)
        key = (event.syscall, event.error, event.path, process)
        known = self._refusals.get(key)
        if known:
            self._refusals[key] = replace(known, count=known.count + 1)
            return
        if not self._has_room(event.path):
            return
        self._refusals[key] = Refusal(
            syscall=event.syscall,
            error=event.error,
            path=event.path,
            arguments=event.arguments,
            process=process,
            first_seen_seconds=event.seconds,
        )
