"""The Node.js recorder: put beside an image, and read afterwards."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vexxy.kit.errors import VexxyError
from vexxy.tracer.functions.node import rules, wire
from vexxy.tracer.functions.node.findings import Findings
from vexxy.tracer.functions.types import (
    FILES_PATH,
    Beside,
    Evidence,
    ImageFiles,
    Recorded,
)
from vexxy.tracer.types import FunctionRecording, Runtime, Trace, Use

BESIDE: Final = Path(__file__).parents[1] / "beside" / "node"
SCRIPT: Final = "node/record.cjs"
REASONS_MAX: Final = 20
BINARY_BYTES_MAX: Final = 256 * 1024 * 1024


def plan(environment: Mapping[str, str]) -> Beside:
    """Return the recorder's script, and `NODE_OPTIONS` that loads it first."""
    mine = f"--require {FILES_PATH}/{SCRIPT}"
    before = environment.get("NODE_OPTIONS")
    return Beside(
        {SCRIPT: (BESIDE / "record.cjs").read_bytes()},
        {"NODE_OPTIONS": f"{mine} {before}" if before else mine},
    )


def collect(evidence: Evidence) -> Recorded | None:
    """Return what Node.js programs called, and every reason to doubt the silence.

    None where no program was Node.js, as far as anyone can tell.
    """
    told = wire.read(evidence.told)
    embeds = _embedding(evidence.trace, evidence.root)
    found = [
        *told.reasons,
        *rules.silent_processes(evidence.trace, told.hellos),
        *rules.silent_threads(told),
        *rules.cut_short(told, evidence.trace, started_seconds=evidence.started_seconds),
        *rules.other_engines(evidence.trace),
        *rules.embedding_programs(evidence.trace, embeds, told.hellos),
    ]
    if told.damaged:
        found.append(f"{told.damaged} lines of the Node.js recorder were damaged")
    if not (found or told.lives):
        return None
    findings = Findings(evidence.root, evidence.started_seconds)
    for path in (*told.before, *rules.compiled_files(evidence.trace)):
        findings.leave_out(path)
    findings.add_all(told.calls)
    recording = FunctionRecording(
        runtime=Runtime.NODE,
        processes=len({(one.process_id, one.run) for one in told.hellos}),
        reasons=_shortened([*evidence.problems, *found, *findings.reasons]),
        paths_unrecorded=tuple(sorted(findings.unrecorded)),
    )
    return Recorded(tuple(findings.calls.values()), recording)


def _shortened(reasons: list[str]) -> tuple[str, ...]:
    distinct = list(dict.fromkeys(reasons))
    if len(distinct) > REASONS_MAX:
        more = f"{len(distinct) - REASONS_MAX} more reasons of this kind"
        distinct = [*distinct[:REASONS_MAX], more]
    return tuple(distinct)


def _embedding(trace: Trace, root: ImageFiles) -> dict[str, bool]:
    """Return for each other program of the image whether it may hold a Node.js."""
    found: dict[str, bool] = {}
    for file in trace.files:
        if file.use is not Use.EXECUTED or rules.is_interpreter(file.path):
            continue
        if file.path in found:
            continue
        try:
            content = root.read_bytes(file.path, limit=BINARY_BYTES_MAX)
        except VexxyError:
            continue
        elf = content.startswith(b"\x7fELF")
        found[file.path] = elf and rules.EMBEDDING in content
    return found
