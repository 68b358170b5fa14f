"""What JavaScript code run by Node.js can still load or run.

Source of the resolution: Node.js documentation, "Modules: CommonJS modules" (the
pseudocode of require) and "Modules: Packages". Conditions are not evaluated: every
target of an export counts.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.loadable.commands import Commands
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import jssource, tokens

SOURCE: Final = "import_graph"
SUFFIXES: Final = (".js", ".cjs", ".mjs", ".json", ".node")
CODE_SUFFIXES: Final = (".js", ".cjs", ".mjs", ".node")
MAIN_FIELDS: Final = ("main", "module", "browser")
OPTIONAL_FIELDS: Final = ("peerDependencies", "optionalDependencies")
GLOBAL_DIRECTORIES: Final = (
    "/usr/share/nodejs",
    "/usr/lib/nodejs",
    "/usr/lib/node_modules",
    "/usr/local/lib/node_modules",
)
PACKAGE: Final = re.compile(
    r"(.*/node_modules|/usr/(?:share|lib)/nodejs)/((?:@[^/]+/)?[^/]+)"
)
SPECIFIER: Final = re.compile(r"((?:@[^/]+/)?[^/]+)(?:/(.*))?")
NAME: Final = re.compile(r"@?[\w.-]+(?:/[\w.-]+)*")
SHEBANG: Final = re.compile(rb"#![^\n]*\b(node|nodejs)\b")


class Node:
    """Follows the JavaScript of one image."""

    def __init__(self, tree: Tree, commands: Commands) -> None:
        self._tree: Final = tree
        self._commands: Final = commands
        self._names: frozenset[str] | None = None
        self._manifests: dict[str, dict[str, object]] = {}
        self._application_names: set[str] = set()
        self._dynamic: dict[str, str] = {}
        self._strings: dict[str, set[str]] = defaultdict(set)

    def source(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what the file at `path` can load."""
        parsed = jssource.read(text)
        for request in parsed.requests:
            yield from self._leads(self.resolve(request, path), "requires")
        literals = set(tokens.literals(text))
        package = self.package_of(path)
        yield from self._commands.program(
            text, runs=parsed.runs, indirect=True, application=package is None
        )
        yield from self._files(path, package, literals)
        named = self._named(literals, split=package is None)
        if package is None:
            yield from self._application(path, named)
        else:
            yield from self._third_party(path, package, named)
        if parsed.dynamic:
            yield from self._by_value(path, package)

    def words(self, text: str) -> Iterator[Lead]:
        """Yield packages that an argument, a variable or a configuration names."""
        yield from self._application("", self._named([text], split=True))

    def resolve(self, request: str, path: str) -> tuple[str, ...]:
        """Return every file that requiring `request` from the file at `path` can load."""
        request = request.partition("?")[0].removeprefix("node:")
        directory = path.rpartition("/")[0]
        if request.startswith(("./", "../", "/")) or request in {".", ".."}:
            absolute = request if request.startswith("/") else f"{directory}/{request}"
            return self._file_or_directory(absolute)
        if request.startswith("#"):
            return self._internal(path)
        found = SPECIFIER.fullmatch(request)
        if found is None:
            return ()
        for parent in self._climb(directory):
            package = self._tree.resolve(f"{parent}/{found[1]}")
            if package is not None and self._tree.is_directory(package):
                return self._in_package(package, found[2] or "")
            single = self._file_or_directory(f"{parent}/{request}")
            if single:
                return single
        return ()

    def package_of(self, path: str) -> str | None:
        """Return the directory of the installed package a file is in, None for others."""
        found = PACKAGE.match(path)
        return None if found is None else f"{found[1]}/{found[2]}"

    def _application(self, path: str, named: set[str]) -> Iterator[Lead]:
        """Names in the application: resolved here, and for packages that load by value."""
        for name in named:
            found = self.resolve(name, path or "/")
            yield from self._leads(found, f"names the package {name},")
        new = named - self._application_names
        self._application_names |= new
        for package, origin in list(self._dynamic.items()):
            yield from self._load_names(package, origin, new)

    def _third_party(self, path: str, package: str, named: set[str]) -> Iterator[Lead]:
        new = named - self._strings[package]
        self._strings[package] |= new
        if package in self._dynamic:
            yield from self._load_names(package, path, new)

    def _files(
        self, path: str, package: str | None, literals: Iterable[str]
    ) -> Iterator[Lead]:
        """Scripts named by a literal: workers, child processes, computed paths."""
        directory = package or path.rpartition("/")[0]
        for literal in literals:
            if literal.startswith(("./", "../")):
                yield from self._leads(self.resolve(literal, path), "names the file")
            elif literal.endswith(CODE_SUFFIXES):
                name = literal.rpartition("/")[2]
                for target in self._tree.files_named(name):
                    inner = target.removeprefix(directory)
                    if inner != target and "/node_modules/" not in inner:
                        yield Lead(target, "names the file", SOURCE)

    def _by_value(self, path: str, package: str | None) -> Iterator[Lead]:
        """Follow a `require` of a value: the package's own files, and names it may get."""
        how = "requires by a name known only at run time, perhaps"
        if package is None:
            yield from self._leads(self._own_code(path.rpartition("/")[0]), how)
            # The value may come from outside the image: any installed package fits.
            for name in self.names:
                yield from self._leads(self.resolve(name, path), how)
            return
        if package in self._dynamic:
            return
        self._dynamic[package] = path
        yield from self._leads(self._own_code(package), how)
        names = self._strings[package] | self._application_names
        yield from self._load_names(package, path, names | self._optional(package))

    def _load_names(
        self, package: str, origin: str, names: Iterable[str]
    ) -> Iterator[Lead]:
        how = "requires by a name known only at run time; among the names is"
        for name in names:
            found = self.resolve(name, origin) or self.resolve(name, f"{package}/index.js")
            yield from self._leads(found, how)

    def _named(self, literals: Iterable[str], *, split: bool) -> set[str]:
        """Return the installed packages that literals name, whole or as a word."""
        found = set()
        for literal in literals:
            candidates = NAME.findall(literal) if split else [literal]
            for candidate in candidates:
                parts = {candidate, *re.split(r"[./]", candidate)} if split else {candidate}
                found |= parts & self.names
        return found

    @property
    def names(self) -> frozenset[str]:
        """The names of all packages installed in any `node_modules`."""
        if self._names is None:
            found = (PACKAGE.match(one) for one in self._tree.directories)
            self._names = frozenset(match[2] for match in found if match is not None)
        return self._names

    def _own_code(self, directory: str) -> Iterator[str]:
        for path in self._tree.files_under(directory):
            inner = path[len(directory) :]
            if path.endswith(CODE_SUFFIXES) and "/node_modules/" not in inner:
                yield path

    def _climb(self, directory: str) -> Iterator[str]:
        current = directory
        while True:
            if not current.endswith("/node_modules"):
                yield f"{current}/node_modules"
            if not current:
                break
            current = current.rpartition("/")[0]
        written = self._tree.surroundings.environment.get("NODE_PATH", "")
        yield from (one for one in written.split(":") if one)
        yield from GLOBAL_DIRECTORIES

    def _file_or_directory(self, path: str) -> tuple[str, ...]:
        parent, _, name = path.rpartition("/")
        holder = self._tree.resolve(parent or "/")
        if holder is not None and name not in {"", ".", ".."}:
            for suffix in ("", *SUFFIXES):
                candidate = f"{holder.rstrip('/')}/{name}{suffix}"
                if candidate in self._tree.entries:
                    return (candidate,)
        linked = self._tree.find_file(path)
        if linked is not None:
            return (linked,)
        directory = self._tree.resolve(path)
        if directory is None or not self._tree.is_directory(directory):
            return ()
        return self._in_package(directory, "")

    def _in_package(self, package: str, inner: str) -> tuple[str, ...]:
        """Return the targets of a package, or of one path inside it."""
        manifest = self._manifest(package)
        found = [self._exported(package, one) for one in _leaves(manifest.get("exports"))]
        exported = [one for group in found for one in group]
        if inner:
            direct = self._file_or_directory(f"{package}/{inner}") if inner != "." else ()
            return (*direct, *exported) if direct else tuple(exported)
        mains = [manifest.get(field) for field in MAIN_FIELDS]
        targets = [one for one in mains if isinstance(one, str)] or ["index"]
        result = list(exported)
        for target in [*targets, "index"]:
            if target.strip("./"):
                result += self._file_or_directory(f"{package}/{target}")
        return tuple(dict.fromkeys(result))

    def _exported(self, package: str, target: str) -> Iterator[str]:
        if "*" in target:
            pattern = re.escape(f"{package}/{target.removeprefix('./')}").replace(
                r"\*", ".*"
            )
            expression = re.compile(pattern)
            for path in self._own_code(package):
                if expression.fullmatch(path):
                    yield path
            return
        canonical = self._tree.find_file(f"{package}/{target}")
        if canonical is not None:
            yield canonical

    def _internal(self, path: str) -> tuple[str, ...]:
        package = self.package_of(path) or path.rpartition("/")[0]
        targets = _leaves(self._manifest(package).get("imports"))
        return tuple(one for target in targets for one in self._exported(package, target))

    def _optional(self, package: str) -> set[str]:
        manifest = self._manifest(package)
        found: set[str] = set()
        for field in OPTIONAL_FIELDS:
            value = manifest.get(field)
            if isinstance(value, dict):
                found |= {str(name) for name in value}
        return found

    def _manifest(self, package: str) -> dict[str, object]:
        if package not in self._manifests:
            text = self._tree.read_text(f"{package}/package.json")
            try:
                parsed = json.loads(text) if text else {}
            except ValueError:
                parsed = {}
            self._manifests[package] = parsed if isinstance(parsed, dict) else {}
        return self._manifests[package]

    def _leads(self, paths: Iterable[str], how: str) -> Iterator[Lead]:
        return (Lead(path, how, SOURCE) for path in paths)


def _leaves(value: object) -> Iterator[str]:
    """Yield every string in a nested `exports` or `imports`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
