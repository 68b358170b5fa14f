"""What an ELF file can make the process load or run.

The rule for names is one of caution. Libraries: every string that names one counts,
whether or not a call to `dlopen` can be seen, for many go through a wrapper. Programs:
an absolute path always counts; a bare word counts only where the object imports a call
that searches PATH or starts a shell, for "gzip" in a web server is a content coding.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.configuration import MENTIONS, is_configuration
from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.plugins import Plugins, ends_a_string, in_directories
from vexxy.reachability.loadable.relative import Relative
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import elf, payloads, tokens
from vexxy.reachability.wire.elf import Elf

SOURCE: Final = "elf"
LOADER: Final = "is loaded by"

# The C library names what it loads only on request; which of its callers ask is known
# from their imports. Its other strings would make a shell loadable in every image.
C_LIBRARY: Final = re.compile(
    r"(lib(c|pthread|dl)(-[\d.]+)?\.so[\d.]*|libc\.musl-\w+\.so[\d.]*|"
    r"ld(64|-[\d.]+|-linux[\w-]*|-musl-\w+)?\.so[\d.]*)"
)
ON_REQUEST: Final = {
    "libidn2.so.0": frozenset({"getaddrinfo", "getnameinfo"}),
    "libgcc_s.so.1": frozenset(
        {"pthread_cancel", "pthread_exit", "backtrace", "thrd_exit"}
    ),
}
NAME_SERVICE: Final = re.compile(
    r"(get(pw|gr|sp|host|serv|proto|net|alias|rpc|addrinfo|nameinfo)|initgroups|set(pw|gr))"
)
NAME_SERVICE_DEFAULT: Final = ("files", "dns", "compat")
CONVERSION: Final = frozenset({"iconv_open", "setlocale", "newlocale"})

FORMAT: Final = r"%-?\d*\.?\d*[a-z]+"
FIXED_DIRECTORY: Final = re.compile(r"/[^/]*%.*\Z")
TAIL_BYTES: Final = 32

# Libraries that import such a call for their callers, whose own strings are followed.
# libuv: uv_spawn. libsystemd: sd-bus, which starts ssh, and the program of a `unixexec:`
# address (systemd, src/libsystemd/sd-bus/sd-bus.c, bus_socket_exec).
ON_BEHALF: Final = (
    (re.compile(r"libuv\.so"), ()),
    (re.compile(r"libsystemd\.so"), ("ssh",)),
)

# Calls that search PATH, of the C library and of wrappers around it.
SEARCHES_PATH: Final = re.compile(
    r"(exec[lv]p\w*|posix_spawnp|system|popen|wordexp|g_spawn\w+|g_subprocess\w+|uv_spawn|"
    r"apr_proc_create|lt_popen|_popen|run_command\w*|\w*QProcess\w*|pcap_popen|pipe_open)"
)
# Those that do not, but are often behind a search of one's own, or before a shell.
STARTS_PATH: Final = re.compile(r"(exec[lv]e?|fexecve|execveat|posix_spawn)")
OWN_SEARCH: Final = (b"\0PATH\0", b"\0/bin/sh\0", b"\0/bin/bash\0", b"\0/usr/bin/env\0")
STARTS_SHELL: Final = frozenset({"system", "popen", "wordexp"})
# Interpreters run what their scripts say; the words in their own binary are their
# language's, and the scripts are followed on their own.
INTERPRETERS: Final = re.compile(
    r"(lib)?(python|node(js)?|perl|ruby|php(-fpm|-cgi|dbg)?|java|jvm|lua(jit)?|tcl(sh)?|R|"
    r"guile|mono|dotnet)([_-]?\d[\d.]*[a-z]{0,2}(-\w+-linux-\w+|-c\+\+)?)?(\.so[\d.]*)?"
)
COMMAND_BYTES_MAX: Final = 1024
RUST: Final = b"/rustc/"
GO_EXEC: Final = b"os/exec.Command\0"
GO_MARK: Final = b"runtime.main\0"
PATH_START: Final = re.compile(rb"/[\w.+@/-]+")
WINDOW_BYTES: Final = 200
# Directories of the system: naming them says nothing about what is in them.
SYSTEM: Final = re.compile(
    r"/(bin|boot|dev|etc|home|lib(32|64|x32)?|media|mnt|opt|proc|root|run|sbin|sys|tmp|usr|"
    r"var)?"
)
SYSTEM_PARTS: Final = ("/usr/", "/lib/", "/lib64/", "/etc/", "/var/")
PLUGIN_DEPTH: Final = 2
OWN_PLUGIN_DEPTH: Final = 12
# Installed packages of a language, which are followed by the language's own rules.
INSTALLED: Final = re.compile(r"/(?:(?:site|dist)-packages|lib-dynload|node_modules)/")
WORD_MIN: Final = 3
# Code that a server reads as data and a browser runs.
BROWSER_SUFFIXES: Final = (".js", ".mjs", ".wasm")
SERVED_DEPTH: Final = 8


class Native:
    """Follows ELF files of one image."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self.linker: Final = Linker(tree)
        self._plugins: Final = Plugins(tree, self.linker)
        self._roots: Final = root_directories(tree)
        self._relative: Final = Relative(tree)

    def leads(self, path: str, content: bytes) -> Iterator[Lead]:
        """Yield everything that the ELF file at `path` can load or run.

        Raises:
            Unparsable: The file is damaged.
        """
        built = self._plugins.is_built(path)
        if built and elf.is_packed(content):
            yield from self._any_program("is packed and may run")
        parsed = elf.read(content)
        yield from self._needed(path, parsed)
        name = path.rpartition("/")[2]
        if C_LIBRARY.fullmatch(name):
            return
        data = payloads.data(parsed.data, content if built else b"")
        yield from self._on_request(parsed)
        yield from self._plugins.of_framework(name)
        yield from self._libraries(path, parsed, data)
        yield from self._plugins.leads(path, parsed, data)
        yield from self._paths(data)
        run_together = GO_MARK in content or RUST in data
        if run_together:
            yield from self._run_together(data)
        if built and not INTERPRETERS.fullmatch(name):
            named = self._relative.beneath if run_together else self._relative.named
            for directory in named(path, data):
                yield from path_leads(self._tree, directory, self.linker.directories)
        for library, words in ON_BEHALF:
            if library.match(name):
                found = (self._tree.programs.get(word) for word in words)
                yield from (Lead(one, "may run", SOURCE) for one in found if one)
                return
        if not INTERPRETERS.fullmatch(name):
            yield from self._programs(path, parsed, (content, data))

    def late(self) -> Iterator[tuple[str, Lead]]:
        """Yield (file, lead) for what only shows when all that is known was followed."""
        yield from self._plugins.late()
        for path, target, program in self.linker.inherited():
            how = f"needs a library, looked for as {program} says,"
            yield path, Lead(target, how, SOURCE)

    @property
    def words(self) -> set[str]:
        """Words of arguments, variables and configuration; add to them at any time."""
        return self._plugins.words

    def needed(self, path: str, content: bytes) -> list[str]:
        """Return the libraries that the linker loads for the file, loader left out."""
        try:
            leads = list(self._needed(path, elf.read(content)))
        except Unparsable:
            return []
        return [lead.target for lead in leads if lead.how != LOADER]

    def _needed(self, path: str, parsed: Elf) -> Iterator[Lead]:
        if parsed.interpreter:
            loader = self._tree.find_file(parsed.interpreter)
            if loader is not None:
                yield Lead(loader, LOADER, SOURCE)
        for name in parsed.needed:
            for target in self.linker.find(name, elf=parsed, path=path):
                yield Lead(target, "needs the library", SOURCE)

    def _on_request(self, parsed: Elf) -> Iterator[Lead]:
        """What the C library loads for this object; everything for a static one."""
        unknown = not parsed.dynamic
        for name, callers in ON_REQUEST.items():
            if unknown or parsed.imports & callers:
                yield from self._named(name, "makes the C library load")
        if unknown or any(NAME_SERVICE.match(one) for one in parsed.imports):
            for service in self._name_services():
                yield from self._named(
                    f"libnss_{service}.so.2", "asks the name service, which loads"
                )
        if unknown or parsed.imports & CONVERSION:
            for target in in_directories(self._tree, "gconv"):
                yield Lead(target, "converts character sets, which may load", SOURCE)

    def _libraries(self, path: str, parsed: Elf, data: bytes) -> Iterator[Lead]:
        for name in tokens.libraries(data):
            if "%" in name:
                continue
            for target in self.linker.find(name, elf=parsed, path=path):
                yield Lead(target, f"holds the name {name}, hence may load", SOURCE)

    def _paths(self, data: bytes) -> Iterator[Lead]:
        """Absolute paths: programs, libraries, and directories of either."""
        for path in tokens.paths(data):
            # `/usr/lib/daemon/%s.so` names its directory.
            canonical = self._tree.resolve(FIXED_DIRECTORY.sub("", path))
            if canonical is not None:
                yield from path_leads(self._tree, canonical, self.linker.directories)
        for directory in self._roots:
            name = directory.encode("utf-8", "surrogateescape")
            canonical = self._tree.resolve(directory)
            if canonical and (name + b"\0" in data or name + b"/\0" in data):
                yield from path_leads(self._tree, canonical, self.linker.directories)
        for path in self._tree.files_in(""):
            if path.encode("utf-8", "surrogateescape") + b"\0" in data:
                yield Lead(path, "holds the path", SOURCE)

    def _programs(
        self, path: str, parsed: Elf, bytes_: tuple[bytes, bytes]
    ) -> Iterator[Lead]:
        """Programs named by a bare word, where the object can start one that way."""
        content, data = bytes_
        if GO_MARK in content:
            if GO_EXEC in content:
                yield from self._any_program("is a Go program that can run commands, as")
            return
        call = _starting_call(parsed, data)
        if call is None:
            yield from self._by_place(path, parsed, data)
            return
        if RUST in data:
            yield from self._any_program("is a Rust program that can run commands, as")
            return
        if self._plugins.is_built(path) and payloads.holds_other(content):
            yield from self._any_program("has packed data at its end and may run")
        if not parsed.dynamic or parsed.imports & STARTS_SHELL:
            shell = self._tree.find_file("/bin/sh")
            if shell is not None:
                yield Lead(shell, "can start the shell", SOURCE)
        strings = frozenset(data.split(b"\0"))
        ends = b"\0".join(string[-TAIL_BYTES:] for string in strings) + b"\0"
        lines, short = command_words(strings), tokens.ends(strings)
        for word, target in self._tree.programs.items():
            if word in lines or (tokens.may_end(word, short) and ends_a_string(word, ends)):
                how = f"holds the word {word} and imports {call}, hence may run"
                yield Lead(target, how, SOURCE)
        yield from self._assembled(lines, call)

    def _assembled(self, lines: Iterable[str], call: str) -> Iterator[Lead]:
        """Programs whose name the object completes: `convert-%s`."""
        for pattern in lines:
            name = pattern.rpartition("/")[2]
            parts = re.split(FORMAT, name)
            fixed = re.sub(r"\W", "", "".join(parts))
            if len(parts) == 1 or len(fixed) < WORD_MIN:
                continue
            expression = re.compile(r"[\w.+-]*".join(re.escape(one) for one in parts))
            for word, target in self._tree.programs.items():
                if expression.fullmatch(word):
                    how = f"holds the pattern {name} and imports {call}, hence may run"
                    yield Lead(target, how, SOURCE)

    def _by_place(self, path: str, parsed: Elf, data: bytes) -> Iterator[Lead]:
        """Programs whose directory the object puts before their name.

        A program of PATH only where the object is the image's own, or names the
        directory: "gzip" is a content coding as well.
        """
        calls = [one for one in parsed.imports if STARTS_PATH.fullmatch(one)]
        if not calls:
            return
        own = path not in self._tree.distributed
        strings = frozenset(data.split(b"\0"))
        short = tokens.ends(strings)
        if own:
            yield from self._assembled(command_words(strings), min(calls))
        for word, target in self._tree.programs.items():
            if not tokens.may_end(word, short):
                continue
            whole = own and word.encode("utf-8", "surrogateescape") in strings
            if not whole and (len(word) < WORD_MIN or not ends_a_string(word, data)):
                continue
            directory = target.rpartition("/")[0]
            usual = directory in self._tree.program_directories
            if own or not usual or ends_a_string(directory, data):
                how = f"holds the word {word} and imports {min(calls)}, hence may run"
                yield Lead(target, how, SOURCE)

    def _run_together(self, data: bytes) -> Iterator[Lead]:
        """Paths in Go's and Rust's data, where one string starts where another ends."""
        for window in self._windows(data):
            directory = ""
            for part in window.split("/")[1:]:
                for path in self._loadable_in(directory):
                    if part.startswith(path.rpartition("/")[2]):
                        yield Lead(path, "holds the path", SOURCE)
                directory = f"{directory}/{part}"

    def _windows(self, data: bytes) -> Iterator[str]:
        """Yield what follows each mention of a top-level directory of the image."""
        for directory in self._tree.children(""):
            mark = f"{directory}/".encode("utf-8", "surrogateescape")
            at = data.find(mark)
            while at >= 0:
                found = PATH_START.match(data, at, at + WINDOW_BYTES)
                if found is not None:
                    yield found[0].decode("latin-1")
                at = data.find(mark, at + len(mark))

    def _loadable_in(self, directory: str) -> list[str]:
        canonical = self._tree.resolve(directory or "/")
        if canonical is None:
            return []
        paths = self._tree.files_in(canonical)
        return [one for one in paths if self._tree.executable(one) or ".so" in one]

    def _any_program(self, how: str) -> Iterator[Lead]:
        # Strings of these languages have no ends, so no word can be told from another.
        for target in set(self._tree.programs.values()):
            yield Lead(target, how, SOURCE)

    def _named(self, name: str, how: str) -> Iterator[Lead]:
        for target in self.linker.find(name):
            yield Lead(target, how, SOURCE)

    def _name_services(self) -> set[str]:
        text = self._tree.read_text("/etc/nsswitch.conf") or ""
        lines = (line.partition("#")[0].partition(":")[2] for line in text.splitlines())
        named = {word for line in lines for word in re.findall(r"[\w-]+", line)}
        return named | set(NAME_SERVICE_DEFAULT)


