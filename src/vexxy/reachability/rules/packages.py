"""What kind of thing a package is: a kernel's, data, or code."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from vexxy.sbom.types import Package, Problem

OS_TYPES: Final = frozenset({"deb", "rpm", "apk"})
# Headers, images and modules. Not perf, bpftool or cpupower: they are programs that run
# in the container, although they are built from the same source.
KERNEL: Final = re.compile(
    r"linux-(libc-dev|image|headers|modules|compiler|source|config|kbuild|lts|virt|edge|rpi)"
    r"([\d.+-].*|-.*)?"
    r"|kernel(-(core|headers|devel|modules|source|default|uek|rt|64k|debug|doc)[\w.+-]*)?"
)

CODE_SUFFIXES: Final = (
    ".so", ".py", ".pyc", ".js", ".mjs", ".cjs", ".node", ".pm", ".pl", ".rb", ".php",
    ".jar", ".class", ".lua", ".tcl", ".sh", ".wasm", ".go", ".el", ".ko", ".a", ".o",
    ".dll", ".exe", ".ts", ".html", ".htm", ".R", ".scm", ".beam", ".ps", ".inc", ".vim",
    ".phtml", ".module", ".awk", ".xsl", ".tm", ".ph", ".al",
)  # fmt: skip
VERSIONED_LIBRARY: Final = re.compile(r".*\.so(\.[\d.]+)?")
PROGRAM: Final = re.compile(r".*/(s?bin/[^/.][^/]*|libexec/.*[^/])")
# What a linker puts into programs.
LINKED: Final = (".a", ".o", ".lo", ".rlib")
START_FILE: Final = re.compile(
    r"[SgMr]?crt(1|i|n|begin|end|beginS|beginT|endS|fastmath|prec\d+)\.o|grcrt1\.o|"
    r"libc_nonshared\.a|liblto_plugin\.a"
)
SOURCES: Final = (
    ".h", ".hh", ".hpp", ".hxx", ".h++", ".ipp", ".inl", ".tpp", ".tcc", ".txx", ".c",
    ".cc", ".cpp", ".cxx", ".go", ".rs",
)  # fmt: skip
INSTALLED: Final = re.compile(r"/((site|dist)-packages|lib-dynload|node_modules)/")
NO_PROGRAM: Final = (".sh", ".html", ".htm")
BROWSER_SUFFIXES: Final = (".js", ".mjs", ".wasm")
DESCRIPTIVE: Final = re.compile(
    r".*(/usr/share/(doc|man|locale|info|lintian|apport|bug|reportbug|bash-completion)/.*|\.dist-info/.*|\.egg-info(/.*)?|"
    r"/package\.json|/LICENSE[\w.]*|/README[\w.]*|/CHANGELOG[\w.]*|/HISTORY[\w.]*)",
    re.IGNORECASE,
)
# At most this share of scripts beside the data, as the updater of ca-certificates.
SCRIPT_SHARE_MAX: Final = 0.1

# Data is often read from what the package made of it, which no package owns.
DERIVED: Final[Mapping[str, tuple[str, ...]]] = {
    "ca-certificates": (
        "/etc/ssl/certs/",
        "/etc/ssl/cert.pem",
        "/etc/pki/",
        "/etc/ca-cert",
    ),
    "ca-certificates-bundle": ("/etc/ssl/", "/etc/pki/"),
    "tzdata": ("/etc/localtime", "/etc/timezone"),
    "locales": ("/usr/lib/locale/",),
    "glibc-langpack-en": ("/usr/lib/locale/",),
    "hunspell-en-us": ("/var/cache/dictionaries-common/",),
    "shared-mime-info": ("/usr/share/mime/",),
    "fontconfig-config": ("/var/cache/fontconfig/",),
}


def is_kernel(package: Package) -> bool:
    """Return whether the package is a part of the kernel, which is the host's."""
    return package.type in OS_TYPES and KERNEL.fullmatch(package.name) is not None


def is_code(path: str, *, executable: bool) -> bool:
    """Return whether a file may be code, by its name and mode."""
    library = VERSIONED_LIBRARY.fullmatch(path) is not None
    return executable or library or path.endswith(CODE_SUFFIXES)


def is_missed(path: str) -> bool:
    """Return whether a listed file that is gone leaves a doubt about where it went.

    Documentation and what interpreters write for themselves are left out of images.
    """
    if DESCRIPTIVE.fullmatch(path) or path.endswith((".pyc", *NO_PROGRAM)):
        return False
    return is_code(path, executable=PROGRAM.fullmatch(path) is not None)


def is_native(path: str) -> bool:
    """Return whether a path is that of a program or a library, by its name alone."""
    library = VERSIONED_LIBRARY.fullmatch(path) or path.endswith(LINKED)
    return bool(library or PROGRAM.fullmatch(path))


def is_installed(path: str) -> bool:
    """Return whether a file lies where the packages of a language are installed."""
    return INSTALLED.search(path) is not None


def is_linked(path: str) -> bool:
    """Return whether a linker may have put a file's code into programs.

    What every program starts with does not count: it is no part of any library.
    """
    return path.endswith(LINKED) and START_FILE.fullmatch(path.rpartition("/")[2]) is None


def is_source(path: str) -> bool:
    """Return whether a file's code may have been compiled into programs."""
    name = path.rpartition("/")[2]
    return path.endswith(SOURCES) or ("/include/c++/" in path and "." not in name)


def is_data_only(paths: Iterable[str], executables: frozenset[str]) -> bool:
    """Return whether reading is all that can be done with these files.

    A few scripts do not count; a library or browser code does, and so does a package
    with nothing but descriptions of itself.
    """
    real = [path for path in paths if not DESCRIPTIVE.fullmatch(path)]
    code = [path for path in real if is_code(path, executable=path in executables)]
    if any(VERSIONED_LIBRARY.fullmatch(path) for path in code):
        return False
    return bool(real) and len(code) <= SCRIPT_SHARE_MAX * len(real)


def only_describes(paths: Iterable[str]) -> bool:
    """Return whether a package has nothing but documentation of itself or others."""
    return all(DESCRIPTIVE.fullmatch(path) for path in paths)


def has_own_code(paths: Iterable[str], machine_code: frozenset[str]) -> bool:
    """Return whether a package holds code that could be a vulnerable one.

    Start scripts do not count: the code they start is in another package.
    """
    return any(
        path in machine_code
        or (is_code(path, executable=False) and not path.endswith(NO_PROGRAM))
        for path in paths
        if not DESCRIPTIVE.fullmatch(path)
    )


def derived(package: Package) -> tuple[str, ...]:
    """Return the path prefixes of data that the package's own data is copied to."""
    return DERIVED.get(package.name, ())


def problems_of(package: Package, problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems behind which this package, or part of it, may hide."""
    places = {*package.locations, *package.files}
    if package.embedded_in is not None:
        places.add(package.embedded_in)
    # One without a path is about no place of the image: a missing set of advisories.
    placed = (problem for problem in problems if problem.path)
    return [
        problem
        for problem in placed
        if problem.path in places
        or any(place.startswith(f"{problem.path.rstrip('/')}/") for place in places)
    ]


def is_payload(package: Package, path: str) -> bool:
    """Return whether a file of a language's package is data that others may use alone.

    The certificates of certifi are the package's purpose; curl can read them as well.
    """
    described = DESCRIPTIVE.fullmatch(path) is not None
    code = is_code(path, executable=False)
    return package.type not in OS_TYPES and not described and not code


def is_served(path: str) -> bool:
    """Return whether a file read as data may be code for a browser."""
    return path.endswith(BROWSER_SUFFIXES)
