"""The Ruby recorder: put beside an image, and read afterwards."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from vexxy.tracer.functions.ruby import wire
from vexxy.tracer.functions.types import (
    FILES_PATH,
    Beside,
    Evidence,
    ImageFiles,
    Recorded,
)
from vexxy.tracer.types import (
    FunctionCall,
    FunctionRecording,
    Process,
    Runtime,
    Source,
    Trace,
    Use,
)

BESIDE: Final = Path(__file__).parents[1] / "beside" / "ruby"
SCRIPT: Final = "ruby/record.rb"
INTERPRETER: Final = re.compile(r"ruby[-0-9.]*")
OTHERS: Final = re.compile(r"jruby|truffleruby|mruby|rbx")
LIBRARY: Final = re.compile(r"libruby[-\w.]*\.so.*")
GEM: Final = re.compile(r".*/gems/(.+)-\d[^/]*/(.+)")
REASONS_MAX: Final = 20


def plan(environment: Mapping[str, str]) -> Beside:
    """Return the recorder's script, and `RUBYOPT` that loads it first."""
    mine = f"-r{FILES_PATH}/{SCRIPT}"
    before = environment.get("RUBYOPT")
    return Beside(
        {SCRIPT: (BESIDE / "record.rb").read_bytes()},
        {"RUBYOPT": f"{mine} {before}" if before else mine},
    )


def collect(evidence: Evidence) -> Recorded | None:
    """Return what Ruby programs called; None where no program was Ruby."""
    told = wire.read(evidence.told)
    found = [*told.reasons, *_silent(evidence.trace, told), *_others(evidence.trace, told)]
    if told.damaged:
        found.append(f"{told.damaged} lines of the Ruby recorder were damaged")
    if not (found or told.hellos):
        return None
    root = evidence.root
    unrecorded = {root.resolve(path) or path for path in told.before}
    programs = {one.process_id: one.executable for one in told.hellos}
    calls: dict[tuple[str, int, str], FunctionCall] = {}
    for call in sorted(told.calls, key=lambda one: one.seconds):
        path = root.resolve(call.path) or call.path
        if root.resolve(call.path) is None:
            unrecorded.add(path)  # from text, or written at run time
        program = programs.get(call.process_id, "")
        one = _call(call, path, program=program, started=evidence.started_seconds)
        calls.setdefault((path, call.line, call.name), one)
    unrecorded |= _compiled(evidence.trace, root)
    recording = FunctionRecording(
        runtime=Runtime.RUBY,
        processes=len({(one.process_id, one.begun) for one in told.hellos}),
        reasons=tuple(dict.fromkeys([*evidence.problems, *found]))[:REASONS_MAX],
        paths_unrecorded=tuple(sorted(unrecorded)),
    )
    return Recorded(tuple(calls.values()), recording)


def _call(call: wire.Call, path: str, *, program: str, started: float) -> FunctionCall:
    gem = GEM.fullmatch(path)
    return FunctionCall(
        module=f"{gem[1]}/{gem[2]}" if gem else path.lstrip("/"),
        name=call.name,
        path=path,
        source=Source.COVERAGE,
        line=call.line,
        process=program,
        process_id=call.process_id,
        first_called_seconds=max(0.0, call.seconds - started),
        stack=call.stack,
    )


def _compiled(trace: Trace, root: ImageFiles) -> set[str]:
    """Return compiled extensions that interpreters mapped."""
    return {
        root.resolve(file.path) or file.path
        for file in trace.files
        if file.use is Use.MAPPED
        and file.path.endswith(".so")
        and INTERPRETER.fullmatch(posixpath.basename(file.process))
    }


def _silent(trace: Trace, told: wire.Told) -> Iterator[str]:
    """Yield a sentence for each interpreter that ran and never reported."""
    starts = {(one.process_id, one.begun) for one in told.hellos if one.kind == "start"}
    heard = Counter(process for process, _ in starts)
    needed: dict[int, list[Process]] = {}
    for process in trace.processes:
        if INTERPRETER.fullmatch(posixpath.basename(process.executable)):
            needed.setdefault(process.process_id, []).append(process)
    for number, runs in needed.items():
        for run in runs[: max(0, len(runs) - heard[number])]:
            yield (
                f"{run.executable} (process {number}) did not report its functions: it was "
                "started without the variables that were given, is older than 2.4, or "
                "ended at once"
            )


def _others(trace: Trace, told: wire.Told) -> Iterator[str]:
    """Yield a sentence for each other engine, and each program that holds a Ruby."""
    heard = {one.executable for one in told.hellos}
    for file in trace.files:
        name = posixpath.basename(file.path)
        if file.use is Use.EXECUTED and OTHERS.fullmatch(name):
            yield f"functions of {file.path} are not recorded"
        is_ruby = INTERPRETER.fullmatch(posixpath.basename(file.process))
        if file.use is not Use.MAPPED or is_ruby or file.process in heard:
            continue
        if LIBRARY.fullmatch(name):
            yield f"{file.process} may hold a Ruby of its own that did not report"
