"""Which files a package has in this root, and how each of them was touched."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.modules import source_of
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.presence import Missing
from vexxy.reachability.rules import packages
from vexxy.reachability.rules.facts import Presence
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.wire import elf
from vexxy.sbom.types import Inventory, Package
from vexxy.tracer.types import Access, ExecutionProfile, FileAccess, Source

STRENGTH: Final = {access: rank for rank, access in enumerate(Access)}
# An inventory of another image would make everything look absent.
ABSENT_SHARE_MAX: Final = 0.5
SAMPLED_FILES: Final = 3
ARCHIVE_MARK: Final = "!"


@dataclass(frozen=True, slots=True)
class Owned:
    """One package in this root.

    Attributes:
        files: Canonical paths of its files that exist, or of what contains it.
        accesses: How they were touched, strongest first, metadata left out.
    """

    presence: Presence
    detail: str
    files: frozenset[str]
    accesses: tuple[FileAccess, ...]
    data_only: bool


class Ownership:
    """Looks packages up in one root and one profile."""

    def __init__(self, tree: Tree, profile: ExecutionProfile, inventory: Inventory) -> None:
        self._tree: Final = tree
        self._inventory: Final = inventory
        self._missing: Final = Missing(tree, inventory)
        self._accesses: Final = self._index(profile)

    def look_up(self, package: Package) -> Owned:
        """Return what this root and this run say about the package's files."""
        files = self._files(package)
        presence, detail = self._presence(package, files)
        data_only = package.embedded_in is None and packages.is_data_only(
            files, frozenset(path for path in files if self._tree.executable(path))
        )
        accesses = self._touched(files)
        if data_only or packages.derived(package):
            accesses += self._derived(package)
        ordered = sorted(
            dict.fromkeys(accesses),
            key=lambda one: (STRENGTH[one.access], one.first_seen_seconds, one.path),
        )
        return Owned(presence, detail, files, tuple(ordered), data_only)

    def _files(self, package: Package) -> frozenset[str]:
        written: Iterable[str] = package.files
        if package.embedded_in is not None:
            written = (package.embedded_in.partition(ARCHIVE_MARK)[0],)
        located = (self._tree.locate(path) for path in written)
        return frozenset(path for path in located if path is not None)

    def _presence(self, package: Package, files: frozenset[str]) -> tuple[Presence, str]:
        problems = packages.problems_of(package, self._inventory.problems)
        if problems:
            first = problems[0]
            return Presence.UNKNOWN, f"{first.path} could not be read: {first.message}"
        if package.embedded_in is not None:
            where = f"contained in {package.embedded_in}"
            gone = self._gone(package, (package.embedded_in,))
            return (Presence.PRESENT, where) if files else gone
        if not package.files_known or not package.files:
            meta = "it lists no files that are there (a meta or virtual package, or moved)"
            silent = "the inventory does not say which files it has"
            return Presence.UNKNOWN, meta if package.files_known else silent
        doubt = self._missing.moved(package, files) or self._hollow(package, files)
        if doubt:
            return Presence.UNKNOWN, doubt
        if files:
            there = f"{len(files)} of {len(package.files)} listed files are there"
            return Presence.PRESENT, there
        return self._gone(package, package.files)

    def _hollow(self, package: Package, files: frozenset[str]) -> str:
        """Return why a package that is there cannot hold what is vulnerable, or nothing."""
        if not files:
            return ""
        if packages.only_describes(files):
            return "it only has files that describe it (a meta package)"
        sibling = self._running_sibling(package, files)
        if sibling is None:
            return ""
        started = f"its code is in {sibling.name} of the same source, which is loaded"
        return f"it has no code of its own, {started}"

    def _running_sibling(self, package: Package, files: Iterable[str]) -> Package | None:
        """Return a loaded package of the same source when this one has only scripts.

        `redis-server` holds the start script and a link, `redis-tools` the program.
        """
        if package.type not in packages.OS_TYPES or not package.source_name:
            return None
        siblings = [one for one in self._sources[package.source_name] if one is not package]
        if not siblings or packages.has_own_code(files, self._machine_code(files)):
            return None
        return next((one for one in siblings if self._is_loaded(one)), None)

    @cached_property
    def _sources(self) -> Mapping[str, list[Package]]:
        """Packages of the distribution by their source."""
        found: dict[str, list[Package]] = defaultdict(list)
        for one in self._inventory.packages:
            if one.type in packages.OS_TYPES:
                found[one.source_name].append(one)
        return found

    def _is_loaded(self, package: Package) -> bool:
        touched = self._touched(self._files(package))
        return any(one.access in CODE_ACCESSES for one in touched)

    def _machine_code(self, files: Iterable[str]) -> frozenset[str]:
        programs = (path for path in files if self._tree.executable(path))
        return frozenset(
            path for path in programs if (self._tree.read(path) or b"")[:4] == elf.MAGIC
        )

    def _gone(self, package: Package, written: Iterable[str]) -> tuple[Presence, str]:
        for path in written:
            for hidden in self._tree.unreadable:
                if path.startswith(f"{hidden.rstrip('/')}/") or path == hidden:
                    return Presence.UNKNOWN, f"{hidden} could not be looked into"
        if not self._believable:
            reason = "most packages of the inventory are not in this image at all"
            return Presence.UNKNOWN, f"{reason}: it may be another image's"
        listed = max(1, len(package.files))
        return Presence.ABSENT, f"none of its {listed} listed files exists in the image"

    @cached_property
    def _believable(self) -> bool:
        """Whether the inventory is this image's, judged by a few files of each package."""
        listed = [one for one in self._inventory.packages if one.files]
        there = sum(
            any(self._tree.locate(path) for path in one.files[:SAMPLED_FILES])
            for one in listed
        )
        return not listed or len(listed) - there <= ABSENT_SHARE_MAX * len(listed)

    def _touched(self, files: Iterable[str]) -> list[FileAccess]:
        found = []
        for path in files:
            accesses = self._accesses.get(path, ())
            if accesses:
                found.append(min(accesses, key=lambda one: STRENGTH[one.access]))
        return found

    def _derived(self, package: Package) -> list[FileAccess]:
        prefixes = packages.derived(package)
        if not prefixes:
            return []
        paths = [path for path in self._accesses if path.startswith(prefixes)]
        return self._touched(paths)

    def _index(self, profile: ExecutionProfile) -> Mapping[str, list[FileAccess]]:
        """Index accesses by every name of the file, and by the source of cached code."""
        index: dict[str, list[FileAccess]] = defaultdict(list)
        accesses = (*profile.files_accessed, *implied(profile))
        for access in (*accesses, *self._loaders(accesses)):
            if access.access is Access.METADATA:
                continue
            names = {access.path, source_of(access.path)}
            canonical = self._tree.resolve(access.path)
            if canonical is not None:
                names.add(canonical)
            for name in names:
                for alias in self._tree.aliases(name):
                    index[alias].append(access)
        return index

    def _loaders(self, accesses: Iterable[FileAccess]) -> Iterator[FileAccess]:
        """Yield the dynamic linkers of what was executed: the kernel itself maps them."""
        ran = {one.path: one for one in accesses if one.access is Access.EXECUTED}
        for path, access in ran.items():
            content = self._tree.read(path)
            if content is None or content[:4] != elf.MAGIC:
                continue
            with suppress(Unparsable):
                loader = self._tree.find_file(elf.read(content).interpreter or "/")
                if loader is not None:
                    yield replace(
                        access, path=loader, access=Access.MAPPED, process=access.path
                    )


def implied(profile: ExecutionProfile) -> list[FileAccess]:
    """Return what the other parts of a profile say about files."""
    found = [FileAccess(one, Access.EXECUTED, 0.0) for one in profile.executed_binaries]
    found += [FileAccess(one, Access.MAPPED, 0.0) for one in profile.loaded_libraries]
    for process in profile.processes:
        started = process.first_seen_seconds
        found.append(FileAccess(process.executable, Access.EXECUTED, started))
        if process.script:
            found.append(FileAccess(process.script, Access.CODE, started))
    found += [
        FileAccess(one.path, Access.CODE, 0.0, source=Source.COVERAGE)
        for one in profile.functions
        if one.path
    ]
    return [one for one in found if one.path]
