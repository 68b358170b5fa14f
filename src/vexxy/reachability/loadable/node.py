"""What JavaScript code run by Node.js can still load or run."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.commands import Commands
from vexxy.reachability.loadable.node_modules import (
    CODE_SUFFIXES,
    DECLARATIONS,
    SOURCE_SUFFIXES,
    NodeModules,
)
from vexxy.reachability.loadable.npm import EVALUATES, Npm
from vexxy.reachability.loadable.served import Served
from vexxy.reachability.loadable.tree import Lead, Tree
from vexxy.reachability.wire import jssource, tokens

SOURCE: Final = "import_graph"
NAME: Final = re.compile(r"@?[\w.-]+(?:/[\w.-]+)*")
OTHER_SUFFIXES: Final = (
    ".json", ".node", ".wasm", ".so", ".py", ".pyc", ".sh", ".html", ".css", ".map",
)  # fmt: skip
SHEBANG: Final = re.compile(rb"#![^\n]*\b(node|nodejs|tsx|ts-node|bun|deno|zx|jiti)\b")
LOOKS: Final = re.compile(
    rb"\brequire\s*[.(]|\bimport\s*[\"'({*\w]|\bexport\s|\bmodule\.exports\b|=>"
)
SERVES: Final = re.compile(
    r"\b(?:static|serve|sirv|sendFile|http-server|ecstatic|createReadStream)|\bsend\s*\(\s*req"
    r"|['\"](?:[\w@-]*/)?(?:static|[\w-]*serve|[\w-]*static|send)['\"]",
    re.IGNORECASE,
)
# They start applications and are none, wherever they are installed.
TOOLS: Final = frozenset(
    {
        "npm",
        "npx",
        "pnpm",
        "yarn",
        "corepack",
        "nodemon",
        "tsx",
        "ts-node",
        "forever",
        "pm2",
    }
)
VIEW_PACKAGES: Final = re.compile(
    r"express|koa-views|@ladjs/koa-views|consolidate|@fastify/view|point-of-view|vision"
)
# The application lets a value decide what is rendered, and with which engine.
VIEWS: Final = re.compile(
    r"\.(?:render\w*|engine)\s*\(\s*(?![\"'])[\w$`{(]|view engine[\"']\s*,(?!\s*[\"'])"
)
# The same for packages that load drivers, plugins and the like for it.
CHOICES: Final = re.compile(
    r"\b(?:load\w*|render\w*|plugins?|driver|adapter|transport|backend|dialect|engine"
    r"|format\w*|parser|codec|store|provider)\s*(?:\(|:)\s*"
    r"(?![\"'\[)]|function\b|async\b)[\w$`{(]"
)


class Node:
    """Follows the JavaScript of one image."""

    def __init__(self, tree: Tree, commands: Commands) -> None:
        self.npm: Final = Npm(tree, commands)
        # Whatever their suffix, node reads these as scripts.
        self.scripts: set[str] = set()
        self._tree: Final = tree
        self._commands: Final = commands
        self._modules: Final = NodeModules(tree)
        self._application_names: set[str] = set()
        self._dynamic: dict[str, str] = {}
        # Packages that load by a value alone, and who lets a value decide which.
        self._bare: dict[str, str] = {}
        self._opened: set[str] = set()
        self._choosing: dict[str, str] = {}
        # Packages that start programs, those the application requires, and its texts
        # until it is known that something starts programs for it.
        self._running: set[str] = set()
        self._helpers: set[str] = set()
        self._texts: dict[str, str] = {}
        self._starts_programs = False
        self._own: set[str] = set()
        self._strings: dict[str, set[str]] = defaultdict(set)
        self._served: Final = Served(tree)
        self.resolve: Final = self._modules.resolve
        self.package_of: Final = self._modules.package_of

    def note_programs(self, paths: Iterable[str]) -> None:
        """Take packages whose scripts were started for applications (`npm install -g`)."""
        for path in paths:
            package = self.package_of(self._tree.resolve(path) or path)
            if package is not None and package.rpartition("/")[2] not in TOOLS:
                self._own.add(package)

    def _foreign(self, path: str) -> str | None:
        package = self.package_of(path)
        return None if package in self._own else package

    def is_source(self, path: str, content: bytes) -> bool:
        """Return whether node would read the file as a script."""
        if path.endswith(DECLARATIONS):
            return False
        named = path.endswith(SOURCE_SUFFIXES) or SHEBANG.match(content) is not None
        return named or (path in self.scripts and not path.endswith(OTHER_SUFFIXES))

    def source(self, path: str, text: str) -> Iterator[Lead]:
        """Yield what the file at `path` can load."""
        parsed = jssource.read(text)
        package = self._foreign(path)
        literals = set(tokens.literals(text))
        for request in parsed.requests:
            found = self.resolve(request, path)
            if not found and package is None and not request.startswith((".", "/")):
                found = tuple(self._modules.aliased(request, self._root_of(path)))
            yield from self._leads(found, "requires")
        yield from self._commands.program(
            text, runs=parsed.runs, indirect=True, application=package is None
        )
        if parsed.runs and package is None:
            yield from self._commands.by_value(text)
        yield from self._files(path, package, literals)
        named = self._named(literals, split=package is None)
        if package is None:
            yield from self._application(path, named)
            yield from self._by_application(path, text, parsed)
        else:
            yield from self._third_party(path, package, named)
            yield from self._by_package(path, package, parsed)
        if parsed.dynamic:
            yield from self._by_value(path, package, parsed.bases)

    def started(self, text: str) -> Iterator[Lead]:
        """Yield what a text of any kind has npm, its like or node start."""
        yield from self.npm.scripts(text)
        if self._modules.names and EVALUATES.search(text) is not None:
            for name in self._named([text], split=True):
                yield from self._leads(self._modules.outermost(name), "has node load")
        working = self._tree.surroundings.working_directory
        for written in self.npm.files(text):
            places = (working, *self.npm.directories)
            absolute = [f"{place}/{written}" for place in dict.fromkeys(places)]
            for path in [written] if written.startswith("/") else absolute:
                found = self._modules.file_or_directory(path.replace("/./", "/"))
                yield from self._leads(found, "names the script")

    def words(self, text: str) -> Iterator[Lead]:
        """Yield packages that an argument, a variable or a configuration names."""
        yield from self._application("", self._named([text], split=True))

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

    def _by_application(
        self, path: str, text: str, parsed: jssource.Source
    ) -> Iterator[Lead]:
        """What values decide in the application: code, scripts, packages, programs."""
        yield from self._served.leads(path, self._servable(text))
        if jssource.evaluates(text):
            how = "makes code of text known only at run time, which may load"
            yield from self._anything(path, how)
        if jssource.starts_scripts(text) or (parsed.dynamic and parsed.bare):
            how = "starts or requires a script known only at run time, perhaps"
            yield from self._leads(self._modules.own_code(self._root_of(path)), how)
        required = self._required(path, parsed.requests)
        if VIEWS.search(text) is not None:
            self._choosing.setdefault("", path)
        if CHOICES.search(text) is not None:
            self._choosing |= dict.fromkeys(required, path)
        for package in list(self._bare):
            yield from self._chosen(package)
        self._texts[path] = text
        self._helpers |= required
        if parsed.runs:
            self._starts_programs = True
            yield from self._own_scripts(path, text)
        yield from self._starting(path)

    def _by_package(
        self, path: str, package: str, parsed: jssource.Source
    ) -> Iterator[Lead]:
        """What a package does with values and commands that the application gives it."""
        if parsed.bare and package not in self._opened:
            self._bare.setdefault(package, path)
            yield from self._chosen(package)
        if parsed.runs:
            self._running.add(package)
            yield from self._starting(path)

    def _chosen(self, package: str) -> Iterator[Lead]:
        """Any package, where the application lets a value decide what this one loads."""
        chooser = self._choosing.get(package)
        if VIEW_PACKAGES.fullmatch(package.rpartition("/node_modules/")[2]):
            chooser = chooser or self._choosing.get("")
        if chooser is not None:
            self._opened.add(package)
            how = f"requires by a name that {chooser} may take from anywhere, perhaps"
            yield from self._anything(self._bare.pop(package), how)

    def _starting(self, path: str) -> Iterator[Lead]:
        """Commands in the application that another file, or a package, starts for it."""
        if not self._starts_programs and self._running.isdisjoint(self._helpers):
            return
        self._starts_programs = True
        texts, self._texts = self._texts, {}
        for origin, text in texts.items():
            for lead in self._commands.program(text, runs=True, indirect=True):
                how = lead.how if origin == path else f"starts what {origin} names:"
                yield Lead(lead.target, how, lead.source)

    def _own_scripts(self, path: str, text: str) -> Iterator[Lead]:
        """Scripts of its own that a file with commands names without a suffix."""
        places = {path.rpartition("/")[0], self._root_of(path)}
        for literal in set(tokens.literals(text)):
            if NAME.fullmatch(literal) is None:
                continue
            for place in places:
                if not self._tree.is_directory(f"{place}/{literal}"):
                    found = self._modules.file_or_directory(f"{place}/{literal}")
                    yield from self._leads(found, "names the script")

    def _servable(self, text: str) -> Iterator[str]:
        """Yield literals that may be a directory that is served to browsers.

        All packages are only where the file speaks of serving: many name their directory
        to read something in it.
        """
        serves = SERVES.search(text) is not None
        for literal in set(tokens.literals(text)):
            if serves or "node_modules" not in literal:
                yield literal.strip("/")

    def _required(self, path: str, requests: Iterable[str]) -> set[str]:
        """Return the directories of the packages that constant requests lead to."""
        targets = (one for request in requests for one in self.resolve(request, path))
        return {one for one in map(self.package_of, targets) if one is not None}

    def _root_of(self, path: str) -> str:
        """Return the directory of the application that a file is part of."""
        directory = path.rpartition("/")[0]
        around = (
            one for one in self.npm.directories if f"{directory}/".startswith(f"{one}/")
        )
        package = self.package_of(path)
        return package or min((one for one in around if one), key=len, default=directory)

    def _anything(self, path: str, how: str, bases: Iterable[str] = ()) -> Iterator[Lead]:
        """Any installed package: the value may come from outside the image."""
        for name in self._modules.names:
            for origin in (path, *bases):
                yield from self._leads(self.resolve(name, origin), how)

    def _by_value(
        self, path: str, package: str | None, bases: Iterable[str]
    ) -> Iterator[Lead]:
        """Follow a `require` of a value: the package's own files, and names it may get."""
        how = "requires by a name known only at run time, perhaps"
        if package is None:
            yield from self._leads(self._modules.own_code(self._root_of(path)), how)
            yield from self._anything(path, how, bases)
            # Any file inside them, too: `require("lib/" + kind)`, or a path from outside.
            raise Unparsable("requires modules by a name known only at run time")
        if package in self._dynamic:
            return
        self._dynamic[package] = path
        yield from self._leads(self._modules.own_code(package), how)
        names = self._strings[package] | self._application_names
        optional = self._modules.optional(package)
        yield from self._load_names(package, path, names | optional)

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
                found |= parts & self._modules.names
        return found

    def _leads(self, paths: Iterable[str], how: str) -> Iterator[Lead]:
        for path in paths:
            self.scripts.add(path)
            yield Lead(path, how, SOURCE)
