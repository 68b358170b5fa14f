"""Who could read a package that brings only data, though nobody did.

Certificates and time zones are read when a peer or a request asks for it; of other data,
the program that reads it holds the name of its directory.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final, NamedTuple

from vexxy.reachability.loadable.tree import Tree
from vexxy.reachability.rules import chains, sentences
from vexxy.reachability.types import Loadable

CERTIFICATES: Final = re.compile(
    r".*/(ca-certificates|ca-trust|certs|pki)/.*|.*\.(crt|pem|p12|jks)|.*/cacerts"
)
TIME_ZONES: Final = re.compile(r".*/zoneinfo(-\w+)?/.*")
# Libraries and runtimes that check a peer's certificate, by their file names.
CHECKS_CERTIFICATES: Final = re.compile(
    r"lib(ssl|gnutls|nss3|nssckbi|smime3|mbedtls|mbedx509|wolfssl|curl|p11-kit|jvm|node)"
    r"[\w.+-]*\.so[\w.-]*|_ssl\.[\w.-]+\.so|java|node|nodejs|deno|bun|dotnet|curl|wget|openssl"
)
HOLDS_CERTIFICATES: Final = (
    b"/etc/ssl/cert", b"/etc/pki/", b"/usr/share/ca-certificates", b"import ssl",
)  # fmt: skip
HOLDS_TIME_ZONES: Final = (b"zoneinfo", b"tzset")
# The C library has both names for its callers, and so has an interpreter's binary.
EVERYONES: Final = re.compile(
    r"(lib(c|m|pthread|dl)(-[\d.]+)?\.so[\d.]*|libc\.musl-\w+\.so[\d.]*|ld[\w.-]*\.so[\d.]*"
    r"|(lib)?(python|perl|ruby|php|lua)[\w.-]*|_sysconfigdata[\w.-]*|(ba|da|z|k)?sh|busybox)"
)
# Directories of everything: holding their names says nothing about one package.
SHARED: Final = frozenset(
    {
        "/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info",
        "/usr/share/lintian", "/usr/share/bug", "/usr/share/common-licenses",
        "/usr/share/applications", "/usr/share/icons", "/usr/share/pixmaps", "/etc/init.d",
        "/usr/share/bash-completion", "/usr/share/doc-base", "/usr/share/menu",
        "/usr/share/base-files", "/usr/share/perl5", "/usr/share/python3", "/etc/default",
        "/usr/share/ca-certificates", "/usr/share/zoneinfo", "/etc/alternatives",
        "/etc/logrotate.d", "/etc/cron.d", "/etc/cron.daily", "/etc/profile.d", "/etc/ssl",
        "/var/lib/dpkg", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
        "/usr/share/debconf", "/usr/share/keyrings", "/etc/apt", "/usr/share/misc",
    }
)  # fmt: skip
COMPONENTS: Final = {"usr": 3, "var": 3, "opt": 2, "etc": 2, "lib": 2}
READ_BYTES_MAX: Final = 64 * 1024 * 1024


class Reader(NamedTuple):
    """A file that ran or could run, and why it can read the data."""

    path: str
    why: str


class Data:
    """Finds who could read data that was not read, in one image and one run."""

    def __init__(self, tree: Tree, loaded: Iterable[str], loadable: Loadable) -> None:
        self._tree: Final = tree
        self._loaded: Final = frozenset(loaded)
        # What ran is named before what could run.
        self._loadable: Final = loadable
        self._references: Final = loadable.references
        rest = sorted(set(loadable.references) - self._loaded)
        self._code: Final = (*sorted(self._loaded), *rest)

    def readers(self, wanted: Mapping[str, frozenset[str]]) -> dict[str, str]:
        """Return who could read each package, a sentence; `wanted` has their files.

        All packages at once, for every file of code is searched for all their names.
        """
        found = self._readers(wanted)
        return {package: self._sentence(one) for package, one in found.items()}

    def _sentence(self, reader: Reader) -> str:
        if reader.path in self._references:
            chain = sentences.chain(chains.chain(self._loadable, reader.path))
            return f"{chain}, which {reader.why}"
        ran = " ran and" if reader.path in self._loaded else ""
        return f"{reader.path}{ran} {reader.why}"

    def _readers(self, wanted: Mapping[str, frozenset[str]]) -> dict[str, Reader]:
        found: dict[str, Reader] = {}
        names: dict[str, list[bytes]] = {}
        for package, files in wanted.items():
            reader = self._of_kind(files)
            if reader is not None:
                found[package] = reader
            else:
                names[package] = [one.encode() for one in sorted(_directories(files))]
        for path, content in self._contents() if any(names.values()) else ():
            for package, directories in names.items():
                if package in found or path in wanted[package]:
                    continue
                for one in directories:
                    if one in content and _is_named(one, content):
                        why = f"holds the name of its directory {one.decode()}"
                        found[package] = Reader(path, why)
                        break
        return found

    def _of_kind(self, files: frozenset[str]) -> Reader | None:
        if any(TIME_ZONES.match(path) for path in files):
            return self._time_zones
        if any(CERTIFICATES.match(path) for path in files):
            return self._certificates
        return None

    @cached_property
    def _certificates(self) -> Reader | None:
        for path in self._code:
            if CHECKS_CERTIFICATES.fullmatch(path.rpartition("/")[2]):
                return Reader(path, "checks certificates")
        return self._holding(HOLDS_CERTIFICATES, "can look for certificates")

    @cached_property
    def _time_zones(self) -> Reader | None:
        if self._tree.surroundings.environment.get("TZ"):
            return Reader("the environment", "sets TZ")
        return self._holding(HOLDS_TIME_ZONES, "can read time zones")

    def _holding(self, marks: Iterable[bytes], why: str) -> Reader | None:
        for path, content in self._contents():
            if any(mark in content for mark in marks):
                return Reader(path, why)
        return None

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        for path in self._code:
            if not EVERYONES.fullmatch(path.rpartition("/")[2]):
                yield path, self._tree.read(path, limit=READ_BYTES_MAX) or b""


def _directories(files: Iterable[str]) -> set[str]:
    """Return the directories of a package that say whose they are."""
    found = set()
    for path in files:
        parts = path.split("/")
        count = COMPONENTS.get(parts[1], 1)
        if len(parts) > count + 1:
            found.add("/".join(parts[: count + 1]))
    return found - SHARED


def _is_named(directory: bytes, content: bytes) -> bool:
    """Whether the name stands whole somewhere, not as the start of a longer one."""
    return re.search(re.escape(directory) + rb"(?![\w.-])", content) is not None
