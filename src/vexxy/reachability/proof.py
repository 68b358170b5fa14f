"""What this image and this run say about each vulnerable symbol.

A symbol is only called absent or not loaded where that can be shown; every doubt makes
it unknown, and then the verdict rests on the package as a whole.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from vexxy.advisories.types import Match, Symbol
from vexxy.reachability.calling import Calling
from vexxy.reachability.definitions import Definitions
from vexxy.reachability.errors import Unparsable
from vexxy.reachability.loadable.modules import source_of
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.ownership import Owned
from vexxy.reachability.rules import chains, sentences, symbols
from vexxy.reachability.rules.facts import SymbolFact, SymbolState
from vexxy.reachability.rules.observation import CODE_ACCESSES
from vexxy.reachability.types import Loadable
from vexxy.reachability.wire import gopclntab
from vexxy.tracer.types import ExecutionProfile, FileAccess, FunctionCall

# Files that hold machine code: extension modules, libraries beside them, programs.
NATIVE: Final = re.compile(r".*\.(?:so(?:\.[\d.]+)?|pyd|dylib|dll|a|o|wasm)|.*/bin/[^/]+")
# Directories that many packages put their files into.
SHARED_DIRECTORIES: Final = ("-packages", "/bin", "/node_modules", "/lib", "/share")


class Proofs:
    """Looks vulnerable symbols up in one root and one run."""

    def __init__(
        self,
        tree: Tree,
        profile: ExecutionProfile,
        loadable: Loadable,
        *,
        calling: Calling | None = None,
    ) -> None:
        self._calling: Final = calling or Calling(tree, profile, loadable)
        self._tree: Final = tree
        self._loadable: Final = loadable
        self._definitions: Final = Definitions(tree)
        self._functions: dict[str, frozenset[str] | Unparsable] = {}
        self._calls: dict[str, list[FunctionCall]] = {}
        for call in profile.functions:
            self._calls.setdefault(call.path, []).append(call)

    def look_up(self, match: Match, owned: Owned) -> tuple[SymbolFact, ...]:
        """Return one fact for each symbol that the advisory names."""
        return tuple(self._fact(symbol, match, owned) for symbol in match.symbols)

    def _fact(self, symbol: Symbol, match: Match, owned: Owned) -> SymbolFact:
        package = match.package
        if package.type == "golang" and package.embedded_in is not None:
            return self._go(symbol, match, owned)
        if package.type == "pypi":
            return self._python(symbol, owned)
        if package.type == "npm":
            files = symbols.script_files(symbol, package, owned.files)
            if not files:
                gone = symbols.is_shipped(symbol, package, owned.files)
                return self._missing(symbol, owned, gone=gone)
            return self._in_files(symbol, files, owned)
        call = self._call(symbol, owned.files)
        if call is not None:
            return _called(symbol, call)
        return SymbolFact(symbol, SymbolState.UNKNOWN, "which file holds it is not known")

    def _python(self, symbol: Symbol, owned: Owned) -> SymbolFact:
        if symbol.module.endswith(symbols.COMPILED_SOURCES):
            return self._compiled(symbol, owned)
        parts = symbols.python_module(symbol)
        files = symbols.python_files(parts, owned.files)
        files = files or list(self._python_attribute(symbol, owned))
        if files:
            gone = self._undefined(symbol, files, owned)
            return gone or self._in_files(symbol, files, owned)
        return self._missing(symbol, owned, gone=self._python_gone(symbol, owned))

    def _compiled(self, symbol: Symbol, owned: Owned) -> SymbolFact:
        """Look up code that became machine code, in whichever file of the package.

        It runs only where one of them is loaded; which one holds it is not asked.
        """
        call = self._call(symbol, owned.files)
        if call is not None:
            return _called(symbol, call)
        beside = self._surrounded(owned.files)
        native = [one for one in beside if NATIVE.fullmatch(one)]
        unlisted = not set(native) <= owned.files
        if not native or unlisted or self._loaded(native, owned) is not None:
            detail = "which file holds it is not known"
            return SymbolFact(symbol, SymbolState.UNKNOWN, detail)
        found, _ = chains.chains(self._loadable, native, limit=1)
        if found:
            return SymbolFact(symbol, SymbolState.LOADABLE, sentences.chain(found[0]))
        for one in self._loadable.unfollowed:
            if any(chains.covers(one, path) for path in native):
                return SymbolFact(symbol, SymbolState.LOADABLE, one.reason)
        detail = f"none of the {len(native)} compiled files of the package was loaded"
        return SymbolFact(symbol, SymbolState.NOT_LOADED, detail)

    def _undefined(
        self, symbol: Symbol, files: Sequence[str], owned: Owned
    ) -> SymbolFact | None:
        """Say that the module is there without the function, where that is certain.

        Only of names that are those of every version the record calls affected; a name
        that was taken from a fix may be younger than the code it has now.
        """
        sources = [self._source(path) for path in files]
        known = symbol.name and symbol.confidence >= symbols.REVIEWED
        if self._call(symbol, owned.files) is not None:
            return None
        if not known or not all(one.endswith(".py") for one in sources):
            return None
        paths = self._surrounded(owned.files)
        if self._definitions.undefined(symbol, sources, paths):
            return None
        detail = f"{sources[0]} does not define it, and no file of the package has its name"
        return SymbolFact(symbol, SymbolState.ABSENT, detail)

    def _go(self, symbol: Symbol, match: Match, owned: Owned) -> SymbolFact:
        call = self._call(symbol, owned.files)
        if call is not None:
            return _called(symbol, call)
        binary = next(iter(owned.files), None)
        if binary is None or not symbols.is_in_module(symbol, match.package):
            return SymbolFact(
                symbol, SymbolState.UNKNOWN, "its import path is not of this module"
            )
        names = self._function_table(binary)
        if isinstance(names, Unparsable):
            return SymbolFact(symbol, SymbolState.UNKNOWN, f"{binary}: {names.message}")
        if gopclntab.is_linked(names, symbol.module, symbol.name):
            return self._linked(symbol, binary, owned)
        if not _is_telling(symbol, match, names):
            doubt = f"whether the names in {binary} are those of its source is not known"
            return SymbolFact(symbol, SymbolState.UNKNOWN, doubt)
        detail = f"the function table of {binary} ({len(names)} names) does not have it"
        return SymbolFact(symbol, SymbolState.ABSENT, detail, unlinked=True)

    def _linked(self, symbol: Symbol, binary: str, owned: Owned) -> SymbolFact:
        where = f"it is linked into {binary}"
        if not any(one.access in CODE_ACCESSES for one in owned.accesses):
            return SymbolFact(symbol, SymbolState.NOT_LOADED, where)
        name = f"{symbol.module}.{symbol.name}"
        if not symbol.name or self._calling.silence(binary, name):
            return SymbolFact(symbol, SymbolState.LOADED, where)
        reached = self._calling.reach([binary], name)
        return SymbolFact(symbol, SymbolState.NOT_CALLED, where, reached)

    def _function_table(self, binary: str) -> frozenset[str] | Unparsable:
        if binary not in self._functions:
            content = self._tree.read(binary)
            try:
                self._functions[binary] = gopclntab.functions(content or b"")
            except Unparsable as error:
                self._functions[binary] = error
        return self._functions[binary]

    def _in_files(self, symbol: Symbol, files: Sequence[str], owned: Owned) -> SymbolFact:
        """The symbol's module is there: was it called, is it loaded, could it be?"""
        call = self._call(symbol, files)
        if call is not None:
            return _called(symbol, call)
        loaded = self._loaded(files, owned)
        if loaded is not None:
            where = sentences.access(loaded)
            return self._uncalled(symbol, files, where) or SymbolFact(
                symbol, SymbolState.LOADED, where
            )
        found, _ = chains.chains(self._loadable, files, limit=1)
        if found:
            where = sentences.chain(found[0])
            asked = self._uncalled(symbol, files, where)
            reached = None if asked is None else asked.reached
            return SymbolFact(symbol, SymbolState.LOADABLE, where, reached)
        for one in self._loadable.unfollowed:
            if any(chains.covers(one, path) for path in files):
                return SymbolFact(symbol, SymbolState.LOADABLE, one.reason)
        ran = (one.path for one in owned.accesses if one.access in CODE_ACCESSES)
        copy = self._definitions.copied(symbol, [self._source(path) for path in ran])
        doubt = copy or self._definitions.borrowed(symbol, files)
        if doubt is not None:
            detail = f"its own file is not loaded, but {doubt}"
            return SymbolFact(symbol, SymbolState.UNKNOWN, detail)
        return SymbolFact(symbol, SymbolState.NOT_LOADED, f"{files[0]} was never loaded")

    def _uncalled(
        self, symbol: Symbol, files: Sequence[str], where: str
    ) -> SymbolFact | None:
        """Say whether a function that was not called could be; None if calls were missed.

        Nothing is asked of a symbol that is a whole module: loading it is its use.
        """
        sources = [self._source(path) for path in files]
        if not symbol.name or any(
            self._calling.silence(path, symbol.name) for path in sources
        ):
            return None
        reached = self._calling.reach(sources, symbol.name)
        return SymbolFact(symbol, SymbolState.NOT_CALLED, where, reached)

    def _missing(self, symbol: Symbol, owned: Owned, *, gone: bool) -> SymbolFact:
        """No file of the package is the symbol's module: is the code provably absent?"""
        call = self._call(symbol, owned.files)
        if call is not None:
            return _called(symbol, call)
        if not gone:
            detail = "which file holds it is not known"
            return SymbolFact(symbol, SymbolState.UNKNOWN, detail)
        doubt = self._definitions.hidden(symbol, self._surrounded(owned.files))
        if doubt is not None:
            detail = f"its module is not there, but {doubt}"
            return SymbolFact(symbol, SymbolState.UNKNOWN, detail)
        detail = f"no file of the package is the module {symbol.module}"
        return SymbolFact(symbol, SymbolState.ABSENT, detail)

    def _surrounded(self, files: Iterable[str]) -> frozenset[str]:
        """Add what lies beside a package's files: what a build made is on no list."""
        found = set(files)
        for directory in {path.rpartition("/")[0] for path in files}:
            shared = directory.endswith(SHARED_DIRECTORIES)
            found |= set() if shared else set(self._tree.files_in(directory))
        return frozenset(found)

    def _source(self, path: str) -> str:
        """Return the source of a cached compiled file, if it is there."""
        source = source_of(path)
        return source if source in self._tree.entries else path

    def _python_attribute(self, symbol: Symbol, owned: Owned) -> tuple[str, ...]:
        """Return the module that has the last components of the path as attributes."""
        parts = symbols.python_module(symbol)
        for end in range(len(parts) - 1, 0, -1):
            files = symbols.python_files(parts[:end], owned.files)
            if files:
                single = [one for one in files if "/__init__." not in one]
                return tuple(single)
        return ()

    def _python_gone(self, symbol: Symbol, owned: Owned) -> bool:
        """Whether a parent package is there and does not mention the missing module."""
        parts = symbols.python_module(symbol)
        for end in range(len(parts) - 1, 0, -1):
            files = symbols.python_files(parts[:end], owned.files)
            if files:
                return not any(
                    self._contains(path, rf"\b{re.escape(parts[end])}\b") for path in files
                )
        return False

    def _loaded(self, files: Sequence[str], owned: Owned) -> FileAccess | None:
        """Return the access that loaded one of the files, None if none did."""
        for access in owned.accesses:
            if access.access in CODE_ACCESSES:
                name = source_of(access.path)
                names = {access.path, name, *self._tree.aliases(name)}
                if not names.isdisjoint(files):
                    return access
        return None

    def _call(self, symbol: Symbol, files: Iterable[str]) -> FunctionCall | None:
        for path in files:
            for call in self._calls.get(path, ()):
                if symbols.is_call_of(call, symbol):
                    return call
        return None

    def _contains(self, path: str, pattern: str) -> bool:
        """Whether a file has the pattern; a file that cannot be read may have it."""
        content = self._tree.read(path)
        if content is None:
            return True
        return re.search(pattern.encode(), content, re.MULTILINE) is not None


def _is_telling(symbol: Symbol, match: Match, names: frozenset[str]) -> bool:
    """Whether a name that is missing from a Go function table is missing in the code.

    A whole package may be the program itself, whose functions are called `main.X`; and
    an obfuscator renames everything outside the standard library.
    """
    program = symbol.module == match.package.name or "/cmd/" in f"{symbol.module}/"
    if program and not symbol.name:
        return False
    standard = match.package.name in symbols.STANDARD_LIBRARY
    return standard or gopclntab.are_paths_kept(names)


def _called(symbol: Symbol, call: FunctionCall) -> SymbolFact:
    return SymbolFact(symbol, SymbolState.CALLED, sentences.call(call))
