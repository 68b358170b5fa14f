"""How OSV names the place where a package's vulnerabilities are published.

Source: OSV schema, `affected[].package.ecosystem`, and its `ecosystems.json`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from vexxy.sbom.types import Distribution

LANGUAGES: Final[Mapping[str, str]] = {
    "pypi": "PyPI",
    "npm": "npm",
    "golang": "Go",
    "cargo": "crates.io",
    "maven": "Maven",
    "gem": "RubyGems",
    "composer": "Packagist",
}
_DISTRIBUTION_TYPES: Final = frozenset({"deb", "apk", "rpm"})


def ecosystem_of(package_type: str, distribution: Distribution | None) -> str:
    """Return the OSV ecosystem of a purl type, with the release; empty if OSV has none."""
    if package_type in LANGUAGES:
        return LANGUAGES[package_type]
    if package_type not in _DISTRIBUTION_TYPES or distribution is None:
        return ""
    writer = _DISTRIBUTIONS.get(distribution.id.lower())
    return writer(distribution) if writer else ""


def _major(name: str) -> Callable[[Distribution], str]:
    """Ecosystems that are followed by the first number of the release."""

    def write(distribution: Distribution) -> str:
        major = distribution.version_id.partition(".")[0]
        return f"{name}:{major}" if major else name

    return write


def _plain(name: str) -> Callable[[Distribution], str]:
    """Rolling distributions: one stream, no release."""
    return lambda _: name


def _whole(name: str) -> Callable[[Distribution], str]:
    return lambda distribution: f"{name}:{distribution.version_id}"


def _ubuntu(distribution: Distribution) -> str:
    year, _, month = distribution.version_id.partition(".")
    long_term = month == "04" and year.isdigit() and int(year) % 2 == 0
    return f"Ubuntu:{distribution.version_id}" + (":LTS" if long_term else "")


def _alpine(distribution: Distribution) -> str:
    numbers = distribution.version_id.split("_")[0].split(".")
    if len(numbers) < 2 or not all(number.isdigit() for number in numbers[:2]):  # noqa: PLR2004  major and minor
        return ""  # edge: OSV publishes release branches only
    return f"Alpine:v{numbers[0]}.{numbers[1]}"


def _red_hat(distribution: Distribution) -> str:
    """OSV adds a product stream (`::baseos`); an image does not say which it used."""
    major = distribution.version_id.partition(".")[0]
    return f"Red Hat:enterprise_linux:{major}" if major else "Red Hat"


def _leap(distribution: Distribution) -> str:
    return f"openSUSE:Leap {distribution.version_id}"


def _sles(distribution: Distribution) -> str:
    major, _, pack = distribution.version_id.partition(".")
    suffix = f" SP{pack}" if pack and pack != "0" else ""
    return f"SUSE:Linux Enterprise Server {major}{suffix}"


_DISTRIBUTIONS: Final[Mapping[str, Callable[[Distribution], str]]] = {
    "debian": _major("Debian"),
    "ubuntu": _ubuntu,
    "alpine": _alpine,
    "rocky": _major("Rocky Linux"),
    "almalinux": _major("AlmaLinux"),
    "rhel": _red_hat,
    # CentOS rebuilt the same sources under the same versions; OSV has no list of its own.
    "centos": _red_hat,
    "opensuse-leap": _leap,
    "opensuse-tumbleweed": _plain("openSUSE:Tumbleweed"),
    "sles": _sles,
    "mageia": _major("Mageia"),
    "photon": _whole("Photon OS"),
    "azurelinux": _major("Azure Linux"),
    "wolfi": _plain("Wolfi"),
    "chainguard": _plain("Chainguard"),
}
