"""Which processes had to report and did not, and where a file belongs."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from vexxy.tracer.functions.node.wire import Hello, Told
from vexxy.tracer.types import Process, Trace, TracedFile, Use

INTERPRETER: Final = re.compile(r"(node|nodejs|iojs)[-0-9.]*")
LIBRARY: Final = re.compile(r"libnode\.so.*")
OTHER_ENGINES: Final = re.compile(r"(bunx?|deno|qjs|gjs[-\w]*|electron|nw|d8)[-0-9.]*")
EMBEDDING: Final = b"NODE_OPTIONS"
"""In a program that is not Node.js by name: it holds one, or starts one its own way."""
V8: Final = b"V8_Fatal"
ASKS_ONLY: Final = frozenset(
    {"-v", "--version", "-h", "--help", "--v8-options", "--completion-bash"}
)
PROCESSES_MAX: Final = 50_000
PACKAGE: Final = re.compile(
    r".*/(?:node_modules|usr/share/nodejs|usr/lib/nodejs)/((?:@[^/]+/)?[^/]+/.+)"
)


def is_interpreter(path: str) -> bool:
    """Tell whether a program is Node.js by its name."""
    return INTERPRETER.fullmatch(posixpath.basename(path)) is not None


def silent_processes(trace: Trace, hellos: Iterable[Hello]) -> Iterator[str]:
    """Yield a sentence for each interpreter that ran and never reported.

    A process may start a program several times; each start has to report.
    """
    starts = {(one.process_id, one.run) for one in hellos if one.thread == 0}
    heard = Counter(process for process, _ in starts)
    needed: dict[int, list[Process]] = {}
    for process in trace.processes:
        if is_interpreter(process.executable) and not _asks_only(process):
            needed.setdefault(process.process_id, []).append(process)
    for number, runs in needed.items():
        for run in runs[: max(0, len(runs) - heard[number])]:
            yield (
                f"{_named(run)} did not report its functions: it was started without the "
                "variables that were given, with other privileges, is older than 12, or "
                "ended at once"
            )
    if len(trace.processes) >= PROCESSES_MAX:
        yield "more programs were started than are known, so some may be Node.js"


def _asks_only(process: Process) -> bool:
    return len(process.arguments) == 2 and process.arguments[1] in ASKS_ONLY  # noqa: PLR2004  the program and one option


def _named(process: Process) -> str:
    script = f" with {process.script}" if process.script else ""
    return f"{process.executable} (process {process.process_id}){script}"


def cut_short(told: Told, trace: Trace, *, started_seconds: float) -> Iterator[str]:
    """Yield a sentence for each thread whose end was not recorded.

    Whoever is stopped because the observation ends was asked for last words before.
    """
    stop = None if told.stop_seconds is None else told.stop_seconds - started_seconds
    ends: dict[int, list[float]] = {}
    for process in trace.processes:
        if process.ended_seconds is not None:
            ends.setdefault(process.process_id, []).append(process.ended_seconds)
    for life in told.lives:
        if life.final:
            continue
        hello, last = life.hello, life.last_seconds - started_seconds
        later = [end for end in ends.get(hello.process_id, ()) if end >= last]
        end = min(later, default=trace.duration_seconds)
        if stop is not None and end >= stop:
            end = stop
        if last < end:
            yield f"{_thread(hello)} {_how(later, stop)}{end - last:.1f} s before"


def _how(later: list[float], stop: float | None) -> str:
    if later and (stop is None or min(later) < stop):
        return "was ended from outside, so nothing is known of the "
    return "was too busy to report at the end, so nothing is known of the "


def _thread(hello: Hello) -> str:
    script = " ".join(hello.arguments[1:2])
    thread = f", thread {hello.thread}" if hello.thread else ""
    return f"{hello.executable} {script} (process {hello.process_id}{thread})".replace(
        "  ", " "
    )


def silent_threads(told: Told) -> Iterator[str]:
    """Yield a sentence for each thread that was started and never reported."""
    heard = {(one.process_id, one.run, one.thread) for one in told.hellos}
    for life in told.lives:
        hello = life.hello
        for number in life.started:
            if (hello.process_id, hello.run, number) not in heard:
                yield f"thread {number} of {_thread(hello)} did not report its functions"


def other_engines(trace: Trace) -> Iterator[str]:
    """Yield a sentence for each program that runs JavaScript and is not covered."""
    for file in trace.files:
        name = posixpath.basename(file.path)
        if file.use is Use.EXECUTED and OTHER_ENGINES.fullmatch(name):
            yield f"{file.path} runs JavaScript and its functions are not recorded"


def embedding_programs(
    trace: Trace, embeds: Mapping[str, bool], hellos: Iterable[Hello]
) -> Iterator[str]:
    """Yield a sentence for each program that holds Node.js and reported too seldom."""
    heard: dict[str, set[tuple[int, str]]] = {}
    for hello in hellos:
        heard.setdefault(hello.executable, set()).add((hello.process_id, hello.run))
    runs = Counter(process.executable for process in trace.processes)
    programs = {_program(file, embeds) for file in trace.files} - {""}
    for program in sorted(programs):
        if not is_interpreter(program) and len(heard.get(program, ())) < max(
            1, runs[program]
        ):
            yield f"{program} may hold a Node.js of its own that did not report"


def _program(file: TracedFile, embeds: Mapping[str, bool]) -> str:
    name = posixpath.basename(file.path)
    if file.use is Use.EXECUTED and embeds.get(file.path):
        return file.path
    if file.use is Use.MAPPED and LIBRARY.fullmatch(name):
        return file.process
    return ""


def compiled_files(trace: Trace) -> Iterator[str]:
    """Yield addons and WebAssembly, whose functions V8's coverage does not know."""
    for file in trace.files:
        if file.path.endswith((".node", ".wasm")) and file.use in {Use.MAPPED, Use.READ}:
            yield file.path


def file_path(url: str) -> str:
    """Return the path of a script's address, empty where it is from no file."""
    if url.startswith("file://"):
        return unquote(url[7:].partition("?")[0].partition("#")[0])
    return url if url.startswith("/") else ""


def module_name(path: str) -> str:
    """Return `package/path.js` of an installed package's file, else its path."""
    found = PACKAGE.fullmatch(path)
    return found[1] if found else path.lstrip("/")
