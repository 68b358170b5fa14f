"""Entry points of installed packages, and which of them a lookup may load.

A lookup of a group that is a value may mean each group whose name the run, the application,
the package, or one that imports it says: whole, or in parts that are joined. Where all
groups are listed, or the application asks, it means all.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

from vexxy.reachability.loadable.modules import Modules
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import pysource

SOURCE: Final = "import_graph"
FILE: Final = "entry_points.txt"
# They look entry points up for their callers, who name the group themselves.
LIBRARIES: Final = ("pkg_resources", "importlib_metadata", "stevedore", "setuptools")
# They name programs, not plugins: a library looks into them for a version or a name,
# and only a launcher, which is no library, loads from them.
PROGRAMS: Final = frozenset({"console_scripts", "gui_scripts"})
# Every group is listed, and not one asked for.
ALL: Final = re.compile(
    r"\bget_entry_map\s*\(|\bentry_points\s*\(\s*\)(?!\s*(?:\.\s*(?:get|select)\s*\(|\[))"
    r"|\bentry_points\s*\(\s*\*"
)
TEXTS: Final = (".py", ".json", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".txt", ".xml")
SEPARATOR: Final = re.compile(r"[^A-Za-z0-9]+")
SAYS: Final = "says the entry points"
UNKNOWN: Final = "looks up entry points of an unknown group, among them"


class EntryPoints:
    """The entry points of one image."""

    def __init__(self, tree: Tree, modules: Modules) -> None:
        self._tree: Final = tree
        self._modules: Final = modules
        # Groups that the application or the run says.
        self._said: set[str] = set()
        # By package: the components of groups that it says, and who imports it.
        self._parts: dict[str, set[str]] = defaultdict(set)
        self._importers: dict[str, set[str]] = defaultdict(set)
        # Files that look up a group which is a value, and the groups they were given.
        self._given: dict[str, set[str]] = {}

    def looked_up(
        self, path: str, source: pysource.Source, text: str, *, application: bool
    ) -> Iterator[Lead]:
        """Yield what a source may load, and what others may now that it is read."""
        groups = {
            name
            for name in source.strings
            if name in self._groups and (application or name not in PROGRAMS)
        }
        for group in groups:
            yield from self._leads(group, f"looks up the entry points {group}, among them")
        changed = self._note("" if application else _package(path), source)
        library = any(f"/{name}/" in path for name in LIBRARIES)
        if source.entry_points and not groups and not library:
            every = application or not text or ALL.search(text) is not None
            own = "" if every else self._own(path)
            made = {one for one in self._groups if every or self._is_made(one, path, own)}
            self._given[path] = made - PROGRAMS
            for group in self._given[path]:
                yield from self._leads(group, UNKNOWN)
            changed = True
        if changed:
            yield from self._answer()

    def words(self, text: str) -> Iterator[Lead]:
        """Yield what is loaded when a text of the run or the application names a group."""
        named = {one for one in self._groups if one in text} - self._said
        if named:
            self._said |= named
            yield from self._answer()

    def _note(self, package: str, source: pysource.Source) -> bool:
        """Take the constants and imports of a source; return whether they say more."""
        words = {part for one in source.strings for part in SEPARATOR.split(one)}
        new = (words & self._components) - self._parts[package]
        self._parts[package] |= new
        imported = {one.module.partition(".")[0] for one in source.imports if not one.level}
        found = bool(new)
        for name in imported & self._modules.third_party:
            found = found or package not in self._importers[name]
            self._importers[name].add(package)
        return found

    def _answer(self) -> Iterator[Lead]:
        """Yield what those who ask may load by what is said by now."""
        for path, given in self._given.items():
            around = self._around(_package(path))
            parts = {*around, *(one for each in around for one in self._parts[each])}
            for group in self._groups.keys() - given - PROGRAMS:
                if group in self._said or parts.issuperset(SEPARATOR.split(group)):
                    given.add(group)
                    how = f"{SAYS} {group}, which {path} looks up, among them"
                    yield from self._leads(group, how)

    def _around(self, package: str) -> set[str]:
        """Return a package and all that import it, directly or not; "" the application."""
        found, left = {package, ""}, [package]
        while left:
            for one in self._importers[left.pop()] - found:
                found.add(one)
                left.append(one)
        return found

    def _is_made(self, group: str, path: str, own: str) -> bool:
        """Whether a package's own texts hold an end or a beginning of a group's name."""
        if _package(path) in SEPARATOR.split(group) or group in own:
            return True
        for found in SEPARATOR.finditer(group):
            start, end = re.escape(group[: found.end()]), re.escape(group[found.start() :])
            if re.search(rf"[\"']{start}[\"'%{{]|[\"'}}sr]{end}[\"']", own):
                return True
        return False

    def _own(self, path: str) -> str:
        """Return all texts of the package that a file belongs to, its data included."""
        found = re.match(r"(.*/(?:site|dist)-packages/[^/]+)/", path)
        files = [path] if found is None else self._tree.files_under(found[1])
        texts = (self._tree.read_text(one) for one in files if one.endswith(TEXTS))
        return "\n".join(one for one in texts if one)

    def _leads(self, group: str, how: str) -> Iterator[Lead]:
        for module in self._groups[group]:
            for target in self._modules.find(module):
                yield Lead(target, how, SOURCE)

    @cached_property
    def _components(self) -> frozenset[str]:
        return frozenset(part for one in self._groups for part in SEPARATOR.split(one))

    @cached_property
    def _groups(self) -> Mapping[str, list[str]]:
        """Groups of installed packages, with the modules they name."""
        groups: dict[str, list[str]] = defaultdict(list)
        for path in self._tree.files_named(FILE):
            group = ""
            for line in (self._tree.read_text(path) or "").splitlines():
                written = line.strip()
                if written.startswith("["):
                    group = written.strip("[]").strip()
                elif "=" in written and not written.startswith("#"):
                    module = written.partition("=")[2].partition(":")[0]
                    groups[group].append(module.partition("[")[0].strip())
        return groups


def _package(path: str) -> str:
    """Return the name of the installed package that a file belongs to."""
    return path.rpartition("-packages/")[2].partition("/")[0].removesuffix(".py")
