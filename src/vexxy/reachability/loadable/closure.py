"""From everything that ran to everything that could still be loaded.

Breadth first, so that the first cause found is also the shortest chain. A file that
cannot be read or parsed makes its language unfollowed rather than clean.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable import foreign, interpreters, node, python, shell
from vexxy.reachability.loadable.causes import Causes
from vexxy.reachability.loadable.commands import Commands, is_shell_script
from vexxy.reachability.loadable.compiled import Compiled
from vexxy.reachability.loadable.configuration import (
    CONFIGURATION_BYTES_MAX,
    MENTIONS,
    is_configuration,
)
from vexxy.reachability.loadable.interpreters import FOLLOWED, NODE, PYTHON, Language
from vexxy.reachability.loadable.modules import Modules, source_of
from vexxy.reachability.loadable.native import Native
from vexxy.reachability.loadable.node_modules import SOURCE_SUFFIXES
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.rules.chains import covers
from vexxy.reachability.types import Loadable, Reference, Unfollowed
from vexxy.reachability.wire import pyarchive, pyextension, pysource, tokens
from vexxy.reachability.wire.elf import MAGIC
from vexxy.tracer.types import Access, ExecutionProfile

PYTHON_SUFFIXES: Final = (".py", ".pyc", ".pyw")
NODE_SUFFIXES: Final = SOURCE_SUFFIXES
ADDON_SUFFIXES: Final = (".so", ".pyd")
CONFIGURATION_FILES_MAX: Final = 2000
APPLICATION_DEPTH: Final = 4
# How a reference is worded that could start its target as a program.
NAMED: Final = ("names ", "holds the name", "is run by", "starts ")
# Hundreds of modules that need nothing but the C library and one another.
CONVERSION_MODULES: Final = "/gconv/"
CODE: Final = frozenset({Access.EXECUTED, Access.MAPPED, Access.CODE})


class Closure:
    """One computation of the overlay; make a new one for each."""

    def __init__(self, tree: Tree, profile: ExecutionProfile) -> None:
        self._tree: Final = tree
        self._profile: Final = profile
        self._loaded: Final = frozenset(
            alias for path in loaded_files(profile) for alias in tree.aliases(path)
        )
        self._executed: Final = executed_files(profile)
        self._native: Final = Native(tree)
        self._commands: Final = Commands(tree, self._native.linker)
        self._compiled: Final = Compiled(tree, self._commands, self._native.linker)
        modules = Modules(tree, self._python_files(), self._search_path())
        self._python: Final = python.Python(tree, modules, self._commands)
        self._node: Final = node.Node(tree, self._commands)
        self._node.note_programs(self._executed)
        self._references: dict[str, Reference] = {}
        self._causes: Final = Causes()
        self._unfollowed: dict[str, Unfollowed] = {}
        self._gaps: list[str] = []
        self._configurations: set[str] = set()
        self._programs: set[str] = set(self._executed)
        self._shell_texts: set[str] = set()
        self._queue: deque[str] = deque()
        self._queued: set[str] = set()
        # What was followed and says the same when it is also started as a program.
        self._settled: set[str] = set()
        self._ran: Final = {
            language.name: any(
                interpreters.is_runtime(language, one) for one in self._loaded
            )
            for language in FOLLOWED
        }

    def compute(self, arguments: Iterable[str]) -> Loadable:
        """Return the overlay; `arguments` are further words of the command line."""
        if self._tree.unreadable:
            hidden = ", ".join(self._tree.unreadable[:3])
            self._gaps.append(f"parts of the image could not be looked into ({hidden})")
        for path in sorted(self._loaded):
            self._enqueue(path)
            self._note_runtime(path, via="", how="was executed or loaded")
        self._seed(arguments)
        while self._queue:
            path = self._queue.popleft()
            self._queued.discard(path)
            self._expand(path)
            if not self._queue:
                for via, lead in self._native.late():
                    self._add(via, lead)
        return Loadable(
            references=dict(self._references),
            causes=self._causes.all(),
            unfollowed=tuple(self._unfollowed.values()),
            gaps=tuple(self._gaps),
        )

    def _seed(self, arguments: Iterable[str]) -> None:
        """Add what the command lines, variables and configuration name."""
        arguments = [*arguments]
        lines = [*arguments]
        for process in self._profile.processes:
            lines += process.arguments[1:]
        for line in dict.fromkeys(lines):
            shell = " " in line or "\n" in line or ";" in line
            self._take("", self._commands.line(line, shell=shell))
            self._take_names("", line)
        self._take("", self._commands.read_by_shells(self._profile, arguments))
        commands = [one.arguments for one in self._profile.processes]
        for line in dict.fromkeys(" ".join(one) for one in (*commands, arguments)):
            self._take("", self._node.started(line))
        for value in self._tree.surroundings.environment.values():
            self._take("", self._commands.line(value, shell=False))
            self._take_names("", value)
        if self._ran[PYTHON.name]:
            for path, text in self._python.initial():
                self._take(path, self._python.source(path, text))
            for path in self._python.modules.archives:
                self._add("", Lead(path, "has on Python's search path", "import_graph"))
        for path, daemon in self._commands.daemons(sorted(self._executed)):
            self._configuration(path, via=daemon)
        beside = islice(self._beside_the_application(), CONFIGURATION_FILES_MAX)
        for path in (*self._read_configurations, *beside):
            self._configuration(path, via=path)

    def _configuration(self, path: str, *, via: str) -> None:
        if path in self._configurations:
            return
        self._configurations.add(path)
        entry = self._tree.entries.get(path)
        if entry is not None and entry.size_bytes > CONFIGURATION_BYTES_MAX:
            if path in self._read_configurations and self._tree.is_text(path):
                self._gaps.append(f"{path} was read and is too large to be looked into")
            return
        text = self._tree.read_text(path)
        if text is None:
            return
        if via != path and self._tree.executable(path):
            self._add(via, Lead(path, "starts the script", "configuration"))
        self._take(path, self._commands.configuration(path, text))
        self._take_names(path, text)

    def _take_names(self, via: str, text: str) -> None:
        """Add modules and packages that a text names, of runtimes that ran."""
        self._native.words.update(tokens.words(text))
        if self._node.package_of(via) is None:
            self._take(via, self._node.started(text))
        if self._ran[PYTHON.name]:
            names = self._python.words if via else self._python.given
            self._take(via, names(text))
        if self._ran[NODE.name]:
            self._take(via, self._node.words(text))

    def _expand(self, path: str) -> None:
        """Follow one file."""
        if CONVERSION_MODULES in path:
            return
        content = self._tree.read(path)
        if content is None:
            if path in self._tree.entries:
                self._unreadable(path, "could not be read")
            return
        try:
            self._check(path, content)
            if pyarchive.is_archive(content):
                self._take(path, self._python.archive(path, content))
            for leads in self._readers(path, content):
                self._take(path, leads)
        except Unparsable as error:
            self._unreadable(path, error.message)

    def _check(self, path: str, content: bytes) -> None:
        """Note a program that ran although no library it needs was ever seen."""
        if path in self._executed and content[:4] == MAGIC:
            needed = self._native.needed(path, content)
            if needed and not any(one in self._loaded for one in needed):
                self._gaps.append(
                    f"{path} was executed, but none of the libraries it needs was seen: "
                    "something ran unseen"
                )

    def _readers(self, path: str, content: bytes) -> Iterator[Iterator[Lead]]:
        if content[:4] == MAGIC:
            self._settled.add(path)
            for language in interpreters.embedded_in(content):
                self._give_up(language, f"{path} has a runtime of its own linked in", path)
            yield self._native.leads(path, content)
            if path.endswith(ADDON_SUFFIXES) and self._is_extension(path, content):
                yield self._python.extension(path, content)
            return
        if path.endswith(".py") and b"__main__" not in content:
            self._settled.add(path)
        yield self._commands.interpreter(content)
        yield from self._text_readers(path, content)

    def _text_readers(self, path: str, content: bytes) -> Iterator[Iterator[Lead]]:
        text = content.decode("utf-8", "replace")
        if self._node.package_of(path) is None and not self._python.is_standard(path):
            yield self._node.started(text)
        if self._is_shell_text(path, content):
            yield self._commands.shell_script(path, text)
            if self._ran[PYTHON.name]:
                yield self._python.words(text)
            return
        if self._node.is_source(path, content):
            yield self._node.source(path, text)
            return
        if path in self._loaded and self._ran[NODE.name] and node.LOOKS.search(content):
            # Given to node by name, whatever its suffix; other readers look at it, too.
            yield self._node.source(path, text)
        reader = self._language_reader(path, content)
        if reader is not None:
            yield reader(path, text)
        elif path.endswith(".pyc"):
            if source_of(path) == path or source_of(path) not in self._tree.entries:
                yield self._python.compiled(path, content)
        elif content[:2] == b"#!" or path.endswith(foreign.SUFFIXES):
            yield self._commands.other_script(path, text)

    def _is_shell_text(self, path: str, content: bytes) -> bool:
        """Whether a shell reads the file; one without a mark is a script of its, too."""
        plain = "." not in path.rpartition("/")[2] and content[:2] != b"#!"
        return (
            path in self._shell_texts
            or is_shell_script(path, content)
            or (
                plain and self._tree.executable(path) and self._commands.shell.is_text(path)
            )
        )

    def _language_reader(
        self, path: str, content: bytes
    ) -> Callable[[str, str], Iterator[Lead]] | None:
        read = path in self._loaded and self._ran[PYTHON.name]
        if python.is_source(path, content, read=read):
            program = path in self._programs
            return self._python.source if program else self._python.module
        return None

    def _take(self, via: str, leads: Iterable[Lead]) -> None:
        try:
            for lead in leads:
                self._add(via, lead)
        except Unparsable as error:
            self._unreadable(via, error.message)

    def _add(self, via: str, lead: Lead) -> None:
        path = lead.target
        if lead.how == MENTIONS:
            self._configuration(path, via=path)
            return
        if lead.how == shell.READS and path not in self._shell_texts:
            self._shell_texts.add(path)
            self._enqueue(path)
        if lead.how.startswith(NAMED) and path not in self._programs:
            # It may be run as a program: look again, now also at what only that does.
            self._programs.add(path)
            self._enqueue(path)
        self._causes.note(via, lead)
        if path in self._loaded or path in self._references or path == via:
            return
        self._references[path] = Reference(path, via, lead.how, lead.source)
        self._enqueue(path)
        self._note_runtime(path, via=via, how=lead.how)

    def _enqueue(self, path: str) -> None:
        if path not in self._queued and path not in self._settled:
            self._queued.add(path)
            self._queue.append(path)

    def _note_runtime(self, path: str, *, via: str, how: str) -> None:
        """Record what an interpreter makes loadable that nobody here follows."""
        for language in interpreters.languages_of(path):
            self._give_up(language, _started(path, via, how), path)
        for language in FOLLOWED:
            if interpreters.is_runtime(language, path) and not self._ran[language.name]:
                self._give_up(language, _started(path, via, how), path)

    def _unreadable(self, path: str, problem: str) -> None:
        reason = f"{path} {problem}, so what it loads is unknown"
        for language, suffixes in ((PYTHON, PYTHON_SUFFIXES), (NODE, NODE_SUFFIXES)):
            unpredictable = language is PYTHON and path in self._python.unpredictable
            if path.endswith(suffixes) or unpredictable:
                self._give_up(language, reason, path)
                return
        directories = frozenset(self._native.linker.directories)
        self._unfollowed.setdefault(
            "native code",
            Unfollowed(
                "native code", reason, suffixes=(".so",), directories=directories, via=path
            ),
        )

    def _give_up(self, language: Language, reason: str, via: str) -> None:
        if language.name in self._unfollowed:
            return
        unfollowed = interpreters.give_up(
            language, reason, via=via, directories=self._tree.directories
        )
        self._unfollowed[language.name] = unfollowed
        if language is not NODE:
            self._open(unfollowed)

    def _open(self, unfollowed: Unfollowed) -> None:
        """Follow what all the code of an unfollowed language brings with it.

        Its extension modules need libraries of other packages, and its scripts can start
        programs of others; both are read although nobody knows which will be loaded.
        """
        how = f"runs {unfollowed.language}, which may load"
        inside = {one for one in self._tree.directories if covers(unfollowed, f"{one}/")}
        for path in self._tree.entries:
            named = path.endswith(unfollowed.suffixes) and covers(unfollowed, path)
            if not named and path.rpartition("/")[0] not in inside:
                continue
            if ".so" in path.rpartition("/")[2]:
                self._add(unfollowed.via, Lead(path, how, "interpreter"))
            elif path.endswith(unfollowed.suffixes) and not self._python.is_standard(path):
                text = self._tree.read_text(path) or ""
                starts = unfollowed.language != PYTHON.name or pysource.runs(text)
                leads = list(self._commands.foreign(path, text)) if starts else []
                leads += self._compiled.leads(path)
                if leads:
                    self._add(unfollowed.via, Lead(path, how, "interpreter"))
                self._take(path, leads)

    def _is_extension(self, path: str, content: bytes) -> bool:
        if self._ran[PYTHON.name] and pyextension.is_extension(content):
            return True
        return any(path.startswith(f"{one}/") for one in self._python.modules.directories)

    def _python_files(self) -> list[str]:
        return [one for one in self._loaded if one.endswith(PYTHON_SUFFIXES)]

    def _search_path(self) -> Iterator[str]:
        surroundings = self._tree.surroundings
        yield surroundings.working_directory
        yield from (
            one for one in surroundings.environment.get("PYTHONPATH", "").split(":") if one
        )
        for process in self._profile.processes:
            if process.script:
                yield process.script.rpartition("/")[0] or "/"

    def _beside_the_application(self) -> Iterator[str]:
        """Yield configuration that the application may read later, by where it lies."""
        directories = {
            path.rpartition("/")[0]
            for path in self._loaded
            if path.endswith((*PYTHON_SUFFIXES, *NODE_SUFFIXES))
            and not path.startswith("/usr/")
            and self._node.package_of(path) is None
            and self._python.is_application(path)
        }
        working = self._tree.resolve(self._tree.surroundings.working_directory)
        directories |= {working} if working else set()
        for directory in sorted(directories - {"", "/"}):
            for path in self._tree.files_under(directory, depth=APPLICATION_DEPTH):
                if "/node_modules/" not in path and is_configuration(path):
                    yield path

    @cached_property
    def _read_configurations(self) -> list[str]:
        # Whatever class a recorder gave the read: it cannot know every suffix.
        found = [
            access.path
            for access in self._profile.files_accessed
            if is_configuration(access.path)
        ]
        distinct = list(dict.fromkeys(found))
        if len(distinct) > CONFIGURATION_FILES_MAX:
            self._gaps.append("more configuration was read than is looked into")
        return distinct[:CONFIGURATION_FILES_MAX]


def loaded_files(profile: ExecutionProfile) -> frozenset[str]:
    """Return the files that ran or were read to run, cached compiled files as sources."""
    found = {one.path for one in profile.files_accessed if one.access in CODE}
    found |= {*profile.executed_binaries, *profile.loaded_libraries}
    found |= {one.script for one in profile.processes if one.script}
    found |= {one.path for one in profile.functions if one.path}
    return frozenset(found | {source_of(path) for path in found})


def executed_files(profile: ExecutionProfile) -> frozenset[str]:
    """Return the programs and scripts that were executed."""
    found = {one.path for one in profile.files_accessed if one.access is Access.EXECUTED}
    found |= {one.executable for one in profile.processes}
    found |= {one.script for one in profile.processes if one.script}
    return frozenset(found | set(profile.executed_binaries))


def _started(path: str, via: str, how: str) -> str:
    return f"{via} {how} {path}" if via else f"{path} {how}"
