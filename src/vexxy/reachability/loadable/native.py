"""What an ELF file can make the process load or run.

The rule for names is one of caution. Libraries: every string that names one counts,
whether or not a call to `dlopen` can be seen, for many go through a wrapper. Programs:
an absolute path always counts; a bare word counts only where the object imports a call
that searches PATH or starts a shell, for "gzip" in a web server is a content coding.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.loadable.configuration import MENTIONS, is_configuration
from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import elf, tokens
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

# Libraries that build the path of their plugins piece by piece.
PLUGINS: Final = (
    (re.compile(r"libpam\.so"), "security"),
    (re.compile(r"libsasl2\.so"), "sasl2"),
    (re.compile(r"libcrypto\.so"), "ossl-modules"),
    (re.compile(r"libcrypto\.so"), "engines-3"),
    (re.compile(r"libcrypto\.so"), "engines-1.1"),
    (re.compile(r"libkrb5\.so|libgssapi"), "krb5"),
    (re.compile(r"libgio-2"), "gio"),
)

FORMAT: Final = r"%-?\d*\.?\d*[a-z]+"
FIXED_DIRECTORY: Final = re.compile(r"/[^/]*%.*\Z")
TAIL_BYTES: Final = 32

# Its `lib%s.so` takes names from configuration, which is read for itself; the words in
# its own data are no library names.
OPENSSL: Final = re.compile(r"libcrypto\.so")

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
PLUGIN_DEPTH: Final = 2
# Code that a server reads as data and a browser runs.
BROWSER_SUFFIXES: Final = (".js", ".mjs", ".wasm")
SERVED_DEPTH: Final = 8


class Native:
    """Follows ELF files of one image."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self.linker: Final = Linker(tree)

    def leads(self, path: str, content: bytes) -> Iterator[Lead]:
        """Yield everything that the ELF file at `path` can load or run.

        Raises:
            Unparsable: The file is damaged.
        """
        parsed = elf.read(content)
        yield from self._needed(path, parsed)
        name = path.rpartition("/")[2]
        if C_LIBRARY.fullmatch(name):
            return
        data = b"\0".join(parsed.data)
        yield from self._on_request(parsed)
        yield from self._plugins(name)
        yield from self._libraries(path, parsed, data)
        yield from self._paths(data)
        if GO_MARK in content or RUST in data:
            yield from self._run_together(data)
        for library, words in ON_BEHALF:
            if library.match(name):
                found = (self._tree.programs.get(word) for word in words)
                yield from (Lead(one, "may run", SOURCE) for one in found if one)
                return
        if not INTERPRETERS.fullmatch(name):
            yield from self._programs(parsed, content, data)

    def needed(self, path: str, content: bytes) -> list[str]:
        """Return the libraries that the linker loads for the file, loader left out.

        Raises:
            Unparsable: The file is damaged.
        """
        leads = self._needed(path, elf.read(content))
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
            for target in self._in_directories("gconv"):
                yield Lead(target, "converts character sets, which may load", SOURCE)

    def _plugins(self, name: str) -> Iterator[Lead]:
        for library, directory in PLUGINS:
            if library.match(name):
                for target in self._in_directories(directory):
                    yield Lead(target, "loads plugins, among them", SOURCE)

    def _libraries(self, path: str, parsed: Elf, data: bytes) -> Iterator[Lead]:
        patterns = []
        for name in tokens.libraries(data):
            if "%" in name:
                patterns.append(name.rpartition("/")[2])
                continue
            for target in self.linker.find(name, elf=parsed, path=path):
                yield Lead(target, f"holds the name {name}, hence may load", SOURCE)
        if OPENSSL.match(path.rpartition("/")[2]):
            return
        for pattern in patterns:
            yield from self._pattern(pattern, data)

    def _pattern(self, pattern: str, data: bytes) -> Iterator[Lead]:
        """Follow `mod_%s.so`; where nothing but `lib` is fixed, the words are names."""
        parts = re.split(FORMAT, pattern)
        expression = re.compile("(.*)".join(re.escape(part) for part in parts))
        fixed = "".join(parts).replace("lib", "", 1).partition(".so")[0]
        for name, paths in self._tree.names.items():
            found = expression.match(name) if ".so" in name else None
            if found is None or name[found.end() :].strip(".0123456789"):
                continue
            words = [one for one in found.groups() if not one.isdigit()]
            if len(fixed) > 1 or all(_ends_a_string(one, data) for one in words):
                for target in paths:
                    yield Lead(target, f"loads libraries like {pattern}, hence", SOURCE)

    def _paths(self, data: bytes) -> Iterator[Lead]:
        """Absolute paths: programs, libraries, and directories of either."""
        for path in tokens.paths(data):
            # `/usr/lib/daemon/%s.so` names its directory.
            canonical = self._tree.resolve(FIXED_DIRECTORY.sub("", path))
            if canonical is not None:
                yield from path_leads(self._tree, canonical, self.linker.directories)
        for path in self._tree.files_in(""):
            if path.encode("utf-8", "surrogateescape") + b"\0" in data:
                yield Lead(path, "holds the path", SOURCE)

    def _programs(self, parsed: Elf, content: bytes, data: bytes) -> Iterator[Lead]:
        """Programs named by a bare word, where the object can start one that way."""
        if GO_MARK in content:
            if GO_EXEC in content:
                yield from self._any_program("is a Go program that can run commands, as")
            return
        call = _starting_call(parsed, data)
        if call is None:
            return
        if RUST in data:
            yield from self._any_program("is a Rust program that can run commands, as")
            return
        if not parsed.dynamic or parsed.imports & STARTS_SHELL:
            shell = self._tree.find_file("/bin/sh")
            if shell is not None:
                yield Lead(shell, "can start the shell", SOURCE)
        strings = frozenset(data.split(b"\0"))
        ends = b"\0".join(string[-TAIL_BYTES:] for string in strings) + b"\0"
        lines = command_words(strings)
        for word, target in self._tree.programs.items():
            if word in lines or _ends_a_string(word, ends):
                how = f"holds the word {word} and imports {call}, hence may run"
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

    def _in_directories(self, name: str) -> Iterator[str]:
        for directory in self._tree.directories:
            if f"/{name}/" in f"{directory}/" and "/lib" in directory:
                yield from libraries_in(self._tree, directory)


