"""What an observation means: the class of each access, the profile, its completeness.

A file that was read counts as code unless its kind is in a closed table of kinds that
cannot be code. An unknown kind can only make a package look used that is not; the other
error would call used code unused.
"""

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from vexxy.tracer.ports import ImageRoot
from vexxy.tracer.types import (
    Access,
    Completeness,
    ExecutionProfile,
    FileAccess,
    Process,
    Source,
    Trace,
    TracedFile,
    Use,
    Window,
)


def _words(*texts: str) -> frozenset[str]:
    return frozenset(" ".join(texts).split())


STRENGTH: Final = tuple(Access)
"""Strongest first, as the enumeration says."""

RECORDERS_PATH: Final = "/.vexxy"
"""Where files of our own are put beside the image's; read-only, so never the image's."""
KERNEL_DIRECTORIES: Final = ("/proc/", "/sys/", "/dev/")

METADATA_DIRECTORIES: Final = (
    "/var/lib/dpkg/",
    "/var/lib/apt/",
    "/var/cache/apt/",
    "/var/cache/debconf/",
    "/var/cache/ldconfig/",
    "/etc/apt/",
    "/lib/apk/db/",
    "/usr/lib/apk/db/",
    "/etc/apk/",
    "/var/cache/apk/",
    "/var/lib/rpm/",
    "/usr/lib/sysimage/rpm/",
    "/var/lib/dnf/",
    "/var/cache/dnf/",
)
METADATA_FILES: Final = _words("/etc/ld.so.cache /etc/ld.so.conf /var/log/dpkg.log")
METADATA_NAMES: Final = _words(
    "package.json package-lock.json .package-lock.json npm-shrinkwrap.json yarn.lock",
    "pnpm-lock.yaml composer.json composer.lock installed.json Cargo.lock go.mod go.sum",
    ".packlist",
)
METADATA_PARENTS: Final = (".dist-info", ".egg-info")
METADATA_SUFFIXES: Final = (".egg-info", ".gemspec")

CODE_SUFFIXES: Final = _words(
    "py pyc pyo pyd pth so js mjs cjs ts node wasm rb php phar pl pm pod sh bash class",
    "jar war ear lua tcl r awk sed el elc go c cc cpp h hpp s o a ko exe dll zip whl egg",
)
"""Never data, whatever directory holds them."""

DATA_DIRECTORIES: Final = (
    "/etc/ssl/certs/",
    "/etc/terminfo/",
    "/usr/lib/locale/",
    "/usr/lib/terminfo/",
    "/usr/share/ca-certificates/",
    "/usr/share/common-licenses/",
    "/usr/share/doc/",
    "/usr/share/fonts/",
    "/usr/share/i18n/",
    "/usr/share/icons/",
    "/usr/share/info/",
    "/usr/share/licenses/",
    "/usr/share/locale/",
    "/usr/share/man/",
    "/usr/share/mime/",
    "/usr/share/pixmaps/",
    "/usr/share/terminfo/",
    "/usr/share/zoneinfo/",
)
CONFIGURATION_FILES: Final = _words(
    "debian_version environment fstab group gshadow host.conf hostname hosts issue",
    "localtime locale.alias locale.conf login.defs machine-id mime.types motd mtab",
    "networks nsswitch.conf os-release passwd protocols resolv.conf services shadow",
    "shells subgid subuid timezone alpine-release redhat-release gai.conf",
)
"""Tables of /etc that nothing runs."""

DATA_NAMES: Final = _words(
    "copyright license licence notice copying authors readme changelog os-release"
)
DATA_SUFFIXES: Final = _words(
    "txt md rst pdf html htm css csv tsv ini cnf json toml yaml yml log map properties",
    "dtd xsd png jpg jpeg gif webp avif ico bmp tif tiff svg ttf otf woff woff2 eot",
    "mp3 mp4 ogg wav webm pem crt cer der csr key pub gpg asc sig mo po pot gmo pyi mmdb",
)

COMPILER_MEMORY_FILES: Final = frozenset(
    {"memfd:doublemapper", "memfd:libffi", "memfd:sljit"}
)
"""Memory files of well-known run-time compilers: .NET, libffi, PCRE2."""


def access_of(path: str, use: Use) -> Access | None:
    """Return the class of one use of a file, None where it is no use at all.

    To write a file, list a directory or name a path (O_PATH) uses nothing of a package.
    """
    match use:
        case Use.EXECUTED:
            return Access.EXECUTED
        case Use.MAPPED:
            return Access.MAPPED
        case Use.READ:
            return _class_of_read(path)
        case Use.WRITTEN | Use.DIRECTORY | Use.REFERRED:
            return None


def may_be_code(path: str, use: Use) -> bool:
    """Tell whether this use may have brought code to run."""
    return access_of(path, use) in {Access.EXECUTED, Access.MAPPED, Access.CODE}


def profile(trace: Trace, *, root: ImageRoot, window: Window) -> ExecutionProfile:
    """Return what a trace says of an image.

    Args:
        trace: What the recorder saw.
        root: The image's own root file system, as it was before it ran.
        window: How the image was exercised meanwhile.
    """
    inside: dict[str, FileAccess] = {}
    outside: dict[str, FileAccess] = {}
    canonical = _Canonical(root)
    for file in trace.files:
        access = access_of(file.path, file.use)
        if access is None or _is_kernels(file.path) or is_recorders(file.path):
            continue
        names = canonical.names(file.path)
        for name in names or (file.path,):
            _keep_strongest(inside if names else outside, _accessed(file, name, access))
    executed = _paths_of((inside, outside), Access.EXECUTED)
    mapped = _paths_of((inside, outside), Access.MAPPED)
    return ExecutionProfile(
        sandbox_id=window.sandbox_id,
        duration_seconds=trace.duration_seconds,
        files_accessed=_in_order(inside.values()),
        executed_binaries=executed,
        loaded_libraries=mapped,
        syscalls=trace.syscalls,
        network_connections=trace.network_connections,
        completeness=completeness(trace, outside.values(), window=window),
        sources=_sources(trace),
        processes=tuple(canonical.process(process) for process in trace.processes),
        files_outside_image=_in_order(outside.values()),
    )


