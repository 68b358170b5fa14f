"""Packages for building: is their code a part of a program that was built in the image?

Static archives and object files are compared with the programs, by their machine code.
Headers and sources with code leave no trace that could be looked for.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Final, NamedTuple

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules import packages
from vexxy.reachability.types import Loadable
from vexxy.reachability.wire import elf, objects
from vexxy.sbom.types import Package

ANY: Final = (elf.MAGIC,)
# What the compilers of C++ leave in what uses exceptions, types or the library.
CPP: Final = (b"libstdc++", b"libc++", b"__cxa_", b"__gxx_", b"St9", b"_ZN")
MARKS: Final = {
    ".go": (b"runtime.main\0",), ".rs": (b"/rustc/",), ".c": ANY,
}  # fmt: skip
# What is compiled into its users: templates, and functions that are written inline.
INLINE: Final = re.compile(rb"\b(?:__)?(?:always_)?inline\b|\btemplate\s*<")
INLINE_WORDS: Final = (b"inline", b"template")


class Linkage(NamedTuple):
    """What is known of a package's code in programs that were built in the image.

    `doubt` is why it may be in one, `proof` why its archives are in none; or empty.
    """

    doubt: str
    proof: str


NOTHING: Final = Linkage("", "")


class Linked:
    """Compares what packages bring for building with what was built.

    Looked at are programs and libraries that ran, or could, and that the distribution
    did not bring; `loaded` are canonical paths.
    """

    def __init__(self, tree: Tree, loaded: Iterable[str], loadable: Loadable) -> None:
        self._tree: Final = tree
        self._paths: Final = sorted({*loaded, *loadable.references} - tree.distributed)
        self._known: Final[dict[str, Linkage]] = {}
        self._compared: Final[dict[str, str]] = {}
        self._held: Final[dict[tuple[str, tuple[bytes, ...]], bool]] = {}

    def look_up(self, package: Package, files: Iterable[str]) -> Linkage:
        """Return what is known of the code of a package, by its files that are there."""
        if package.purl not in self._known:
            self._known[package.purl] = self._look_up(package, files)
        return self._known[package.purl]

    def _look_up(self, package: Package, files: Iterable[str]) -> Linkage:
        if package.type not in packages.OS_TYPES or packages.is_kernel(package):
            return NOTHING
        present = sorted(files)
        archives = [one for one in present if packages.is_linked(one)]
        sources = [one for one in present if packages.is_source(one)]
        if not (archives or sources) or not self._programs:
            return NOTHING
        doubt = next((found for one in archives if (found := self._archive(one))), "")
        doubt = doubt or next(self._sources(sources, alone=not archives), "")
        if doubt:
            return Linkage(doubt, "")
        shown = ", ".join(list(self._programs)[:3])
        what = f"{len(archives)} archives and objects" if archives else "headers"
        return Linkage("", f"none of its {what} is in what was built here ({shown})")

    def _archive(self, path: str) -> str:
        if path not in self._compared:
            try:
                self._compared[path] = self._compare(path)
            except Unparsable as error:
                program = next(iter(self._programs))
                doubt = f"{path} may be linked into {program}, which was built here"
                self._compared[path] = f"{doubt}: it cannot be compared ({error.message})"
        return self._compared[path]

    def _compare(self, path: str) -> str:
        content = self._tree.read(path)
        if content is None:
            raise Unparsable("it could not be read")
        if content[: len(elf.MAGIC)] == elf.MAGIC:
            found = [(path.rpartition("/")[2], content)]
        elif content.startswith((objects.ARCHIVE, objects.THIN)):
            found = list(objects.members(content))
        elif content.isascii() and content.strip():
            # A linker script, which names archives of the same package.
            return ""
        else:
            raise Unparsable("no archive")
        compared = False
        for name, member in found:
            for piece in objects.pieces(member):
                compared = True
                for program, code in self._programs.items():
                    if code is None or code.holds(piece):
                        return f"{path} ({name}) is linked into {program}"
        if not compared:
            raise Unparsable("it holds no code that is long enough")
        return ""

    def _sources(self, paths: Iterable[str], *, alone: bool) -> Iterator[str]:
        """Yield sources whose code may have been compiled into a program.

        The header of a library that has an archive declares what the archive holds, but
        for the templates of C++.
        """
        for path in paths:
            marks = self._marks(path, alone=alone)
            user = next((one for one in self._own if self._holds(one, marks)), None)
            if marks and user is not None:
                yield f"{path} holds code that may be compiled into {user}"

    def _marks(self, path: str, *, alone: bool) -> tuple[bytes, ...]:
        """Return what a program holds that has code of the source; nothing if none can."""
        name = path.rpartition("/")[2]
        suffix = name[name.rfind(".") :] if "." in name else ""
        if suffix in MARKS:
            return MARKS[suffix]
        if suffix not in {".h", ""}:
            return CPP
        content = self._tree.read(path) or b""
        written = any(one in content for one in INLINE_WORDS)
        found = set(INLINE.findall(content)) if written else set()
        if any(one.startswith(b"template") for one in found):
            return CPP
        return ANY if found and alone else ()

    def _holds(self, program: str, marks: tuple[bytes, ...]) -> bool:
        key = (program, marks)
        if key not in self._held:
            content = self._tree.read(program) or b""
            self._held[key] = any(one in content for one in marks)
        return self._held[key]

    @cached_property
    def _own(self) -> list[str]:
        """What was built here and no package of a language brought."""
        return [one for one in self._programs if not packages.is_installed(one)]

    @cached_property
    def _programs(self) -> dict[str, objects.Program | None]:
        """By path, the code of what was built here; None where it cannot be read."""
        found: dict[str, objects.Program | None] = {}
        for path in self._paths:
            if self._tree.read_start(path, len(elf.MAGIC)) != elf.MAGIC:
                continue
            try:
                found[path] = objects.program(self._tree.read(path) or b"")
            except Unparsable:
                found[path] = None
        return found
