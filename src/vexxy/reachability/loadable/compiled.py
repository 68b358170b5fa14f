"""What compiled code of Java and .NET can start or load, by its string literals.

It is packed into archives, archives into archives; nobody follows which class is loaded,
so every literal of an archive that can start programs counts.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable import configuration, foreign
from vexxy.reachability.loadable.commands import Commands
from vexxy.reachability.loadable.comments import kind_of, without_comments
from vexxy.reachability.loadable.linker import Linker
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import elf, javaclass, payloads, tokens

ARCHIVES: Final = (".jar", ".war", ".ear", ".hpi", ".jpi", ".nar")
# Code of packages, which starts what its callers name.
INSTALLED: Final = re.compile(
    r"/usr/(?!src/|local/s?bin/|local/src/|share/nginx/html/)|/var/lib/|/etc/|.*/(gems|vendor|node_modules)/"
)
DOTNET: Final = (".dll", ".exe")
DOTNET_STARTS: Final = (b"ProcessStartInfo", b"System.Diagnostics.Process")
# Literals of .NET are UTF-16 (ECMA-335, II.24.2.4).
WIDE_TEXT: Final = re.compile(rb"(?:[\x20-\x7e]\x00){2,400}")
# The runtime's own classes; what they start is known to be nothing of other packages.
RUNTIMES: Final = re.compile(r".*/(jvm|jre|jdk)[\w.-]*/.*|.*/Microsoft\.NETCore\.App/.*")
# An encrypted member is a RuntimeError, an unknown way to pack one is the last of these.
DAMAGED: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError,
)  # fmt: skip
PACKED: Final = (".phar", ".beam", ".luac")
BYTE_CODE: Final = (b"FOR1", payloads.GZIP, b"\x1bLua", b"\x1bLJ")
BYTE_CODE_STARTS: Final = ("cmd", "open_port", "spawn_executable", "execute", "popen")
OWN_LIBRARY: Final = re.compile(r".*/lib/(erlang|elixir)/.*")
# Made by jlink; its `release` lists the modules, and a JDK's has no others.
IMAGES: Final = re.compile(r".*/lib/modules")
JDK_ONLY: Final = re.compile(r'(?m)^MODULES="(?:(?:java|jdk)\.[\w.]+ ?)+"')
DEPTH_MAX: Final = 2
MEMBER_BYTES_MAX: Final = 64 * 1024 * 1024
TOTAL_BYTES_MAX: Final = 1024 * 1024 * 1024
LITERAL_LENGTH_MAX: Final = 400
# What a template of Java leaves open.
HOLE: Final = "\x01"


class Compiled:
    """Reads the archives and assemblies of one image, as many as it may cost."""

    def __init__(self, tree: Tree, commands: Commands, linker: Linker) -> None:
        self._tree: Final = tree
        self._commands: Final = commands
        self._linker: Final = linker
        self._left = TOTAL_BYTES_MAX

    def leads(self, path: str) -> Iterator[Lead]:
        """Yield what the compiled file at `path` can start; nothing for other files."""
        if path.endswith(foreign.SUFFIXES):
            yield from self._script(path)
            return
        if path.endswith(PACKED) or IMAGES.match(path):
            yield from self._packed(path)
            return
        if not path.endswith((*ARCHIVES, *DOTNET, ".class")) or RUNTIMES.match(path):
            return
        content = self._tree.read(path)
        if content is None:
            yield from self._anything("could not be read and may run")
        elif path.endswith(ARCHIVES):
            yield from self._archive(content, DEPTH_MAX)
        elif path.endswith(".class"):
            yield from self._classes([content])
        elif any(mark in content for mark in DOTNET_STARTS):
            for found in set(WIDE_TEXT.findall(content)):
                yield from self._commands.command(found.decode("utf-16-le"))

    def _packed(self, path: str) -> Iterator[Lead]:
        """Yield what byte code, an archive of PHP or a Java runtime image can start."""
        content = self._tree.read(path) or b""
        if path.endswith(".phar"):
            text = payloads.phar(content)
            if text is None:
                yield from self._anything("is packed and may run")
            else:
                yield from self._commands.foreign(path, text)
                yield from self._commands.by_value(text)
        elif IMAGES.match(path):
            release = self._tree.read_text(path.removesuffix("lib/modules") + "release")
            if not JDK_ONLY.search(release or ""):
                yield from self._anything("holds the application's classes and may run")
        elif content.startswith(BYTE_CODE) and not OWN_LIBRARY.match(path):
            found = payloads.texts(content)
            if any(call in one for one in found for call in BYTE_CODE_STARTS):
                yield from self._commands.script(path, "\n".join(found))

    def _script(self, path: str) -> Iterator[Lead]:
        """Yield what the application's own script can start; nothing of a package's."""
        if INSTALLED.match(path) or path in self._tree.distributed:
            return
        text = self._tree.read_text(path) or ""
        yield from self._commands.by_value(without_comments(text, kind_of(path)))
        if foreign.can_start(text):
            yield from self._commands.other_script(path, text)

    def _archive(self, content: bytes, depth: int) -> Iterator[Lead]:
        classes: list[bytes] = []
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist():
                    self._left -= member.file_size
                    if member.file_size > MEMBER_BYTES_MAX or self._left < 0:
                        yield from self._anything("is too large to look into and may run")
                        return
                    name, data = member.filename, archive.read(member)
                    if name.endswith(".class"):
                        classes.append(data)
                    elif name.endswith(ARCHIVES) and depth > 0:
                        yield from self._archive(data, depth - 1)
                    else:
                        yield from self._member(name, data)
        except DAMAGED:
            yield from self._anything("is damaged and may run")
        yield from self._classes(classes)

    def _member(self, name: str, content: bytes) -> Iterator[Lead]:
        """Yield what a file beside the classes brings: configuration, a library."""
        if content[:4] == elf.MAGIC:
            try:
                needed = elf.read(content).needed
            except Unparsable:
                return
            for library in needed:
                for target in self._linker.find(library):
                    yield Lead(target, f"unpacks {name}, which needs the library", "elf")
        elif configuration.is_configuration(f"/{name}") and "META-INF/" not in name:
            text = content.decode("utf-8", "replace")
            yield from self._commands.configuration(f"/{name}", text)

    def _classes(self, classes: Iterable[bytes]) -> Iterator[Lead]:
        several = list(classes)
        if not any(javaclass.can_start_programs(one) for one in several):
            return
        literals: set[str] = set()
        for one in several:
            try:
                literals |= set(javaclass.literals(one))
            except Unparsable:
                literals |= tokens.words(one.decode("latin-1"))
        for literal in literals:
            if len(literal) <= LITERAL_LENGTH_MAX:
                yield from self._commands.command(literal.replace(HOLE, "%s"))

    def _anything(self, how: str) -> Iterator[Lead]:
        for target in set(self._tree.programs.values()):
            yield Lead(target, how, "interpreter")
