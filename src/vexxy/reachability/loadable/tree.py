"""A root file system, indexed the way references name files: by path, name, directory."""

import copy
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, NamedTuple

from vexxy.images.errors import FileMissing, FileTooLarge, FileUnreadable
from vexxy.reachability.ports import Root

START_BYTES: Final = 4
READ_LIMIT_BYTES: Final = 256 * 1024 * 1024
SNIFFED_BYTES: Final = 4096
TEXT_LIMIT_BYTES: Final = 4 * 1024 * 1024
# Files of package managers and data; their executable names are common words.
NO_PROGRAMS: Final = (
    "/usr/lib/apt/", "/usr/lib/dpkg/", "/usr/share/", "/var/lib/", "/etc/",
)  # fmt: skip
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Lead(NamedTuple):
    """One reference found in a file: where it leads, and how it is written.

    `how` fits between two paths: "<via> names it as a needed library <target>".
    """

    target: str
    how: str
    source: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known about the processes: variables, working directory.

    `mended`: names of packages whose vulnerable power of making objects of any name is
    left out (ADR 0015).
    """

    environment: Mapping[str, str]
    working_directory: str
    mended: frozenset[str] = frozenset()


class Tree:
    """An indexed view of one root; every index is built at its first use.

    Attributes:
        distributed: Canonical paths of the files that the distribution's packages own.
    """

    def __init__(self, root: Root, surroundings: Surroundings) -> None:
        self._root: Final = root
        self.surroundings = surroundings
        self.entries: Final = root.entries
        self.distributed: frozenset[str] = frozenset()
        self._resolved: dict[str, str | None] = {}
        self._links: dict[str, Mapping[str, str]] = {}
        self._listed: dict[str, frozenset[str] | None] = {}
        self._starts: dict[str, bytes] = {}

    def with_mended(self, names: frozenset[str]) -> "Tree":
        """Return a view of the same root in which packages count as mended."""
        found = copy.copy(self)
        found.surroundings = replace(self.surroundings, mended=names)
        return found

    def resolve(self, path: str) -> str | None:
        """Return the canonical path of what is there, links followed; remembered."""
        if path not in self._resolved:
            known = path in self.entries
            self._resolved[path] = path if known else self._look_up(path)
        return self._resolved[path]

    def _look_up(self, path: str) -> str | None:
        """Resolve the directory once for all in it; most paths asked for are not there."""
        parent, _, name = path.rpartition("/")
        if not parent or name in {"", ".", ".."}:
            return self._root.resolve(path)
        directory = self.resolve(parent)
        if directory is None:
            return None
        own = f"{directory.rstrip('/')}/{name}"
        if own != path:
            return self.resolve(own)
        names = self._names(directory)
        there = names is None or name in names
        return self._root.resolve(path) if there else None

    def _names(self, directory: str) -> frozenset[str] | None:
        """Return what is directly inside a canonical directory; None if unreadable."""
        if directory not in self._listed:
            try:
                listed = os.listdir(self._root.host_path(directory))  # noqa: PTH208  speed
                self._listed[directory] = frozenset(listed)
            except OSError:
                self._listed[directory] = None
        return self._listed[directory]

    def find_file(self, path: str) -> str | None:
        """Return the canonical path if a regular file is there."""
        canonical = self.resolve(path)
        return canonical if canonical in self.entries else None

    def locate(self, path: str) -> str | None:
        """Return the canonical path of the regular file that is named, or linked, so.

        Only the directories' links are followed first: a package owns the file at its
        own path. Where that is a link by now, the file behind it is meant.
        """
        parent, _, name = path.rpartition("/")
        directory = self.resolve(parent or "/")
        if directory is not None:
            own = f"{directory.rstrip('/')}/{name}"
            if own in self.entries:
                return own
        return self.find_file(path)

    def aliases(self, path: str) -> Sequence[str]:
        """Return every name of the file at a canonical path, hard links included."""
        entry = self.entries.get(path)
        if entry is None:
            return (path,)
        return self._by_identity.get(entry.identity, (path,))

    @property
    def unreadable(self) -> Sequence[str]:
        """Paths that could not be looked into."""
        return self._root.unreadable

    def read(self, path: str, *, limit: int = READ_LIMIT_BYTES) -> bytes | None:
        """Return a file's content; None when it is missing, unreadable or too large."""
        entry = self.entries.get(path)
        if entry is not None and entry.size_bytes > limit:
            return None
        try:
            return self._root.read_bytes(path, limit=limit)
        except (FileMissing, FileTooLarge, FileUnreadable):
            return None

    def read_start(self, path: str, length: int) -> bytes:
        """Return the first bytes of the file at a canonical path; none if unreadable."""
        if length > START_BYTES:
            return self._start(path, length)
        if path not in self._starts:
            self._starts[path] = self._start(path, START_BYTES)
        return self._starts[path][:length]

    def _start(self, path: str, length: int) -> bytes:
        if path in self.entries:
            with suppress(OSError), open(self._root.host_path(path), "rb", 0) as file:  # noqa: PTH123  twice as fast
                return file.read(length)
        return b""

    def is_text(self, path: str) -> bool:
        """Return whether nothing at a file's start speaks against text."""
        return b"\0" not in self.read_start(path, SNIFFED_BYTES)

    def read_text(self, path: str) -> str | None:
        """Return a text file's content, undecodable bytes replaced; None for others."""
        content = self.read(path, limit=TEXT_LIMIT_BYTES)
        if content is None or b"\0" in content[:4096]:
            return None
        return content.decode("utf-8", "replace")

    def files_in(self, directory: str) -> Sequence[str]:
        """Return the regular files directly inside a canonical directory."""
        return self._by_directory.get(directory.rstrip("/"), ())

    def files_under(self, directory: str, *, depth: int = 64) -> Iterator[str]:
        """Yield the regular files inside a canonical directory, `depth` levels down."""
        pending = [(directory.rstrip("/"), depth)]
        while pending:
            current, left = pending.pop()
            yield from self._by_directory.get(current, ())
            if left > 0:
                pending += [(one, left - 1) for one in self._children.get(current, ())]

    def is_directory(self, path: str) -> bool:
        """Return whether a canonical path is a directory with files somewhere below."""
        trimmed = path.rstrip("/")
        return trimmed in self._by_directory or trimmed in self._children

    def children(self, directory: str) -> Sequence[str]:
        """Return the directories directly inside a canonical one that hold files."""
        return self._children.get(directory.rstrip("/"), ())

    def files_named(self, name: str) -> Sequence[str]:
        """Return every regular file of this name, anywhere."""
        return self._by_name.get(name, ())

    @property
    def names(self) -> Mapping[str, Sequence[str]]:
        """Every file name, with the paths that have it."""
        return self._by_name

    @property
    def directories(self) -> Mapping[str, Sequence[str]]:
        """Every directory that holds files directly, with them."""
        return self._by_directory

    def executable(self, path: str) -> bool:
        """Return whether a canonical path is a file that may be executed."""
        entry = self.entries.get(path)
        return entry is not None and entry.executable

    def links_in(self, directory: str) -> Mapping[str, str]:
        """Return the links directly inside a canonical directory: name to real path."""
        if directory not in self._links:
            found = {}
            for name in self.names_in(directory):
                path = f"{directory.rstrip('/')}/{name}"
                if path not in self.entries and path not in self._children:
                    target = self.resolve(path)
                    if target is not None and target != path:
                        found[name] = target
            self._links[directory] = found
        return self._links[directory]

    @cached_property
    def program_directories(self) -> tuple[str, ...]:
        """Canonical directories of PATH, the image's and the usual one."""
        path = self.surroundings.environment.get("PATH", "")
        found = [self.resolve(one) for one in f"{path}:{DEFAULT_PATH}".split(":") if one]
        return tuple(dict.fromkeys(one for one in found if one))

    @cached_property
    def programs(self) -> Mapping[str, str]:
        """Every command name, links of PATH included, with its canonical file.

        PATH comes first; a program elsewhere has its name too, for the directory may be
        put before it at run time (`join(prefix, "bin", name)`).
        """
        found: dict[str, str] = {}
        for directory in self.program_directories:
            for name in self.names_in(directory):
                target = self.find_file(f"{directory}/{name}")
                if target is not None and self.executable(target):
                    found.setdefault(name, target)
        for path, entry in self.entries.items():
            name = path.rpartition("/")[2]
            elsewhere = entry.executable and not path.startswith(NO_PROGRAMS)
            if elsewhere and ".so" not in name:
                found.setdefault(name, path)
        return found

    def names_in(self, directory: str) -> Sequence[str]:
        """Return the names directly inside a canonical directory, links included."""
        return sorted(self._names(directory) or ())

    @cached_property
    def _by_identity(self) -> Mapping[tuple[int, int], Sequence[str]]:
        """Files with more than one name."""
        found: dict[tuple[int, int], list[str]] = defaultdict(list)
        for entry in self.entries.values():
            found[entry.identity].append(entry.path)
        return {one: paths for one, paths in found.items() if len(paths) > 1}

    @cached_property
    def _by_directory(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.entries:
            found[path.rpartition("/")[0]].append(path)
        return found

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for path in self.entries:
            found[path.rpartition("/")[2]].append(path)
        return found

    @cached_property
    def _children(self) -> Mapping[str, Sequence[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for directory in self._by_directory:
            current = directory
            while current:
                parent = current.rpartition("/")[0]
                if current in found[parent]:
                    break
                found[parent].add(current)
                current = parent
        return {parent: sorted(children) for parent, children in found.items()}
