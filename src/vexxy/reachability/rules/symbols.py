"""Which files of a package hold a vulnerable symbol, and how names are compared."""

import re
from collections.abc import Iterable
from typing import Final

from vexxy.advisories.types import Symbol
from vexxy.sbom.types import Package
from vexxy.tracer.types import FunctionCall

# Sources of compiled code: which file of the image they became is not known.
COMPILED_SOURCES: Final = (
    ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".rs", ".java", ".kt", ".scala", ".cs",
    ".pyx", ".S", ".y", ".l",
)  # fmt: skip
SCRIPT_SUFFIXES: Final = (".js", ".cjs", ".mjs")
DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
STANDARD_LIBRARY: Final = frozenset({"stdlib", "std", "toolchain"})


def short_name(symbol: Symbol) -> str:
    """Return the last component of a symbol's name (`rebuild_proxies`)."""
    return re.split(r"[.#:]", symbol.name)[-1]


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
    """Return whether a recorded call is one of the symbol, module aside.

    A class body runs when its module is imported, under the name of the class: that is
    no call. Its methods are.
    """
    if not symbol.name:
        return False
    name = call.name.replace(".<locals>", "")
    if name.startswith(f"{symbol.name}."):
        return True
    looks_like_class = short_name(symbol)[:1].isupper() and call.path.endswith(".py")
    return name == symbol.name and not looks_like_class