def _starting_call(parsed: Elf, data: bytes) -> str | None:
    """Return the call by which an object can start a program by its bare name."""
    if not parsed.dynamic:
        return "a system call"
    found = [one for one in parsed.imports if SEARCHES_PATH.fullmatch(one)]
    if not found and any(mark in data for mark in OWN_SEARCH):
        found = [one for one in parsed.imports if STARTS_PATH.fullmatch(one)]
    return min(found, default=None)


def path_leads(tree: Tree, canonical: str, search: Iterable[str]) -> Iterator[Lead]:
    """Yield what naming a path can load or run: a file, or a directory's plugins.

    The linker's own directories and PATH's are no plugin directories: naming them says
    nothing about any one file in them.
    """
    if canonical in tree.entries:
        if tree.executable(canonical) or ".so" in canonical.rpartition("/")[2]:
            yield Lead(canonical, "holds the path", SOURCE)
        elif is_configuration(canonical):
            yield Lead(canonical, MENTIONS, "configuration")
        return
    ordinary = {*search, *tree.program_directories, "/usr/share", "/usr/libexec"}
    if canonical not in ordinary and not SYSTEM.fullmatch(canonical):
        yield from _directory_leads(tree, canonical)


def root_directories(tree: Tree) -> list[str]:
    """Return the directories directly below `/` that are not the system's own."""
    paths = (f"/{name}" for name in tree.names_in("/"))
    return [one for one in paths if one not in tree.entries and not SYSTEM.fullmatch(one)]


