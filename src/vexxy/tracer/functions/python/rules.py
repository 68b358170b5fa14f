"""Which processes had to report and did not, and what a call is named."""

import ast
import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from vexxy.tracer.functions.python.wire import Hello
from vexxy.tracer.rules import RECORDERS_PATH
from vexxy.tracer.types import Process, Refusal, Trace, TracedFile, Use

INTERPRETER: Final = re.compile(r"(python|pypy)[0-9.]*[a-z]*(-dbg)?")
LIBRARY: Final = re.compile(r"lib(python|pypy)[0-9.a-z]*-?c?\.so.*")
ENCODINGS: Final = re.compile(r"/encodings/(__pycache__/)?__init__\.[\w.-]*py[co]?$")
EMBEDDING_LIBRARY: Final = (b"libpython", b"PYTHONHOME")
"""In a library: it brings an interpreter, or asks for one."""
EMBEDDING: Final = (*EMBEDDING_LIBRARY, b"Py_Initialize", b"Py_BytesMain", b"Py_RunMain")
"""In a program that is no interpreter by name: it may become one."""
ISOLATED: Final = re.compile(r"-[a-zA-Z]*[IES][a-zA-Z]*")
ASKS_ONLY: Final = frozenset({"-V", "-VV", "--version", "-h", "--help", "-?"})
EVALUATORS: Final = ("_pydevd_frame_eval", "/torch/lib/libtorch_python", "/torch/_C")
"""Compiled modules that may take over how frames are evaluated before 3.12."""
PROFILERS: Final = ("/cProfile.", "/_lsprof", "yappi", "/coverage/tracer.", "/vmprof")
"""Modules that take the one place for a profiler, or trace, before 3.9."""
FROZEN: Final = re.compile(r"<frozen ([\w.]+)>")
ALIASES: Final = {
    "_frozen_importlib": "importlib._bootstrap",
    "_frozen_importlib_external": "importlib._bootstrap_external",
}
SITE: Final = re.compile(r"^.*/(?:site|dist)-packages/")
GENERATED: Final = re.compile(r"(.*\.)?(__\w+__|<lambda>|_make|_replace|_asdict)")
"""Names that the standard library and its like give to what they make from text."""
PROCESSES_MAX: Final = 50_000
PACKAGE_DEPTH_MAX: Final = 30


def is_interpreter(path: str) -> bool:
    """Tell whether a program is Python by its name."""
    return INTERPRETER.fullmatch(posixpath.basename(path)) is not None


def silent_processes(trace: Trace, hellos: Iterable[Hello]) -> Iterator[str]:
    """Yield a sentence for each interpreter that ran and never reported.

    A process may start a program several times; each start has to report.
    """
    heard = Counter(process for process, _ in _starts(hellos))
    needed: dict[int, list[Process]] = {}
    for process in trace.processes:
        if is_interpreter(process.executable) and not _asks_only(process):
            needed.setdefault(process.process_id, []).append(process)
    for number, runs in needed.items():
        missing = len(runs) - heard[number]
        suspects = sorted(runs, key=lambda run: not _is_isolated(run))
        for run in suspects[: max(0, missing)]:
            yield f"{_named(run)} did not report its functions{_cause(run)}"
    if len(trace.processes) >= PROCESSES_MAX:
        yield "more programs were started than are known, so some may be Python"


def _starts(hellos: Iterable[Hello]) -> set[tuple[int, str]]:
    return {(one.process_id, one.run) for one in hellos if one.kind == "start"}


def _asks_only(process: Process) -> bool:
    return len(process.arguments) == 2 and process.arguments[1] in ASKS_ONLY  # noqa: PLR2004  the program and one option


def _options(process: Process) -> Iterator[str]:
    for argument in process.arguments[1:]:
        if not argument.startswith("-") or argument in {"-", "--"}:
            return
        yield argument
        if argument in {"-c", "-m"}:
            return


def _is_isolated(process: Process) -> bool:
    return any(
        ISOLATED.fullmatch(option) and not option.startswith("--")
        for option in _options(process)
    )


def _cause(process: Process) -> str:
    if _is_isolated(process):
        return ": it was started in an isolated mode (-I, -E or -S)"
    return ": it was started without the variables that were given, or ended at once"


def _named(process: Process) -> str:
    script = f" with {process.script}" if process.script else ""
    return f"{process.executable} (process {process.process_id}){script}"


def embedding_programs(
    trace: Trace, embeds: Mapping[str, bool]
) -> Iterator[tuple[str, int]]:
    """Yield programs that are no interpreter by name but may hold one, and how often.

    Args:
        trace: What ran.
        embeds: For each executed or mapped file of the image, whether its content
            speaks of embedding Python.
    """
    runs = Counter(process.executable for process in trace.processes)
    least: dict[str, int] = {}
    for file in trace.files:
        program = _program_with_python(file, embeds)
        if program and not is_interpreter(program):
            whole = file.use is Use.EXECUTED
            least[program] = max(least.get(program, 1), runs[program] if whole else 1)
    yield from sorted(least.items())


