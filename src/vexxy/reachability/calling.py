"""What is known of functions that were not seen running, in one root and one run.

Joins how completely each runtime was recorded with the call graph of its language. Each
graph is made when the first question about its language comes.
"""

import gc
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Final

from vexxy.reachability.calls.golang.graph import Graph as GoGraph
from vexxy.reachability.calls.javascript import start as javascript
from vexxy.reachability.calls.javascript.graph import Graph as JavaScriptGraph
from vexxy.reachability.calls.python import start as python
from vexxy.reachability.calls.python.facts import ModuleFacts
from vexxy.reachability.calls.python.graph import Graph as PythonGraph
from vexxy.reachability.calls.types import CallGraph, Loader, Reach, Reached
from vexxy.reachability.loadable import pyyaml
from vexxy.reachability.loadable.modules import STANDARD, Modules, source_of
from vexxy.reachability.loadable.node_modules import SOURCE_SUFFIXES, NodeModules
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.types import Loadable, Reference
from vexxy.tracer.types import ExecutionProfile, FunctionRecording, Runtime

PYTHON_SUFFIXES: Final = (".py", ".pyw", ".pyc")
INSTALLED: Final = re.compile(r".*/(?:site|dist)-packages/.*")
BY_VALUE: Final = re.compile(r"(?:imports modules|requires) by a name known only")
ENTRY_POINTS: Final = re.compile(r"looks up (?:the )?entry points")
# What a statement in code says; a call graph follows those that it understands.
STATEMENTS: Final = frozenset({"imports", "requires"})
TEXT_SUFFIXES: Final = (
    ".html", ".htm", ".jinja", ".jinja2", ".j2", ".mako", ".tmpl", ".tpl", ".txt",
    ".xml", ".ini", ".cfg", ".toml", ".yaml", ".yml", ".json", ".conf", ".env",
)  # fmt: skip
TEXTS_MAX: Final = 2000
TEXT_BYTES_MAX: Final = 256 * 1024
WORD: Final = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*")
NO_GRAPH: Final = Reached(Reach.OPEN, "what could call it is not known for this language")


