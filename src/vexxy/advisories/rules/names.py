"""What a package is called in advisories, and where they are filed."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from vexxy.advisories.rules.languages import go_version
from vexxy.sbom.types import Package

_SEPARATORS: Final = re.compile(r"[-_.]+")
# purl types whose advisories name the source package.
_BY_SOURCE: Final = frozenset({"deb", "apk", "rpm"})


class Lookup(NamedTuple):
    """One question to the database: this name, at this version."""

    ecosystem: str
    name: str
    version: str


def family(ecosystem: str) -> str:
    """Return the ecosystem without its release: `Debian:12` is of `Debian`."""
    return ecosystem.partition(":")[0]


def normalize(ecosystem: str, name: str) -> str:
    """Return the one spelling of a name under which advisories are filed and found.

    PyPI: PEP 503. NuGet, Packagist and Pub ignore case. Others are exact.
    """
    match family(ecosystem):
        case "PyPI":
            return _SEPARATORS.sub("-", name).lower()
        case "NuGet" | "Packagist" | "GitHub Actions":
            return name.lower()
        case _:
            return name


def scopes(ecosystem: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return the stored ecosystems that a package of this one is covered by.

    A record without release covers every release. Vendors write releases in longer
    forms than an image knows: `Ubuntu:22.04:LTS`, `Red Hat:enterprise_linux:9::baseos`.
    """
    own, _, release = ecosystem.partition(":")
    return tuple(
        stored for stored in known if family(stored) == own and _covers(stored, release)
    )


def _covers(stored: str, release: str) -> bool:
    _, _, written = stored.partition(":")
    if not written or written == release:
        return True
    if not release:
        return False
    parts = [part for part in written.split(":") if part not in {"Pro", "LTS", "FIPS"}]
    major = release.partition(".")[0]
    if parts[0] in {"enterprise_linux", "rhel_eus"}:
        return major in {part.partition(".")[0] for part in parts[1:2]}
    return release == parts[0] or (_has_major_releases(stored) and major == parts[0])


def _has_major_releases(ecosystem: str) -> bool:
    """Tell whether advisories of 9.4 are filed under 9."""
    return family(ecosystem) in {"AlmaLinux", "Rocky Linux", "Debian", "Azure Linux"}


def lookups(package: Package) -> tuple[Lookup, ...]:
    """Return the questions to ask for a package, without an ecosystem none.

    Debian and Alpine file by source package; vendors of rpm disagree, so that both
    names are asked. Versions are those that belong to the name.
    """
    if not package.ecosystem:
        return ()
    own = Lookup(
        package.ecosystem, normalize(package.ecosystem, package.name), package.version
    )
    if package.type == "golang":
        return (own._replace(version=go_version(package.version)),)
    if package.type not in _BY_SOURCE or not package.source_name:
        return (own,)
    source = Lookup(
        package.ecosystem,
        package.source_name,
        package.source_version or package.version,
    )
    if package.type == "rpm" and source.name != own.name:
        return (source, own)
    return (source,)
