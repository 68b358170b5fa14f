"""The Python recorder: put beside an image, and read afterwards."""

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from vexxy.kit.errors import VexxyError
from vexxy.tracer.functions.python import rules, wire
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
    Runtime,
    Source,
    Trace,
    Use,
)

BESIDE: Final = Path(__file__).parents[1] / "beside" / "python"
QUALIFIED_SINCE: Final = (3, 11)
REASONS_MAX: Final = 20
SOURCE_BYTES_MAX: Final = 16 * 1024 * 1024
BINARY_BYTES_MAX: Final = 256 * 1024 * 1024


def plan(environment: Mapping[str, str]) -> Beside:
    """Return the recorder's files, and `PYTHONPATH` with them in front."""
    files = {
        f"python/{path.name}": path.read_bytes()
        for path in sorted(BESIDE.iterdir())
        if path.suffix in {".py", ".so"}
    }
    mine = f"{FILES_PATH}/python"
    before = environment.get("PYTHONPATH")
    return Beside(files, {"PYTHONPATH": f"{mine}:{before}" if before else mine})


def collect(evidence: Evidence) -> Recorded:
    """Return what Python programs called, and every reason to doubt the silence."""
    told = wire.read(evidence.told)
    found = _Findings(evidence.root)
    for call in told.calls:
        found.add(call, started_seconds=evidence.started_seconds)
    for path, hello in told.before.items():
        found.leave_out(path, hello)
    recording = FunctionRecording(
        runtime=Runtime.PYTHON,
        processes=len({(one.process_id, one.run) for one in told.hellos}),
        reasons=_reasons(evidence, told),
        paths_unrecorded=tuple(sorted(found.unrecorded | _compiled(evidence, found))),
    )
    return Recorded(tuple(found.calls.values()), recording)


def _reasons(evidence: Evidence, told: wire.Told) -> tuple[str, ...]:
    trace, hellos = evidence.trace, told.hellos
    embeds = _embedding(trace, evidence.root)
    found = [
        *evidence.problems,
        *told.reasons,
        *rules.silent_processes(trace, hellos),
        *rules.silent_programs(rules.embedding_programs(trace, embeds), hellos),
        *rules.doubtful_modes(trace, hellos),
        *rules.refused_writes(trace.refusals),
    ]
    if told.damaged:
        found.append(f"{told.damaged} lines of the Python recorder were damaged")
    distinct = list(dict.fromkeys(found))
    if len(distinct) > REASONS_MAX:
        more = f"{len(distinct) - REASONS_MAX} more reasons of this kind"
        distinct = [*distinct[:REASONS_MAX], more]
    return tuple(distinct)


def _embedding(trace: Trace, root: ImageFiles) -> dict[str, bool]:
    """Return for each program and library of the image whether it may embed Python."""
    found = {}
    for file in trace.files:
        if file.use not in {Use.EXECUTED, Use.MAPPED} or file.path in found:
            continue
        by_name = rules.is_interpreter(file.path) or rules.is_interpreter(file.process)
        if by_name and (file.use is Use.MAPPED or rules.is_interpreter(file.path)):
            continue
        try:
            content = root.read_bytes(file.path, limit=BINARY_BYTES_MAX)
        except VexxyError:
            continue
        whole = file.use is Use.EXECUTED
        words = rules.EMBEDDING if whole else rules.EMBEDDING_LIBRARY
        elf = content.startswith(b"\x7fELF")
        found[file.path] = elf and any(word in content for word in words)
    return found


def _compiled(evidence: Evidence, found: "_Findings") -> set[str]:
    """Return compiled modules that interpreters mapped: nobody sees their functions."""
    return {
        found.canonical(file.path)
        for file in evidence.trace.files
        if file.use is Use.MAPPED
        and not file.path.startswith(FILES_PATH + "/")
        and rules.is_compiled_module(file.path, file.process)
    }


@dataclass(slots=True)
class _Findings:
    """Calls of all processes, the earliest of each function."""

    root: ImageFiles
    calls: dict[tuple[str, int, str], FunctionCall] = field(default_factory=dict)
    unrecorded: set[str] = field(default_factory=set)
    _paths: dict[str, str] = field(default_factory=dict)
    _names: dict[str, Mapping[tuple[int, str], set[str]] | None] = field(
        default_factory=dict
    )

    def canonical(self, path: str) -> str:
        """Return the image's name of a file, the given one where it has none."""
        if path not in self._paths:
            known = self.root.resolve(path) if path.startswith("/") else None
            self._paths[path] = known or path
        return self._paths[path]

    def leave_out(self, path: str, hello: wire.Hello | None) -> None:
        """Note a file some of whose functions may have been called unseen."""
        path = rules.source_path(path, hello.library if hello else "")
        if path.startswith("/"):
            self.unrecorded.add(self.canonical(path))

    def add(self, call: wire.Call, *, started_seconds: float) -> None:
        """Take in one call; of several the earliest is kept."""
        if rules.is_from_text(call.path):
            self._add_from_text(call)
            return
        library = call.hello.library if call.hello else ""
        path = self.canonical(rules.source_path(call.path, library))
        if self.root.resolve(path) is None:
            # In an archive, written at run time, or moved after it was compiled.
            self.unrecorded.add(path)
        for name in self._qualified(call, path):
            seconds = max(0.0, call.seconds - started_seconds)
            key = (path, call.line, name)
            known = self.calls.get(key)
            if known and (known.first_called_seconds or 0.0) <= seconds:
                continue
            self.calls[key] = FunctionCall(
                module=self._module(path, library),
                name=name,
                path=path,
                source=Source.COVERAGE,
                line=call.line,
                process=call.hello.executable if call.hello else "",
                process_id=call.process_id,
                first_called_seconds=seconds,
                stack=call.stack,
                request=call.request,
            )

    def _add_from_text(self, call: wire.Call) -> None:
        if not rules.is_generated(call.name):
            around = self.canonical(call.around) if call.around else call.path
            self.unrecorded.add(around)

    def _qualified(self, call: wire.Call, path: str) -> Iterable[str]:
        """Return the names the code may have; several where a line does not decide."""
        if call.hello is None or call.hello.version >= QUALIFIED_SINCE:
            return (call.name,)
        if path not in self._names:
            self._names[path] = self._read_names(path)
        names = self._names[path] or {}
        if found := names.get((call.line, call.name)):
            return sorted(found)
        # Not as the source says: nobody knows which of its functions this was.
        self.unrecorded.add(path)
        return (call.name,)

    def _read_names(self, path: str) -> Mapping[tuple[int, str], set[str]] | None:
        try:
            source = self.root.read_bytes(path, limit=SOURCE_BYTES_MAX)
            return rules.qualified_names(source)
        except (VexxyError, ValueError, SyntaxError, RecursionError, MemoryError):
            return None

    def _module(self, path: str, library: str) -> str:
        parents: dict[str, bool] = {}
        directory = posixpath.dirname(path)
        for _ in range(rules.PACKAGE_DEPTH_MAX):
            parents[directory] = self.root.resolve(f"{directory}/__init__.py") is not None
            if not parents[directory]:
                break
            directory = posixpath.dirname(directory)
        return rules.module_name(path, library=library, is_package=parents)
