"""Which file of a package may hold a vulnerable function, or hide that it does.

Code moves between files, is handed on under another name, compiled, bundled and packed.
Every answer here is a doubt: none found is the only thing that a proof may rest on.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from vexxy.advisories.types import Symbol
from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules import symbols
from vexxy.reachability.rules.packages import DESCRIPTIVE
from vexxy.reachability.wire import elf, pyextension, pynames

SCRIPTS: Final = (*symbols.SCRIPT_SUFFIXES, *symbols.TYPED_SUFFIXES)
# Packed or encrypted: a name inside is not to be seen from outside.
PACKED: Final = (
    ".zip", ".egg", ".whl", ".pyz", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".br", ".asar",
    ".jsc", ".tar", ".jar", ".pye",
)  # fmt: skip
# What such a file starts with, whatever its name is.
PACKED_STARTS: Final = (
    b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"Rar!",
)  # fmt: skip
# Machine code and byte code that scripts became: WebAssembly, V8 (its cache, after two
# bytes), Hermes. Which names are left in it is up to whoever built it.
NATIVE_SCRIPTS: Final = (".node", ".wasm", ".jsc", ".bytecode", ".cjsc", ".blob", ".hbc")
BYTE_CODES: Final = (b"\0asm", b"\xc6\x1f\xbc\x03\xc1\x03\x19\x1f")
V8_CODE: Final = b"\xde\xc0"
MACHINE_CODES: Final = (elf.MAGIC, b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
EXTENSIONS: Final = (".so", ".pyd", ".dylib", ".dll")
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
# Without one of these words no text or number of a long line becomes code.
RUNS: Final = re.compile(
    rb"\b(?:exec|eval|compile|marshal|loads?|builtins|globals|FunctionType|CodeType)\b"
    rb"|__\w*(?:import|builtins|code|dict|class|subclasses|globals)\w*__|pyarmor|ctypes"
)


class Definitions:
    """Looks names up in the files of one root."""

    def __init__(self, tree: Tree) -> None:
        self._tree: Final = tree
        self._bundles: Final[dict[str, bool]] = {}

    def undefined(self, symbol: Symbol, files: Sequence[str], paths: Iterable[str]) -> str:
        """Return why a module that is there may have the symbol's function all the same.

        `files` are the module, `paths` all of the package. Nothing where no file has the
        name, none makes names by a value, and the module has none that is like it.
        """
        short = symbols.short_name(symbol)
        for path in sorted(paths):
            if DESCRIPTIVE.fullmatch(path) or path.endswith(PROSE):
                continue
            doubt = self._doubt(path, frozenset({short}))
            if doubt is None and path.endswith(".py"):
                text = self._tree.read_text(path)
                made = "unread" if text is None else pynames.makes_names(text)
                doubt = made and f"{path} may make functions by a value ({made})"
            if doubt is not None:
                return doubt
        for path in files:
            text = self._tree.read_text(path) or ""
            if not pynames.is_own(text):
                return f"{path} may hand on what others define"
            known = pynames.alike(short, text)
            if known is not None:
                return f"{path} has {known}, which may be the same under another name"
        return ""

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
                if _is_opaque(path, content):
                    return f"{path} keeps its names where nobody can read them"
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
        compiled = _compiled(path, content)
        if compiled is not None:
            return f"{path} is {compiled} and may hold it"
        return self._made(path, content)

    def _made(self, path: str, content: bytes) -> str | None:
        """Return why a source may only be what another one was made into."""
        if path.endswith(SCRIPTS) and self._is_built(path, content):
            return f"{path} is built from other files and may hold it under another name"
        if path.endswith((".py", ".pyc")) and _is_opaque_python(path, content):
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


def _compiled(path: str, content: bytes) -> str | None:
    """Return what was made of a file's source, when that may have hidden its names."""
    if content.startswith(PACKED_STARTS):
        return "packed"
    module = content.startswith(BYTE_CODES) or content[2:4] == V8_CODE
    native = content.startswith(MACHINE_CODES)
    if module or path.endswith(NATIVE_SCRIPTS):
        return "compiled"
    if native and "/node_modules/" in path:
        return "compiled"
    if native and _is_opaque(path, content):
        return "packed"
    if native or path.endswith(EXTENSIONS):
        return "compiled Python" if pyextension.is_compiled_python(content) else None
    return None


def _is_opaque(path: str, content: bytes) -> bool:
    """Whether a library, loaded or not, holds names that are not to be read."""
    native = content.startswith(MACHINE_CODES) or path.endswith(EXTENSIONS)
    return native and pyextension.is_opaque(content)


def _is_opaque_python(path: str, content: bytes) -> bool:
    long = path.endswith(".py") and _has_long_lines(content)
    if long and not (pynames.is_plain(content) and RUNS.search(content) is None):
        return True
    return UNPACKS.search(content) is not None and EXECUTES.search(content) is not None


def _has_long_lines(content: bytes) -> bool:
    lines = content.split(b"\n")
    if len(content) > LINE_BYTES_MEAN_MAX * len(lines):
        return True
    return max(map(len, lines)) > LINE_BYTES_MAX


def _word(name: str) -> str:
    return rf"(?<![\w$]){re.escape(name)}(?![\w$])"
