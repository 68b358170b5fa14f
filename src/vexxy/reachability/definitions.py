"""Which file of a package may hold a vulnerable function, or hide that it does.

Code moves between files, is handed on under another name, compiled, bundled and packed.
Every answer here is a doubt: none found is the only thing that a proof may rest on.
"""

import re
from collections.abc import Iterable
from typing import Final

from vexxy.advisories.types import Symbol
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules import symbols
from vexxy.reachability.rules.packages import DESCRIPTIVE

SCRIPTS: Final = (*symbols.SCRIPT_SUFFIXES, *symbols.TYPED_SUFFIXES)
# Packed or encrypted: a name inside is not to be seen from outside.
PACKED: Final = (
    ".zip", ".egg", ".whl", ".pyz", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".br", ".asar",
    ".jsc", ".tar", ".jar", ".pye",
)  # fmt: skip
PROSE: Final = (".md", ".rst", ".txt", ".css", ".png", ".svg", ".woff", ".woff2")

BUILT_DIRECTORIES: Final = re.compile(r"/(dist|build|_?bundles?|umd|out|output|prebuilt)/")
BUILT_NAMES: Final = re.compile(
    r"[./-](min|bundle|bundled|pack|packed|prod|production|umd|iife|global|chunk)[./-]"
)
# What bundlers and obfuscators leave behind, in pretty-printed files too.
BUILT_MARKS: Final = re.compile(
    rb"webpack|parcelRequire|__commonJS|__toESM|__esm\b|System\.register|installedModules"
    rb"|browserify|requirejs|goog\.provide|[Cc]reated by rollup|\b_0x[0-9a-f]{4,}"
    rb"|\beval\([\"'`]"
)
LINE_BYTES_MEAN_MAX: Final = 300
LINE_BYTES_MAX: Final = 5000
DECLARED: Final = re.compile(rb"\b(?:function|var|let|const|class)\s+([\w$]+)")
SHORT_BYTES: Final = 2
DECLARED_MIN: Final = 12
SHORT_SHARE_MAX: Final = 0.5
# Python that unpacks its real code at run time.
UNPACKS: Final = re.compile(rb"b64decode|b85decode|marshal|decompress|fromhex|__pyarmor__")
EXECUTES: Final = re.compile(rb"\bexec\b|\beval\b|__pyarmor__")


class Definitions:
    """Looks names up in the files of one root."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self._bundles: Final[dict[str, bool]] = {}

    def hidden(self, symbol: Symbol, paths: Iterable[str]) -> str | None:
        """Return why the symbol may be in one of these files all the same.

        Every file that is no prose is searched, whatever its kind: a source for the name
        as a word, all others for its bytes. Files whose names are not those of the source
        any more are a doubt by themselves.
        """
        wanted = symbols.wanted_names(symbol)
        if not wanted:
            return "the record names nothing that could be looked for"
        for path in sorted(paths):
            if DESCRIPTIVE.fullmatch(path) or path.endswith(PROSE):
                continue
            if not symbol.name and symbols.stem(path) in wanted:
                return f"{path} has the same name as its module"
            doubt = self._doubt(path, wanted)
            if doubt is not None:
                return doubt
        return None

    def copied(self, symbol: Symbol, loaded: Iterable[str]) -> str | None:
        """Return why one of these loaded files may hold the symbol too.

        A module that is not loaded says nothing when its function is in a file that is.
        """
        first = re.escape(re.split(r"[.#:]", symbol.name)[0])
        short = symbols.short_name(symbol)
        for path in loaded:
            content = self._tree.read(path)
            if content is None:
                return f"{path} could not be searched"
            if path.endswith(SCRIPTS) and self._is_bundle(path, content):
                return f"{path} is a bundle, which may hold it under another name"
            if path.endswith(".py"):
                pattern = rf"(?:\b(?:def|class)\s+{first}\b|^\s*{first}\s*=)"
            elif path.endswith(SCRIPTS):
                pattern = _word(short)
            elif path.endswith(".json"):
                continue
            else:
                pattern = re.escape(short)
            if short and re.search(pattern.encode(), content, re.MULTILINE):
                return f"{path} has the same name in it"
        return None

    def borrowed(self, symbol: Symbol, files: Iterable[str]) -> str | None:
        """Return why the symbol's own files may only hand on what others define."""
        parts = [one for one in re.split(r"[.#:]", symbol.name) if one]
        for path in files:
            content = self._tree.read(path)
            if content is None:
                return f"{path} could not be searched"
            text = content.decode("utf-8", "replace")
            if path.endswith(".py"):
                own = symbols.is_defined_in_python(parts, text)
            elif path.endswith(SCRIPTS):
                own = symbols.is_defined_in_script(parts, text)
            else:
                own = path.endswith((".so", ".pyd", ".node")) and all(
                    one.encode() in content for one in parts
                )
            if own:
                return None
            handed = f"{path} does not define {symbol.name or 'anything'} itself"
            return f"{handed}, so it may be defined in another module"
        return None

    def _doubt(self, path: str, wanted: frozenset[str]) -> str | None:
        if path.endswith(PACKED):
            return f"{path} is packed and may hold it"
        content = self._tree.read(path)
        if content is None:
            return f"{path} could not be searched"
        source = path.endswith((*SCRIPTS, ".py", ".pyi", ".json", ".map"))
        for name in wanted:
            if source:
                found = re.search(_word(name).encode(), content) is not None
            else:
                found = any(name.encode(one) in content for one in ("utf-8", "utf-16-le"))
            if found:
                return f"{path} has the same name in it"
        if path.endswith(SCRIPTS) and self._is_built(path, content):
            return f"{path} is built from other files and may hold it under another name"
        if path.endswith(".py") and _is_opaque_python(content):
            return f"{path} unpacks code at run time and may hold it"
        return None

    def _is_built(self, path: str, content: bytes) -> bool:
        inner = path.rpartition("/node_modules/")[2]
        return BUILT_DIRECTORIES.search(inner) is not None or self._is_bundle(path, content)

    def _is_bundle(self, path: str, content: bytes) -> bool:
        """Whether names in a script are not those of its source any more; remembered."""
        if path not in self._bundles:
            self._bundles[path] = self._has_other_names(path, content)
        return self._bundles[path]

    def _has_other_names(self, path: str, content: bytes) -> bool:
        if BUILT_NAMES.search("/" + path.rpartition("/")[2]):
            return True
        if _has_long_lines(content) or BUILT_MARKS.search(content):
            return True
        declared = DECLARED.findall(content)
        short = sum(len(name) <= SHORT_BYTES for name in declared)
        return len(declared) >= DECLARED_MIN and short > SHORT_SHARE_MAX * len(declared)


def _is_opaque_python(content: bytes) -> bool:
    if _has_long_lines(content):
        return True
    return UNPACKS.search(content) is not None and EXECUTES.search(content) is not None


def _has_long_lines(content: bytes) -> bool:
    lines = content.split(b"\n")
    if len(content) > LINE_BYTES_MEAN_MAX * len(lines):
        return True
    return max(map(len, lines)) > LINE_BYTES_MAX


def _word(name: str) -> str:
    return rf"(?<![\w$]){re.escape(name)}(?![\w$])"