def is_recorders(path: str) -> bool:
    """Tell whether a file is one of the recorders' own, which are no part of the image."""
    return path.startswith(RECORDERS_PATH + "/")


def _is_kernels(path: str) -> bool:
    """Return whether the kernel makes the file; `/dev/shm` is memory anyone can fill."""
    return path.startswith(KERNEL_DIRECTORIES) and not path.startswith("/dev/shm/")  # noqa: S108  read, not used


def completeness(
    trace: Trace, outside: Iterable[FileAccess], *, window: Window
) -> Completeness:
    """Return how much of what happened was seen.

    Any gap, any lost event and any reason of the caller's makes it partial. So does
    code that ran from memory or from a removed file, for nobody can say what it was.
    """
    limits = [gap.detail for gap in trace.gaps]
    if trace.lost_events:
        limits.append(f"{trace.lost_events} events were lost")
    deleted = {file.path for file in trace.files if file.deleted}
    limits += [
        f"{file.path} was {file.access} but is no file any more"
        for file in outside
        if file.path in deleted
        and file.path not in COMPILER_MEMORY_FILES
        and file.access in {Access.EXECUTED, Access.MAPPED}
    ]
    limits += window.reasons
    ready = window.ready_seconds
    return Completeness(
        observed_seconds=max(0.0, trace.duration_seconds - (ready or 0.0)),
        ready_seconds=ready,
        traffic_requests=window.traffic_requests,
        lost_events=trace.lost_events,
        partial=bool(limits),
        reasons=(*limits, *trace.fallbacks),
    )


class _Canonical:
    """Remembers the image's canonical names of paths that were asked for before."""

    def __init__(self, root: ImageRoot) -> None:
        self._root = root
        self._names: dict[str, tuple[str, ...]] = {}

    def names(self, path: str) -> tuple[str, ...]:
        """Return every name of the file in the image, empty if it is not the image's."""
        if path not in self._names:
            self._names[path] = tuple(self._look_up(path))
        return self._names[path]

    def process(self, process: Process) -> Process:
        """Return the process with canonical paths, where the image has them."""
        script = process.script
        return replace(
            process,
            executable=self._name(process.executable),
            script=None if script is None else self._name(script),
        )

    def _look_up(self, path: str) -> Iterator[str]:
        resolved = self._root.resolve(path) if path.startswith("/") else None
        if resolved is None:
            return
        yield resolved
        identity = self._root.identity(resolved)
        if identity is not None:
            names = self._root.by_identity(identity)
            yield from (name for name in names if name != resolved)

    def _name(self, path: str) -> str:
        return next(iter(self.names(path)), path)


def _class_of_read(path: str) -> Access:
    name = posixpath.basename(path)
    suffix = posixpath.splitext(name)[1].lstrip(".").lower()
    if _is_record(path, name):
        return Access.METADATA
    if suffix in CODE_SUFFIXES or ".so." in name:
        return Access.CODE
    if any(part.endswith(METADATA_PARENTS) for part in path.split("/")[:-1]):
        return Access.METADATA
    return Access.DATA if _cannot_be_code(path, name, suffix) else Access.CODE


def _is_record(path: str, name: str) -> bool:
    return (
        path.startswith(METADATA_DIRECTORIES)
        or path in METADATA_FILES
        or name in METADATA_NAMES
        or name.endswith(METADATA_SUFFIXES)
    )


def _cannot_be_code(path: str, name: str, suffix: str) -> bool:
    # Examples among the documents are meant to be run.
    documents = path.startswith(DATA_DIRECTORIES) and "/examples/" not in path
    configuration = path.startswith("/etc/") and path[5:] in CONFIGURATION_FILES
    return (
        documents or configuration or suffix in DATA_SUFFIXES or name.lower() in DATA_NAMES
    )


def _accessed(file: TracedFile, name: str, access: Access) -> FileAccess:
    return FileAccess(
        path=name,
        access=access,
        first_seen_seconds=file.first_seen_seconds,
        process=file.process,
        source=file.source,
    )


def _keep_strongest(into: dict[str, FileAccess], file: FileAccess) -> None:
    def rank(one: FileAccess) -> tuple[int, float]:
        return STRENGTH.index(one.access), one.first_seen_seconds

    known = into.get(file.path)
    if known is None or rank(file) < rank(known):
        into[file.path] = file


def _paths_of(sides: Iterable[dict[str, FileAccess]], access: Access) -> tuple[str, ...]:
    return tuple(
        sorted(
            file.path for side in sides for file in side.values() if file.access == access
        )
    )


def _in_order(files: Iterable[FileAccess]) -> tuple[FileAccess, ...]:
    return tuple(sorted(files, key=lambda file: (file.first_seen_seconds, file.path)))


def _sources(trace: Trace) -> tuple[Source, ...]:
    others = {file.source for file in trace.files} - {trace.source}
    return (trace.source, *sorted(others))