def _program_with_python(file: TracedFile, embeds: Mapping[str, bool]) -> str:
    name = posixpath.basename(file.path)
    if file.use is Use.EXECUTED and embeds.get(file.path):
        return file.path
    library = LIBRARY.fullmatch(name) or embeds.get(file.path)
    if file.use is Use.MAPPED and library:
        return file.process
    return file.process if file.use is Use.READ and ENCODINGS.search(file.path) else ""


def silent_programs(
    programs: Iterable[tuple[str, int]], hellos: Iterable[Hello]
) -> Iterator[str]:
    """Yield a sentence for each embedding program that reported too seldom."""
    heard: dict[str, set[tuple[int, str]]] = {}
    for hello in hellos:
        if hello.kind == "start":
            heard.setdefault(hello.executable, set()).add((hello.process_id, hello.run))
    for program, times in programs:
        if len(heard.get(program, ())) < times:
            yield f"{program} may hold a Python of its own that did not report"


def doubtful_modes(trace: Trace, hellos: Iterable[Hello]) -> Iterator[str]:
    """Yield a sentence for each way of listening that may have missed something."""
    evaluators = [
        file.path
        for file in trace.files
        if file.use is Use.MAPPED and any(word in file.path for word in EVALUATORS)
    ]
    profilers = [
        file.path
        for file in trace.files
        if any(word in file.path for word in PROFILERS)
        and file.use in {Use.MAPPED, Use.READ}
    ]
    for hello in hellos:
        if hello.mode in {"threads", "profile"} and profilers:
            yield f"{profilers[0]} may have taken the place of the recorder"
        if hello.mode == "none":
            yield f"{hello.executable} could not be listened to"
        elif hello.mode == "frames" and evaluators:
            yield f"{evaluators[0]} may have taken over the evaluation of frames"
        elif hello.mode in {"threads", "profile"} and not is_interpreter(hello.executable):
            yield f"threads that {hello.executable} made itself may be unseen"


def refused_writes(refusals: Iterable[Refusal]) -> Iterator[str]:
    """Yield a sentence for each process that was kept from telling something."""
    for refusal in refusals:
        if refusal.path.startswith(f"{RECORDERS_PATH}-out"):
            yield f"{refusal.process} was refused to write what it called"


def is_compiled_module(path: str, process: str) -> bool:
    """Tell whether a mapped file is a module in machine code, whose functions nobody sees.

    Its name says so, or an interpreter mapped it and it is no shared library.
    """
    name = posixpath.basename(path)
    if ".cpython-" in name or ".abi3." in name or ".pypy" in name:
        return True
    library = name.startswith(("lib", "ld-"))
    return is_interpreter(process) and name.endswith(".so") and not library


def source_path(path: str, library: str) -> str:
    """Return the file of a code object; a module frozen into the interpreter has one."""
    found = FROZEN.fullmatch(path)
    if found is None or not library:
        return path
    name = ALIASES.get(found[1], found[1])
    return f"{library}/{name.replace('.', '/')}.py"


def is_from_text(path: str) -> bool:
    """Tell whether code was made from text and not from a file."""
    return path.startswith("<") and FROZEN.fullmatch(path) is None


def is_generated(name: str) -> bool:
    """Tell whether a function made from text is of the kind libraries generate."""
    return GENERATED.fullmatch(name) is not None


def module_name(path: str, *, library: str, is_package: Mapping[str, bool]) -> str:
    """Return the dotted module of a source file.

    Args:
        path: Canonical.
        library: Directory of the standard library, empty if unknown.
        is_package: Whether a directory holds an `__init__.py`.
    """
    stem = posixpath.splitext(path)[0]
    inside = SITE.sub("", stem)
    if inside == stem and library and stem.startswith(library + "/"):
        inside = stem[len(library) + 1 :].removeprefix("lib-dynload/")
    elif inside == stem:
        parts = stem.split("/")
        first = len(parts) - 1
        while first > 1 and is_package.get("/".join(parts[:first])):
            first -= 1
        inside = "/".join(parts[first:])
    return inside.removesuffix("/__init__").replace("/", ".").lstrip(".")


def qualified_names(source: bytes) -> dict[tuple[int, str], set[str]]:
    """Return the qualified names of functions by first line and bare name.

    The first line of a decorated function is its first decorator's, as in a code object.

    Raises:
        ValueError, SyntaxError, RecursionError, MemoryError: It is no source we read.
    """
    found: dict[tuple[int, str], set[str]] = {}
    pending: list[tuple[ast.AST, str]] = [(ast.parse(source), "")]
    while pending:
        node, prefix = pending.pop()
        inner = prefix
        if isinstance(node, ast.ClassDef):
            inner = f"{prefix}{node.name}."
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
            decorators = getattr(node, "decorator_list", [])
            lines = {node.lineno, *(one.lineno for one in decorators[:1])}
            for line in lines:
                found.setdefault((line, name), set()).add(prefix + name)
            inner = f"{prefix}{name}.<locals>."
        pending += [(child, inner) for child in ast.iter_child_nodes(node)]
    return found
