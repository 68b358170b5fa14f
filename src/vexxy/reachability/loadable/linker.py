"""Where the dynamic linker finds a library.

Source: ld.so(8). A name that the usual search does not find is looked for in the whole
image: better too many candidates than a missed one.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.wire.elf import Elf

CONFIGURATION: Final = "/etc/ld.so.conf"
MUSL_CONFIGURATION: Final = re.compile(r"/etc/ld-musl-[\w-]+\.path")
DEFAULT_DIRECTORIES: Final = ("/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
MULTIARCH: Final = re.compile(r"/(?:usr/)?lib/[\w]+-linux-(?:gnu|musl)\w*")
CAPABILITIES: Final = "glibc-hwcaps"
INCLUDE_DEPTH_MAX: Final = 5


class Linker:
    """The linker's search in one image."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self._found: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}
        self._inherited: dict[str, str] = {}
        self._asked: dict[str, str] = {}

    def find(self, name: str, *, elf: Elf | None = None, path: str = "") -> tuple[str, ...]:
        """Return the canonical files that `name` can mean for the file at `path`."""
        if "/" in name:
            target = self._tree.find_file(name) if name.startswith("/") else None
            return (target,) if target else self._anywhere(name.rpartition("/")[2])
        own = () if elf is None else self._own(elf, path)
        self._asked.setdefault(name, path)
        key = (name, own)
        if key not in self._found:
            self._found[key] = self._search(name, own)
        return self._found[key]

    def inherited(self) -> Iterator[tuple[str, str, str]]:
        """Yield (asking file, found file, program) for searches through DT_RPATH.

        The DT_RPATH of a program serves all that its libraries need, unlike DT_RUNPATH.
        Who loads whom is not known here, so every name asked for so far is looked up.
        """
        for directory, program in self._inherited.items():
            for name, path in self._asked.items():
                target = self._tree.find_file(f"{directory}/{name}")
                if target is not None and path:
                    yield path, target, program

    def _search(self, name: str, own: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for directory in (*own, *self.directories):
            target = self._tree.find_file(f"{directory}/{name}")
            if target is not None:
                found.append(target)
                break
        found += self._with_capabilities(name)
        return tuple(dict.fromkeys(found)) or self._anywhere(name)

    def _own(self, elf: Elf, path: str) -> tuple[str, ...]:
        origin = path.rpartition("/")[0]
        written = self._tree.surroundings.environment.get("LD_LIBRARY_PATH", "")
        search = (*elf.search, *(one for one in written.split(":") if one))
        for directory in _expanded(elf.inherited, origin):
            self._inherited.setdefault(directory, path)
        return _expanded(search, origin)

    def _anywhere(self, name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._tree.files_named(name), *self._versions(name))))

    def _versions(self, name: str) -> Sequence[str]:
        """Return the files behind the links that a library's shorter names usually are."""
        return self._by_shorter_name.get(name, ())

    @cached_property
    def _by_shorter_name(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name, paths in self._tree.names.items():
            stem, mark, version = name.partition(".so")
            parts = version.split(".")
            for count in range(1, len(parts)) if mark else ():
                found[stem + mark + ".".join(parts[:count])] += paths
        return found

    def _with_capabilities(self, name: str) -> Iterator[str]:
        for directory in self._capability_directories:
            if (target := self._tree.find_file(f"{directory}/{name}")) is not None:
                yield target

    @cached_property
    def directories(self) -> tuple[str, ...]:
        """Canonical directories of the configuration, then the built-in ones."""
        written = [*self._configured(CONFIGURATION, INCLUDE_DEPTH_MAX), *self._musl()]
        multiarch = [one for one in self._tree.directories if MULTIARCH.fullmatch(one)]
        resolved = (
            self._tree.resolve(one) for one in (*written, *multiarch, *DEFAULT_DIRECTORIES)
        )
        return tuple(dict.fromkeys(one for one in resolved if one))

    @cached_property
    def _capability_directories(self) -> tuple[str, ...]:
        marked = (one for one in self._tree.directories if f"/{CAPABILITIES}/" in one)
        return tuple(marked)

    def _configured(self, path: str, depth: int) -> Iterator[str]:
        text = self._tree.read_text(path) or ""
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if words[:1] == ["include"] and depth > 0:
                for pattern in words[1:]:
                    for included in self._glob(pattern, path):
                        yield from self._configured(included, depth - 1)
            elif words:
                yield words[0].partition("=")[0]

    def _glob(self, pattern: str, including: str) -> list[str]:
        if not pattern.startswith("/"):
            pattern = f"{including.rpartition('/')[0]}/{pattern}"
        directory, _, name = pattern.rpartition("/")
        expression = re.compile(re.escape(name).replace(r"\*", "[^/]*"))
        canonical = self._tree.resolve(directory)
        if canonical is None:
            return []
        names = self._tree.names_in(canonical)
        return [f"{canonical}/{one}" for one in names if expression.fullmatch(one)]

    def _musl(self) -> list[str]:
        found = [
            path
            for path in self._tree.files_in("/etc")
            if MUSL_CONFIGURATION.fullmatch(path)
        ]
        text = "\n".join(self._tree.read_text(path) or "" for path in found)
        return [one for one in re.split(r"[\n:]", text) if one.startswith("/")]


def _expanded(directories: Sequence[str], origin: str) -> tuple[str, ...]:
    """Return the directories with the place of their file put in."""
    expanded = (
        one.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for one in directories
    )
    return tuple(one for one in expanded if "$" not in one)