def mentions(directories: Iterable[str], text: str) -> Iterator[str]:
    """Yield those directories right below the root that a text names as a whole."""
    for one in directories:
        whole = rf"(?<![\w.+@~%:/-]){re.escape(one)}/?(?![\w.+@~%:/-])"
        if one in text and re.search(whole, text):
            yield one


def _directory_leads(tree: Tree, directory: str) -> Iterator[Lead]:
    """Yield a directory's plugins, programs, and code that it may serve to browsers."""
    own = not directory.startswith(SYSTEM_PARTS)
    for path in tree.files_under(
        directory, depth=OWN_PLUGIN_DEPTH if own else PLUGIN_DEPTH
    ):
        deep = path.count("/") - directory.count("/") > PLUGIN_DEPTH + 1
        if ".so" not in path.rpartition("/")[2]:
            continue
        if not (deep and INSTALLED.search(path, len(directory))):
            yield Lead(path, f"names the directory {directory}, with", SOURCE)
    for path in (*tree.files_in(directory), *tree.links_in(directory).values()):
        if tree.executable(path) or ".so" in path.rpartition("/")[2]:
            yield Lead(path, f"names the directory {directory}, with", SOURCE)
    root = directory.count("/") == 1
    for path in tree.files_under(directory, depth=SERVED_DEPTH):
        if root and INSTALLED.search(path):
            continue
        if path.endswith(BROWSER_SUFFIXES):
            how = f"names the directory {directory}, perhaps to serve it to browsers, with"
            yield Lead(path, how, SOURCE)


def command_words(strings: Iterable[bytes]) -> set[str]:
    """Return the words that stand where a command stands in any of the strings."""
    found = set()
    for string in strings:
        if not 0 < len(string) <= COMMAND_BYTES_MAX:
            continue
        if string.isalnum():
            found.add(string.decode("ascii"))
        else:
            found |= tokens.commands(string.decode("latin-1"))
    return found
