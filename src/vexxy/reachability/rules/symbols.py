"""Which files of a package hold a vulnerable symbol, and how names are compared."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from vexxy.advisories.types import Symbol
from vexxy.sbom.types import Package
from vexxy.tracer.types import FunctionCall, Source

# The confidence of names that are those of every version their record calls affected.
REVIEWED: Final = 1.0
# Sources of compiled code: which file of the image they became is not known.
COMPILED_SOURCES: Final = (
    ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".rs", ".java", ".kt", ".scala", ".cs",
    ".pyx", ".S", ".y", ".l",
)  # fmt: skip
SCRIPT_SUFFIXES: Final = (".js", ".cjs", ".mjs")
TYPED_SUFFIXES: Final = (".ts", ".mts", ".cts", ".tsx", ".jsx")
# Places and kinds of source that a published package is built from and rarely holds.
UNSHIPPED: Final = re.compile(
    r"(.*/)?(src|source|sources|packages|typescript|ts)/.*"
    r"|.*\.(ts|mts|cts|tsx|jsx|coffee|vue|svelte|es6|es|litcoffee|ls|flow)"
)
# How a script itself defines a name; `{0}` is the name.
SCRIPT_DEFINITION: Final = (
    r"(?:\bfunction\s*\*?\s*{0}\s*\(|\bclass\s+{0}\b"
    r"|(?<![\w$]){0}[\"']?\s*[:=]\s*(?:async\s*)?(?:function\b|class\b"
    r"|\([^()]{{0,400}}\)\s*=>|[\w$]+\s*=>)"
    r"|(?<![\w$.]){0}\s*\([^()]{{0,400}}\)\s*\{{)"
)
DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
STANDARD_LIBRARY: Final = frozenset({"stdlib", "std", "toolchain"})


def short_name(symbol: Symbol) -> str:
    """Return the last component of a symbol's name (`rebuild_proxies`)."""
    return re.split(r"[.#:]", symbol.name)[-1]


def wanted_names(symbol: Symbol) -> frozenset[str]:
    """Return the names to look for elsewhere: of the function and what it is in.

    A whole module is looked for by its own name.
    """
    parts = [one for one in re.split(r"[.#:]", symbol.name) if one]
    if parts:
        return frozenset({parts[0], parts[-1]})
    module = symbol.module.partition("#")[0].rstrip("/")
    if "/" not in module and not module.endswith((".py", *SCRIPT_SUFFIXES)):
        return frozenset({module.rpartition(".")[2]} - {""})
    return frozenset({stem(module)} - {""})


def stem(path: str) -> str:
    """Return a file's name without any suffix."""
    return path.rpartition("/")[2].partition(".")[0]


def is_shipped(symbol: Symbol, package: Package, files: Iterable[str]) -> bool:
    """Return whether a script of this module would be found, were it in the package.

    Records often name the file of the repository, which a published package was built
    from. Only where its directory is there, with scripts, does a missing file say much.
    """
    module = symbol.module.partition("#")[0].strip("/")
    inner = module.removeprefix(f"{package.name}/").removeprefix("./")
    if UNSHIPPED.fullmatch(inner) or inner in {"", package.name}:
        return False
    scripts = [path for path in files if path.endswith(SCRIPT_SUFFIXES)]
    if stem(inner) in {stem(path) for path in scripts}:
        return False
    directory = f"/{inner}".rpartition("/")[0]
    roots = {path.rpartition("/")[0] for path in package.locations}
    beside = {path.rpartition("/")[0] for path in scripts}
    return any(f"{root}{directory}" in beside for root in roots)


def is_defined_in_python(parts: Sequence[str], text: str) -> bool:
    """Return whether a module defines every part of a dotted name and imports none."""
    if not parts:
        return re.search(r"\b(?:def|class)\s+\w+", text) is not None
    for part in parts:
        name = re.escape(part)
        if not re.search(rf"\b(?:def|class)\s+{name}\b", text):
            return False
    first = re.escape(parts[0])
    listed = r"(?:[^\n(]{0,1000}|\s*\([^)]{0,4000})"
    given = rf"\bimport\b{listed}(?<!\w){first}\b|^\s*{first}\s*="
    return re.search(given, text, re.MULTILINE) is None


