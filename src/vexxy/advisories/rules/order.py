"""Which version order an ecosystem has."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from vexxy.advisories.errors import InvalidVersion
from vexxy.advisories.rules import distributions, languages
from vexxy.advisories.rules.distributions import Key

_CACHED_VERSIONS: Final = 1 << 17


def _cached(order: Callable[[str], Key]) -> Callable[[str], Key]:
    return lru_cache(maxsize=_CACHED_VERSIONS)(order)


SEMVER: Final = _cached(languages.semver_key)
DPKG: Final = _cached(distributions.dpkg_key)
APK: Final = _cached(distributions.apk_key)
RPM: Final = _cached(distributions.rpm_key)

ORDERS: Final[Mapping[str, Callable[[str], Key]]] = {
    "Debian": DPKG,
    "Ubuntu": DPKG,
    "Echo": DPKG,
    "Alpine": APK,
    "Alpaquita": APK,
    "BellSoft Hardened Containers": APK,
    "Chainguard": APK,
    "MinimOS": APK,
    "Wolfi": APK,
    "AlmaLinux": RPM,
    "Amazon Linux": RPM,
    "Azure Linux": RPM,
    "Mageia": RPM,
    "openEuler": RPM,
    "openSUSE": RPM,
    "Photon OS": RPM,
    "Red Hat": RPM,
    "Rocky Linux": RPM,
    "SUSE": RPM,
    "PyPI": _cached(languages.python_key),
    "Go": _cached(languages.go_key),
    "npm": SEMVER,
    "crates.io": SEMVER,
    "Hex": SEMVER,
    "Pub": SEMVER,
    "SwiftURL": SEMVER,
    "GitHub Actions": SEMVER,
    "Maven": _cached(languages.maven_key),
    "RubyGems": _cached(languages.gem_key),
    "NuGet": _cached(languages.nuget_key),
    "Packagist": _cached(languages.composer_key),
}


def find_order(
    ecosystem: str, range_type: str = "ECOSYSTEM"
) -> Callable[[str], Key] | None:
    """Return the order of a range of this ecosystem, or None where we know none.

    A range of type SEMVER has that order whatever its ecosystem; OSV schema,
    "affected[].ranges[].type".
    """
    order = ORDERS.get(ecosystem.partition(":")[0])
    if range_type == "SEMVER" and order is not ORDERS["Go"]:
        return SEMVER
    return order


def compare(ecosystem: str, one: str, other: str) -> int:
    """Return -1, 0 or 1 as the first version is below, equal to or above the second.

    Raises:
        InvalidVersion: The ecosystem has no order here, or a version is not of it.
    """
    order = find_order(ecosystem)
    if order is None:
        raise InvalidVersion(f"{ecosystem} has no version order")
    first, second = order(one), order(other)
    return (first > second) - (first < second)
