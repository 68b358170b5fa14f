"""What scripts, configuration files and command lines can start.

Every word that names a program of PATH counts, in any position: a shell decides at run
time what is a command. Comments on lines of their own do not count.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.loadable import configuration, foreign, positions, programs, shell
from vexxy.reachability.loadable.comments import kind_of, unquoted, without_comments
from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.native import mentions, path_leads, root_directories
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import tokens
from vexxy.tracer.types import Access, ExecutionProfile

SHEBANG: Final = re.compile(rb"#![ \t]*(\S+)(?:[ \t]+(\S+))?[^\n]*")
SHELL_SUFFIXES: Final = (".sh", ".bash")
SCRIPT_SUFFIXES: Final = (
    ".sh", ".py", ".js", ".mjs", ".cjs", ".pl", ".rb", ".php", ".lua", ".tcl", ".jar",
    ".pyz", ".pyw", ".pyzw", ".pex", ".egg", ".whl", ".zip",
)  # fmt: skip

# Where PATH is changed, a program outside it may come before the one in it.
SETS_PATH: Final = re.compile(r"\bPATH=")

# Its own file says what it runs.
RUNS_MANIFEST: Final = re.compile(r"(?:^|[;&|\s])(?:make|just|ninja)(?:\s|$)")
# Code of installed packages, not of the application.
INSTALLED: Final = re.compile(
    r"/usr/(?!local/bin/|local/sbin/|src/)|/etc/init\.d/|/lib/|/var/lib/|.*(-packages|/node_modules)/"
)

# Every package has files of these names: without their directory they name none.
EVERYWHERE: Final = frozenset({"__init__.py", "__main__.py"})

# A literal that starts a call or a list, where a standard library names its programs.
CALLED: Final = re.compile(
    r"""(?:(?:open|call|run|output|system|exec\w*|spawn\w*|which|command\w*|_find_mac\w*)"""
    r"""\s*\(|=)\s*[\[(]*\s*(["'])([^"'\n]+)\1"""
)

COMMENTS: Final = ("#", ";", "//")

# How scripts of other languages start programs.
FOREIGN_RUNS: Final = re.compile(
    r"\b(system2?|p?exec|popen|proc_open|shell_exec|passthru|spawn|qx|open|open2|open3|Open3"
    r"|IPC::|execute|Run|Process|Command)\b|`[^`\n]+`|%x\W"
)
FOREIGN_WORDS: Final = (
    "system", "exec", "pexec", "popen", "proc_open", "shell_exec", "passthru", "spawn",
    "qx", "open", "Open3", "IPC::", "Run", "Process", "Command", "`", "%x",
)  # fmt: skip
# Commands in signs of their own: `%x{tar c}`, `qx(tar c)`.
FOREIGN_COMMANDS: Final = re.compile(r"(?:%x|\bqx)\s*[\[{(<|!/#]([^\])}>|!/#\n]+)")

# A call that starts a program by a value; `x.exec(y)` is most often an expression's.
STARTS_VALUE: Final = re.compile(
    r"(?:(?<![.\w])(?<!->)|\b(?:child_process|childProcess|cp|Open3|IO|PTY|Process|Kernel)\.)"
    r"(?:exec|execSync|execFile|execFileSync|spawn|spawnSync|system|popen|shell_exec|passthru"
    r"|proc_open|pcntl_exec|capture2e?|capture3|open3)"
    r"(?:\s*\(\s*|\s+(?=[$@]|params|ENV))[\"`]?(?:[$#]?\{)?([$@]?[A-Za-z_]\w*)"
)

# Files whose words are commands although they are no scripts.
COMMAND_FILES: Final = re.compile(
    r".*/(crontab|anacrontab|inittab|Procfile|[\w.-]*[Mm]akefile[\w.-]*|[\w.-]+\.(?:mk|ninja|just)|[Jj]ustfile|[\w.-]*supervis[\w.-]*"
    r"|[\w@.-]+\.(service|socket|timer))$"
    r"|/etc/(cron|supervisor|init|s6|runit|services|sv|cont-init|monit|incron|xinetd|inetd|dhcp|acpi)[\w.-]*/.*"
    r"|/etc/inetd\.conf|/var/spool/(cron|at|atd|fcron|incron)/.*"
)
COMMAND_LINES: Final = re.compile(r"(?m)^\s*(command|exec\w*|ExecStart\w*|run)\s*=")

# What a running daemon will read even if it did not yet.
DAEMONS: Final = {
    "cron": ("/etc/crontab", "/etc/cron.d", "/var/spool/cron", "/etc/anacrontab"),
    "crond": ("/etc/crontab", "/etc/cron.d", "/var/spool/cron", "/etc/crontabs"),
    "anacron": ("/etc/anacrontab",),
    "systemd": ("/etc/systemd/system", "/usr/lib/systemd/system"),
    "init": ("/etc/inittab", "/etc/init.d", "/etc/rc.local"),
    "s6-svscan": ("/etc/services.d", "/etc/s6-overlay", "/etc/cont-init.d", "/run/s6"),
    "runsvdir": ("/etc/service", "/etc/sv", "/etc/runit"),
    "sshd": ("/etc/passwd",),
    "login": ("/etc/passwd",),
    "su": ("/etc/passwd",),
    "atd": ("/var/spool/cron/atjobs", "/var/spool/atd", "/var/spool/at"),
    "incrond": ("/etc/incron.d", "/var/spool/incron"),
    "fcron": ("/var/spool/fcron",),
    "inetd": ("/etc/inetd.conf", "/etc/inetd.d"),
    "xinetd": ("/etc/xinetd.conf", "/etc/xinetd.d"),
    "logrotate": ("/etc/logrotate.conf", "/etc/logrotate.d"),
    "dhclient": ("/etc/dhcp",),
    "acpid": ("/etc/acpi",),
    "supervisord": ("/etc/supervisord.conf", "/etc/supervisor"),
}
PERIODIC: Final = (
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
)
CRON: Final = frozenset({"cron", "crond", "anacron"})


class Commands:
    """Follows the text of one image to the programs it names."""

    def __init__(self, tree: Tree, linker: Linker) -> None:
        self._tree: Final = tree
        self._linker: Final = linker
        self._search: Final = linker.directories
        self._roots: Final = root_directories(tree)
        self._programs: Final = programs.Programs(tree)
        self.shell: Final = shell.Shell(tree)

    def script(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what a script can start: any program it names, anywhere."""
        yield from self._named(path, without_comments(text), "command")

    def other_script(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what a script of another language can start; its own lines count."""
        own = self.own(path)
        if not own and not text.startswith("#!"):
            return
        said = without_comments(text, kind_of(path))
        yield from self._named(path, said, "command")
        if own:
            name = foreign.by_value(path, said)
            if name is not None:
                yield from self._any(f"starts what {name} holds, known then only, perhaps")

    def shell_script(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what a script of a shell can start, or read as more of itself."""
        yield from self.script(path, text)
        said = without_comments(text)
        yield from self.texts(said)
        environment = self._tree.surroundings.environment
        if not self.own(path):
            return
        unknown = positions.unknown(said, environment, self._there)
        if unknown is not None:
            yield from self._any(f"runs what {unknown} holds, known only then, perhaps")
        for pattern in positions.directories(said, environment):
            for target in self.shell.lying(pattern):
                yield Lead(target, f"starts what lies in {pattern}, hence", "command")

    def _there(self, path: str) -> bool:
        return self._tree.find_file(path) is not None

    def own(self, path: str) -> bool:
        """Return whether a file is the application's, not of an installed package."""
        return path not in self._tree.distributed and not INSTALLED.match(path)

    def texts(self, text: str) -> Iterator[Lead]:
        """Yield the files that a script or command line has a shell read."""
        for target in self.shell.texts(text):
            yield Lead(target, shell.READS, "command")
        if RUNS_MANIFEST.search(text):
            yield from self._manifests()

    def read_by_shells(
        self, profile: ExecutionProfile, arguments: Iterable[str]
    ) -> Iterator[Lead]:
        """Yield the texts that a shell was seen reading, or was told to read."""
        lines = {" ".join(arguments)}
        for process in profile.processes:
            if process.executable.rpartition("/")[2] in shell.SHELLS:
                lines.add(" ".join(process.arguments))
        for line in lines:
            yield from self.texts(line)
        targets = [*self.shell.of_environment(self._tree.surroundings.environment)]
        targets += [
            one.path
            for one in profile.files_accessed
            if shell.is_shell(one.process)
            and one.access in {Access.CODE, Access.DATA}
            and self.shell.is_text(one.path)
        ]
        for target in dict.fromkeys(targets):
            yield Lead(target, shell.READS, "command")

    def configuration(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what a configuration file can start or make something load."""
        kind = "script" if text.startswith("#!") else "configuration"
        said = without_comments(text, kind)
        if COMMAND_FILES.match(path) or COMMAND_LINES.search(text):
            yield from self._named(path, said, "configuration")
            return
        yield from self._paths(said, "configuration")
        values = "\n".join(configuration.commands(said))
        if values:
            yield from self._named(path, values, "configuration")

    def line(self, text: str, *, shell: bool) -> Iterator[Lead]:
        """Yield what an argument or a variable names."""
        if shell:
            yield from self._named("", text, "command")
            yield from self.texts(text)
        else:
            yield from self._paths(text, "command")
            yield from self._words(tokens.words(text), "command")

    def program(
        self, text: str, *, runs: bool, indirect: bool, application: bool = False
    ) -> Iterator[Lead]:
        """Yield what the string literals of a program in some language name.

        `runs` says that the program can start others: words that stand where a command
        stands count then, too. `indirect` takes them from any literal, not only from
        those that start a list or a call. `application` also takes names put together
        from values; of libraries that would be any name.
        """
        if runs:
            literals = set(tokens.literals(text)) if indirect else _called(text)
            shells = any(shell.is_shell(literal) for literal in literals)
            for literal in literals:
                if shell.RUN.search(literal) or RUNS_MANIFEST.search(literal):
                    yield from self.texts(literal)
                elif shells and literal.startswith("/") and " " not in literal:
                    yield from self.texts(f"sh {literal}")
                words = tokens.commands(literal)
                yield from self._words(words, "command")
                if application:
                    yield from self._fitting(words, "command")
                if indirect:
                    yield from self._relative("", words, "command")
        leads = list(self._paths(text, "command"))
        if leads:
            # Most files name no path that exists; only then is it worth telling
            # literals from comments.
            quoted = "\n".join(tokens.literals(text))
            yield from self._paths(quoted, "command")

    def foreign(self, path: str, text: str) -> Iterator[Lead]:
        """Yield the programs that a script in a language nobody follows can start."""
        said = without_comments(text, kind_of(path))
        if any(tokens.starting(FOREIGN_RUNS, FOREIGN_WORDS, said)):
            yield from self.program(said, runs=True, indirect=True)
            signs = "%x" in said or "qx" in said
            for line in FOREIGN_COMMANDS.findall(said) if signs else ():
                yield from self.command(line)

    def by_value(self, text: str) -> Iterator[Lead]:
        """Yield every program where an application's code starts one by a value."""
        for name in STARTS_VALUE.findall(text):
            if not re.search(rf"{re.escape(name)}\s*=\s*[\"'\[]", text):
                how = f"starts what {name} holds, known only at run time, perhaps"
                yield from self._any(how)
                return

    def _any(self, how: str) -> Iterator[Lead]:
        for target in sorted(set(self._tree.programs.values())):
            yield Lead(target, how, "command")

    def command(self, line: str) -> Iterator[Lead]:
        """Yield the programs of one string that may be a command line, or a path."""
        words = tokens.commands(line)
        yield from self._words(words, "command")
        yield from self._fitting(words, "command")
        yield from self._paths(line, "command")

    def interpreter(self, content: bytes) -> Iterator[Lead]:
        """Yield the interpreter that a `#!` line names, looked up for `env` too."""
        found = SHEBANG.match(content)
        if found is None:
            return
        first = found[1].decode("utf-8", "surrogateescape")
        target = self._tree.find_file(first)
        if target is not None:
            yield Lead(target, "is run by", "command")
        second = (found[2] or b"").decode("utf-8", "surrogateescape")
        if first.endswith("/env") and second in self._tree.programs:
            yield Lead(self._tree.programs[second], "is run by", "command")

    def daemons(self, executed: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield (file, daemon): configuration that a running daemon reads at any time."""
        for program in executed:
            name = program.rpartition("/")[2]
            places = DAEMONS.get(name, ())
            for place in (*places, *(PERIODIC if name in CRON else ())):
                canonical = self._tree.resolve(place)
                if canonical is None:
                    continue
                if canonical in self._tree.entries:
                    yield canonical, program
                for path in self._tree.files_under(canonical):
                    yield path, program

    def _manifests(self) -> Iterator[Lead]:
        """Yield the files in which `make` looks up what it starts."""
        for name in configuration.build_files(self._tree.names):
            for path in self._tree.files_named(name):
                if not path.startswith("/usr/"):
                    yield Lead(path, configuration.MENTIONS, "configuration")

    def _named(self, path: str, text: str, source: str) -> Iterator[Lead]:
        yield from self._paths(text, source)
        plain = unquoted(text)
        text = text if plain == text else f"{text}\n{plain}"
        # A list's sign is no part of its first word (`%w[tool -x]`), though `[` is one.
        words = tokens.words(f"{text}\n{text.replace('[', ' ')}" if "[" in text else text)
        yield from self._words(words, source, everywhere=SETS_PATH.search(text) is not None)
        yield from self._fitting(programs.with_values(text), source)
        yield from self._relative(path, words, source)

    def _words(
        self, words: Iterable[str], source: str, *, everywhere: bool = False
    ) -> Iterator[Lead]:
        for word in words:
            for target in self._programs.meant(word, everywhere=everywhere):
                yield Lead(target, f"names the program {word},", source)

    def _fitting(self, words: Iterable[str], source: str) -> Iterator[Lead]:
        """Programs whose name is put together from values (`tool-$kind`)."""
        for word in words:
            for target in self._programs.fitting(word):
                yield Lead(target, f"names programs like {word}, hence", source)

    def _paths(self, text: str, source: str) -> Iterator[Lead]:
        data = text.encode("utf-8", "surrogateescape")
        for path in (*tokens.paths(data), *mentions(self._roots, text)):
            canonical = self._tree.resolve(path)
            if canonical is None:
                continue
            if canonical.endswith(SCRIPT_SUFFIXES) and canonical in self._tree.entries:
                yield Lead(canonical, "names the script", source)
            for lead in path_leads(self._tree, canonical, self._search):
                yield Lead(lead.target, lead.how, source)
        for path in self._tree.files_in(""):
            if path in text:
                yield Lead(path, "names the file", source)
        for name in tokens.libraries(data):
            for target in self._linker.find(name):
                yield Lead(target, f"names the library {name},", source)

    def _relative(self, path: str, words: Iterable[str], source: str) -> Iterator[Lead]:
        """Scripts named without a directory: any file of that name that is no library."""
        for word in words:
            if not word.endswith(SCRIPT_SUFFIXES) and not word.startswith("./"):
                continue
            name = word.rpartition("/")[2]
            tail = "/".join(("", *word.lstrip("./").split("/")[-2:]))
            for target in self._tree.files_named(name):
                if name in EVERYWHERE and (tail == f"/{name}" or tail not in target):
                    continue
                installed = "-packages/" in target or "/node_modules/" in target
                if target != path and not installed:
                    yield Lead(target, f"names the script {word},", source)


def _called(text: str) -> set[str]:
    return {found[2] for found in CALLED.finditer(text)}


def is_shell_script(path: str, content: bytes) -> bool:
    """Return whether the file is a script of a POSIX-like shell."""
    found = SHEBANG.match(content)
    if found is None:
        return path.endswith(SHELL_SUFFIXES)
    words = {found[1].rpartition(b"/")[2], (found[2] or b"").rpartition(b"/")[2]}
    return any(word.decode("latin-1") in shell.SHELLS for word in words)
