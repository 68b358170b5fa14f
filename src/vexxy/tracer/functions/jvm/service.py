"""The log of loaded classes: asked for, and read afterwards."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from vexxy.tracer.functions.jvm import wire
from vexxy.tracer.functions.types import TOLD_PATH, Beside, Evidence, Recorded
from vexxy.tracer.types import (
    FunctionCall,
    FunctionRecording,
    Process,
    Runtime,
    Source,
    Trace,
    Use,
)

VARIABLE: Final = "JDK_JAVA_OPTIONS"
"""Read by the `java` of 9 and newer; an older one would not start with the option."""
OPTION: Final = f"-Xlog:class+load=info:file={TOLD_PATH}/jvm-%p-%t.log:tn:filecount=0"
LAUNCHER: Final = "java"
LIBRARY: Final = re.compile(r"libjvm\.so|libj9vm\d+\.so")
LOGS_OFF: Final = re.compile(r"-Xlog:(disable|.*class.*=off)")
REASONS_MAX: Final = 20


def plan(environment: Mapping[str, str]) -> Beside:
    """Return the variable that asks for the log, with what was in it."""
    before = environment.get(VARIABLE)
    return Beside({}, {VARIABLE: f"{OPTION} {before}" if before else OPTION})


def collect(evidence: Evidence) -> Recorded | None:
    """Return the classes that were loaded; None where no such machine ran."""
    logged = wire.processes(evidence.told)
    reasons = list(_silent(evidence.trace, Counter(logged)))
    if not (reasons or logged):
        return None
    calls: dict[tuple[str, str], FunctionCall] = {}
    programs = {one.process_id: one.executable for one in evidence.trace.processes}
    for loaded in wire.read(evidence.told):
        own = f"{loaded.path.rstrip('/')}/{loaded.name.replace('.', '/')}.class"
        path = evidence.root.resolve(own) if loaded.path else None  # in a directory
        path = path or (evidence.root.resolve(loaded.path) if loaded.path else None)
        path = path or loaded.path or programs.get(loaded.process_id, "")
        if not loaded.made:
            call = _call(loaded, path, evidence.started_seconds)
            calls.setdefault((path, loaded.name), call)
    recording = FunctionRecording(
        runtime=Runtime.JVM,
        processes=len(logged),
        reasons=tuple(dict.fromkeys([*evidence.problems, *reasons]))[:REASONS_MAX],
        unit="class",
    )
    return Recorded(tuple(calls.values()), recording)


def _call(loaded: wire.Loaded, path: str, started_seconds: float) -> FunctionCall:
    return FunctionCall(
        module=loaded.name,
        name="",
        path=path,
        source=Source.COVERAGE,
        process_id=loaded.process_id,
        first_called_seconds=max(0.0, loaded.seconds - started_seconds),
    )


def _silent(trace: Trace, logged: Counter[int]) -> Iterator[str]:
    """Yield a sentence for each machine that ran and wrote no log."""
    needed: dict[int, list[Process]] = {}
    for process in trace.processes:
        if posixpath.basename(process.executable) == LAUNCHER:
            needed.setdefault(process.process_id, []).append(process)
            if any(LOGS_OFF.match(argument) for argument in process.arguments):
                yield f"{_named(process)} was told to log no classes"
    for number, runs in needed.items():
        for run in runs[: max(0, len(runs) - logged[number])]:
            yield (
                f"{_named(run)} logged no classes: it is older than 9, or was started "
                "without the variables that were given"
            )
    others = {
        file.process
        for file in trace.files
        if file.use is Use.MAPPED and LIBRARY.fullmatch(posixpath.basename(file.path))
    }
    for program in sorted(others):
        if posixpath.basename(program) != LAUNCHER:
            yield f"{program or 'a program'} holds a Java virtual machine that is not told"


def _named(process: Process) -> str:
    return f"{process.executable} (process {process.process_id})"