class Calling:
    """Answers about functions; `owned` are the files that packages brought.

    `parsed` are Python files that were parsed for another of the same image.
    """

    def __init__(
        self,
        tree: Tree,
        profile: ExecutionProfile,
        loadable: Loadable,
        *,
        owned: frozenset[str] = frozenset(),
        arguments: Sequence[str] = (),
        parsed: dict[str, ModuleFacts | None] | None = None,
    ) -> None:
        self._parsed: Final = {} if parsed is None else parsed
        self._tree: Final = tree
        self._profile: Final = profile
        self._loadable: Final = loadable
        self._owned: Final = owned
        self._arguments: Final = arguments
        self._recordings: Final = {one.runtime: one for one in profile.function_recordings}
        self._graphs: Final[Mapping[Runtime, Callable[[], CallGraph]]] = {
            Runtime.PYTHON: lambda: self._python,
            Runtime.NODE: lambda: self._node,
            Runtime.NATIVE: lambda: self._go,
        }

    def silence(self, path: str, name: str) -> str | None:
        """Return why it proves nothing that a function of a file was not listed.

        None where a recorder that lists every call was at work, and nothing was lost.
        """
        runtime = runtime_of(path)
        recording = self._recordings.get(runtime)
        if recording is None:
            return f"the functions that {runtime.value} code called were not recorded"
        if recording.reasons:
            return recording.reasons[0]
        if recording.unit != "function":
            return f"of {runtime.value} code only the {recording.unit} was recorded"
        if path in recording.paths_unrecorded:
            return f"the functions of {path} cannot be recorded"
        watched = {(one.path, one.name) for one in recording.watched}
        if runtime is Runtime.NATIVE and (path, name) not in watched:
            return f"{name} of {path} was not watched"
        return None

    def recording(self, runtime: Runtime) -> FunctionRecording | None:
        """Return how completely a runtime was recorded, None if it was not."""
        return self._recordings.get(runtime)

    def reach(self, files: Sequence[str], name: str) -> Reached:
        """Return whether a function defined in one of the files could be called."""
        found = [self._graphs.get(runtime_of(path)) for path in files[:1]]
        graph = found[0] if found else None
        if graph is None:
            return NO_GRAPH
        with _uncollected():
            return graph().reach(files, name)

    @cached_property
    def _python(self) -> CallGraph:
        loaded = frozenset(self._loaded(PYTHON_SUFFIXES))
        modules = Modules(self._tree, sorted(loaded), self._search_path())
        mains = self._mains(modules)
        return PythonGraph(
            _Files(self._tree, modules),
            python.Start(
                loaded=loaded | mains,
                ran=frozenset(
                    (call.path, call.name.replace(".<locals>", ""))
                    for call in self._profile.functions
                    if runtime_of(call.path) is Runtime.PYTHON
                ),
                loadable=self._leading(PYTHON_SUFFIXES),
                mains=mains,
                texts=dict(self._texts(loaded)),
                is_application=self._is_application,
                full_loader=pyyaml.makes_anything(self._tree),
                parsed=self._parsed,
            ),
        )

    @cached_property
    def _go(self) -> CallGraph:
        """The graph of the Go programs; every other compiled file stays open."""
        ran: dict[str, set[str]] = {}
        for call in self._profile.functions:
            if runtime_of(call.path) is Runtime.NATIVE:
                named = f"{call.module}.{call.name}" if call.module else call.name
                ran.setdefault(call.path, set()).update({named, call.inlined_into} - {""})
        return GoGraph(self._tree.read, ran)

    @cached_property
    def _node(self) -> CallGraph:
        loaded = frozenset(self._loaded(SOURCE_SUFFIXES)) | {
            path for path in self._scripts() if path.endswith(SOURCE_SUFFIXES)
        }
        return JavaScriptGraph(
            _Scripts(self._tree),
            javascript.Start(
                loaded=loaded,
                ran=frozenset(
                    javascript.Ran(call.path, call.name, call.line or 0)
                    for call in self._profile.functions
                    if runtime_of(call.path) is Runtime.NODE
                ),
                loadable=self._leading(SOURCE_SUFFIXES),
                texts=dict(self._texts(loaded)),
                is_application=lambda path: (
                    "/node_modules/" not in path and path not in self._owned
                ),
            ),
        )

    def _leading(self, suffixes: tuple[str, ...]) -> Mapping[str, tuple[Loader, ...]]:
        """Return the files that could be loaded, each with everything that leads there."""
        found: dict[str, tuple[Loader, ...]] = {}
        for path, first in self._loadable.references.items():
            if path.endswith(suffixes):
                causes = self._loadable.causes.get(path) or (first,)
                found[path] = tuple(dict.fromkeys(_loader(one) for one in causes))
        return found

    def _loaded(self, suffixes: tuple[str, ...]) -> Iterator[str]:
        for one in self._profile.files_accessed:
            if one.access in CODE_ACCESSES and one.path.endswith(suffixes):
                source = source_of(one.path)
                yield source if source in self._tree.entries else one.path

    def _search_path(self) -> Iterator[str]:
        surroundings = self._tree.surroundings
        yield surroundings.working_directory
        yield from surroundings.environment.get("PYTHONPATH", "").split(":")
        for path in self._scripts():
            yield path.rpartition("/")[0] or "/"

    def _scripts(self) -> Iterator[str]:
        """Yield the files that a process was started with, scripts among them."""
        working = self._tree.surroundings.working_directory.rstrip("/")
        for process in self._profile.processes:
            if process.script:
                yield process.script
            for word in process.arguments[1:]:
                path = word if word.startswith("/") else f"{working}/{word}"
                found = self._tree.find_file(path)
                if found is not None:
                    yield found

    def _mains(self, modules: Modules) -> frozenset[str]:
        """Return the Python files that were run as programs, `-m` included."""
        found = set(self._scripts())
        for process in self._profile.processes:
            words = process.arguments
            for at, word in enumerate(words[:-1]):
                if word == "-m":
                    found |= set(modules.run(words[at + 1]))
        return frozenset(
            path
            for path in found
            if path.endswith(PYTHON_SUFFIXES) or self._is_python(path)
        )

    def _is_python(self, path: str) -> bool:
        head = self._tree.read(path)
        return head is not None and head[:2] == b"#!" and b"python" in head[:100]

    def _is_application(self, path: str) -> bool:
        directory = path.rpartition("/")[0]
        while directory:
            if STANDARD.fullmatch(directory):
                return False
            directory = directory.rpartition("/")[0]
        return not INSTALLED.fullmatch(path) and path not in self._owned

    def _texts(self, loaded: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield names that stand outside code, each with where.

        Templates and configuration beside the application, the variables and words that
        the image was started with.
        """
        surroundings = self._tree.surroundings
        lines = [*self._arguments, *surroundings.environment.values()]
        for process in self._profile.processes:
            lines += process.arguments
        for line in lines:
            for word in WORD.findall(line):
                yield word, "the command line or environment"
        directories = {
            path.rpartition("/")[0] for path in loaded if self._is_application(path)
        }
        seen = 0
        for directory in sorted(directories - {"", "/", "/usr/bin", "/usr/local/bin"}):
            for path in self._tree.files_under(directory, depth=6):
                if path.endswith(TEXT_SUFFIXES) and path not in self._owned:
                    seen += 1
                    if seen > TEXTS_MAX:
                        return
                    content = self._tree.read(path, limit=TEXT_BYTES_MAX) or b""
                    for word in set(WORD.findall(content.decode("utf-8", "replace"))):
                        yield word, path


def _loader(one: Reference) -> Loader:
    return Loader(
        one.via,
        one.how,
        by_value=BY_VALUE.match(one.how) is not None,
        statement=one.how in STATEMENTS,
        entry_points=ENTRY_POINTS.match(one.how) is not None,
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector away while a graph is made: a third of the time, for nothing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Files:
    """The Python files of an image, as the call graph asks for them."""

    def __init__(self, tree: Tree, modules: Modules) -> None:
        self._tree: Final = tree
        self._modules: Final = modules

    def read(self, path: str) -> bytes | None:
        return self._tree.read(path)

    def find(self, name: str) -> Sequence[str]:
        return self._modules.find(name) if name else ()

    def find_relative(self, path: str, level: int, name: str) -> Sequence[str]:
        return self._modules.find_relative(path, level, name)


class _Scripts:
    """The JavaScript files of an image, as the call graph asks for them."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self._modules: Final = NodeModules(tree)

    def read(self, path: str) -> bytes | None:
        return self._tree.read(path)

    def resolve(self, request: str, path: str) -> Sequence[str]:
        found = self._modules.resolve(request, path)
        return [one for one in found if one.endswith(SOURCE_SUFFIXES)]


def runtime_of(path: str) -> Runtime:
    """Return which recorder would see the functions of a file."""
    if path.endswith(PYTHON_SUFFIXES):
        return Runtime.PYTHON
    if path.endswith(SOURCE_SUFFIXES):
        return Runtime.NODE
    if path.endswith((".jar", ".class", ".war")):
        return Runtime.JVM
    if path.endswith(".rb"):
        return Runtime.RUBY
    return Runtime.PHP if path.endswith((".php", ".inc")) else Runtime.NATIVE