def is_defined_in_script(parts: Sequence[str], text: str) -> bool:
    """Return whether a script defines the last part of a name by itself."""
    name = re.escape(parts[-1]) if parts else r"[\w$]+"
    if re.search(SCRIPT_DEFINITION.format(name), text) is None:
        return False
    exported = rf"\bas\s+{name}\b|(?<![\w$]){name}\s*[:=]\s*require\b"
    return not parts or re.search(exported, text) is None


def python_module(symbol: Symbol) -> tuple[str, ...]:
    """Return the components of a dotted module, or of a path to one; empty for others."""
    module = symbol.module.removesuffix("/__init__.py").removesuffix(".py")
    if module.endswith(COMPILED_SOURCES) or ":" in module:
        return ()
    dotted = module.strip("/").replace("/", ".").removeprefix("src.")
    return tuple(dotted.split(".")) if DOTTED.fullmatch(dotted) else ()


def python_files(parts: tuple[str, ...], files: Iterable[str]) -> list[str]:
    """Return the files among `files` that are the module `parts`."""
    if not parts:
        return []
    stem = re.escape("/" + "/".join(parts))
    expression = re.compile(rf".*{stem}(/__init__)?(\.py|\.pyc|(\.[\w-]+)*\.so)")
    return [path for path in files if expression.fullmatch(path)]


def script_files(symbol: Symbol, package: Package, files: Iterable[str]) -> list[str]:
    """Return the JavaScript files among `files` that a symbol's module names."""
    module = symbol.module.partition("#")[0].strip("/")
    inner = module.removeprefix(f"{package.name}/").removeprefix("./")
    if not inner or inner == package.name:
        return []
    endings = {f"/{inner}", *(f"/{inner}{suffix}" for suffix in SCRIPT_SUFFIXES)}
    endings.add(f"/{inner}/index.js")
    roots = {path.rpartition("/")[0] for path in package.locations}
    return [
        path
        for path in files
        if any(path == f"{root}{ending}" for root in roots for ending in endings)
    ]


def is_in_module(symbol: Symbol, package: Package) -> bool:
    """Return whether a Go symbol's import path belongs to the package's module."""
    path = symbol.module
    if package.name in STANDARD_LIBRARY:
        return bool(path) and "." not in path.partition("/")[0]
    return path == package.name or path.startswith(f"{package.name}/")


def is_call_of(call: FunctionCall, symbol: Symbol) -> bool:
    """Return whether a recorded call, in a file of the symbol, is one of the symbol.

    Python: a class body runs when its module is imported, under the name of the class:
    that is no call. Its methods are. JavaScript: what a runtime calls a function depends
    on how it was written, so the last component decides. Compiled code: one file holds
    many modules, so the module must agree where the symbol's is not a source file.
    """
    if not symbol.name:
        return False
    name = call.name.replace(".<locals>", "")
    if call.source is Source.UPROBE and "::" in f"{symbol.module}{symbol.name}":
        whole = symbol.name
        if symbol.module and not whole.startswith(f"{symbol.module}::"):
            whole = f"{symbol.module}::{whole}"
        return f"{call.module}::{name}" == whole
    if call.source is Source.UPROBE:
        placed = bool(symbol.module) and not symbol.module.endswith(COMPILED_SOURCES)
        agree = call.module == symbol.module or not placed
        return agree and (name == symbol.name or name.startswith(f"{symbol.name}."))
    if name.startswith(f"{symbol.name}."):
        return True
    if call.path.endswith(SCRIPT_SUFFIXES):
        return re.split(r"[.#:]", name)[-1] == short_name(symbol)
    looks_like_class = short_name(symbol)[:1].isupper() and call.path.endswith(".py")
    return name == symbol.name and not looks_like_class