def _starting_call(parsed: Elf, data: bytes) -> str | None:
    """Return the call by which an object can start a program by its bare name."""
    if not parsed.dynamic:
        return "a system call"
    found = [one for one in parsed.imports if SEARCHES_PATH.fullmatch(one)]
    if not found and any(mark in data for mark in OWN_SEARCH):
        found = [one for one in parsed.imports if STARTS_PATH.fullmatch(one)]
    return min(found, default=None)


def _ends_a_string(word: str, data: bytes) -> bool:
    """Whether a string is, or ends with, the word.

    Linkers keep one copy of strings with the same end: "cp" may be the end of "tcp".
    """
    return word.encode("utf-8", "surrogateescape") + b"\0" in data


def libraries_in(tree: Tree, directory: str) -> Iterator[str]:
    """Yield the shared libraries directly in a canonical directory."""
    return (path for path in tree.files_in(directory) if ".so" in path.rpartition("/")[2])


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
    if canonical.count("/") > 1 and canonical not in ordinary:
        yield from _directory_leads(tree, canonical)


def _directory_leads(tree: Tree, directory: str) -> Iterator[Lead]:
    """Yield a directory's plugins, programs, and code that it may serve to browsers."""
    for path in tree.files_under(directory, depth=PLUGIN_DEPTH):
        if ".so" in path.rpartition("/")[2]:
            yield Lead(path, f"names the directory {directory}, with", SOURCE)
    for path in (*tree.files_in(directory), *tree.links_in(directory).values()):
        if tree.executable(path) or ".so" in path.rpartition("/")[2]:
            yield Lead(path, f"names the directory {directory}, with", SOURCE)
    for path in tree.files_under(directory, depth=SERVED_DEPTH):
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
