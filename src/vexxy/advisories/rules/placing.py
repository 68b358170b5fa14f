"""Which files of a repository are a package's code, and what its modules are called."""

import re
from collections.abc import Collection
from typing import Final

PYTHON: Final = (".py",)
SCRIPT: Final = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
GO: Final = (".go",)
C: Final = (".c", ".h")
# Read by the headers of the diff alone: there is no grammar for them here.
HEADERS_ONLY: Final = (".cc", ".cpp", ".cxx", ".hpp", ".hh", ".pyx", ".pxd", ".rs")
SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "PyPI": (*PYTHON, *C, *HEADERS_ONLY),
    "npm": (*SCRIPT, *C, *HEADERS_ONLY),
    "Go": (*GO, *C),
    "Debian": (*PYTHON, *SCRIPT, *GO, *C, *HEADERS_ONLY),
}
_NO_CODE: Final = re.compile(
    r"(?:^|/)(?:tests?|testing|testsuite|testdata|unittests?|__tests__|__mocks__|fixtures|"
    r"specs?|selftest|docs?|documentation|examples?|samples?|demos?|bench\w*|perf|fuzz\w*|"
    r"dummyserver|ci|winbuild|\.github|\.gitlab|scripts|tools|website|"
    r"vendor|vendored|_vendor|third_?party|extern|externals?|node_modules|bower_components|"
    r"dist|build|out|coverage|changelogs?|news|newsfragments|releasenotes)/"
    r"|(?:^|/)(?:tests?[._-]|conftest|setup\.py|noxfile|tasks\.py|fabfile|"
    r"(?:__|_)?version(?:__)?\.\w+$|__about__|_about|gulpfile|gruntfile|rollup|webpack|"
    r"vite\.config|karma\.conf|jest\.config|release\.\w+$)[^/]*"
    r"|[._-](?:tests?|spec|min|bundle|umd|pb|pb2|pb2_grpc)\.\w+$"
    r"|(?:^|/)zz_generated|\.d\.[cm]?ts$",
    re.IGNORECASE,
)
_GO_MODULE: Final = re.compile(r"^module\s+\"?([^\s\"]+)", re.MULTILINE)
_ROOTS: Final = ("src/", "lib3/", "lib/", "python3/", "python/", "source/")


def is_code(path: str, ecosystem: str) -> bool:
    """Whether a change of the file may be a fix of the package's own code."""
    suffixes = SOURCES.get(ecosystem, SOURCES["Debian"])
    return path.endswith(suffixes) and _NO_CODE.search(path) is None


def module_of(path: str, ecosystem: str, *, tree: Collection[str] = ()) -> str:
    """Return what the ecosystem calls the module that a file is.

    Python: the dotted name, from the outermost folder that is a package in `tree`.
    Others: the path, for npm without the folder of its `package.json`.
    """
    if ecosystem == "PyPI" and path.endswith(PYTHON):
        return _dotted(path, tree)
    if ecosystem == "npm":
        return path.removeprefix(_nearest(path, "package.json", tree))
    return path


def _dotted(path: str, tree: Collection[str]) -> str:
    folder = path.rpartition("/")[0]
    start = folder
    while start and f"{start}/__init__.py" in tree:
        start = start.rpartition("/")[0]
    if start and start != folder:
        path = path.removeprefix(f"{start}/")
    else:
        for root in _ROOTS if start else ():
            path = path.removeprefix(root)
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _nearest(path: str, name: str, tree: Collection[str]) -> str:
    """Return the nearest folder around a file that has a file of this name."""
    folder = path.rpartition("/")[0]
    while folder and f"{folder}/{name}" not in tree:
        folder = folder.rpartition("/")[0]
    return f"{folder}/" if folder else ""


def description_of(path: str, tree: Collection[str], *, name: str) -> str:
    """Return the path of the `package.json` or `go.mod` that a source belongs to."""
    return f"{_nearest(path, name, tree)}{name}"


def import_path(path: str, description: str | None, tree: Collection[str]) -> str:
    """Return the import path of the Go package that a file is of, by its `go.mod`.

    Without one it is the folder, which no installed package is matched by.
    """
    folder = path.rpartition("/")[0]
    found = _GO_MODULE.search(description or "")
    if found is None:
        return folder
    inner = folder.removeprefix(_nearest(path, "go.mod", tree).rstrip("/")).strip("/")
    return f"{found[1]}/{inner}" if inner else found[1]


def describes(description: str | None, package: str) -> bool:
    """Whether a `package.json` is that of the package; unreadable ones are not."""
    name = rf'"name"\s*:\s*"{re.escape(package)}"'
    return re.search(name, description or "") is not None
