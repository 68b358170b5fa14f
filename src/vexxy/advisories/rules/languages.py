"""Version orders of language ecosystems, as sort keys.

Own keys stand where an order is asked for often (semver) or no library has it right
(Composer); PEP 440, Maven, RubyGems and NuGet are left to libraries.
"""

import re
from typing import Final

from packaging import version as pep440
from univers import versions as univers

from vexxy.advisories.errors import InvalidVersion
from vexxy.advisories.rules.distributions import Key

_SEMVER: Final = re.compile(
    r"[v=]?(\d+(?:\.\d+)*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.+-]*)?", re.ASCII
)
_SEMVER_PARTS: Final = 3
_RELEASED: Final = (1,)


def semver_key(version: str) -> Key:
    """Return the order of Semantic Versioning 2.0.0, section 11.

    Missing parts count as 0, as in `1.2`; build metadata is ignored, so that Go's
    `+incompatible` changes nothing; Go's pseudo-versions are pre-releases.
    """
    found = _SEMVER.fullmatch(version.strip())
    if found is None:
        raise InvalidVersion(version)
    numbers = [int(part) for part in found[1].split(".")]
    numbers += [0] * (_SEMVER_PARTS - len(numbers))
    if found[2] is None:
        return tuple(numbers), _RELEASED
    identifiers = found[2].split(".")
    if not all(identifiers):
        raise InvalidVersion(version)
    return tuple(numbers), (
        0,
        *((0, int(one)) if one.isdigit() else (1, one) for one in identifiers),
    )


_GO_TOOLCHAIN: Final = re.compile(
    r"go(\d+(?:\.\d+)*)(?:(beta|rc)(\d+))?(?:[-\s].*)?", re.ASCII
)


def go_version(version: str) -> str:
    """Return a Go version as the vulnerability database writes it.

    `v1.2.3` loses its `v`; `go1.22rc1`, the toolchain's own form, becomes
    `1.22.0-rc.1`, and what follows a space (`X:boringcrypto`) is left out.
    """
    found = _GO_TOOLCHAIN.fullmatch(version)
    if found is None:
        return version.removeprefix("v")
    parts = found[1].split(".")
    number = ".".join(parts + ["0"] * (_SEMVER_PARTS - len(parts)))
    return f"{number}-{found[2]}.{found[3]}" if found[2] else number


def go_key(version: str) -> Key:
    """Return the order of Go modules and of the Go toolchain."""
    return semver_key(go_version(version))


def python_key(version: str) -> Key:
    """Return the order of PEP 440."""
    try:
        return (pep440.Version(version),)
    except pep440.InvalidVersion as problem:
        raise InvalidVersion(version) from problem


# Maven 3.8 reads `release` as it reads `final` and `ga`: as nothing. univers does not.
_MAVEN_RELEASE: Final = re.compile(r"(?<![a-z])release(?![a-z])", re.IGNORECASE)


def maven_key(version: str) -> Key:
    """Return the order of Maven's ComparableVersion."""
    return _univers_key(univers.MavenVersion, _MAVEN_RELEASE.sub("final", version))


def gem_key(version: str) -> Key:
    """Return the order of Gem::Version."""
    return _univers_key(univers.RubygemsVersion, version)


def nuget_key(version: str) -> Key:
    """Return the order of NuGet, four numbers and a case-blind pre-release."""
    return _univers_key(univers.NugetVersion, version)


def _univers_key(kind: type[univers.Version], version: str) -> Key:
    try:
        return (kind(version),)
    except (univers.InvalidVersion, ValueError, TypeError, AttributeError) as problem:
        raise InvalidVersion(version) from problem


_COMPOSER: Final = re.compile(
    r"v?(\d{1,5})(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?"
    r"(?:[._-]?(?:(stable|beta|b|rc|alpha|a|patch|pl|p)((?:[.-]?\d+)*))?([.-]?dev)?)"
    r"(?:\+\S*)?",
    re.IGNORECASE | re.ASCII,
)
_COMPOSER_RANKS: Final = {"a": 1, "b": 2, "r": 3, "p": 5}
_COMPOSER_STABLE: Final = 4


def composer_key(version: str) -> Key:
    """Return the order of Composer's VersionParser and PHP's version_compare.

    Branches such as `dev-main` have no order and are refused.
    """
    found = _COMPOSER.fullmatch(version.strip())
    if found is None:
        raise InvalidVersion(version)
    numbers = tuple(int(found[place] or 0) for place in range(1, 5))
    stability = (found[5] or "stable").lower()
    tail: list[tuple[int, int]] = []
    if stability != "stable":
        tail.append((_COMPOSER_RANKS[stability[0]], 0))
        tail += [(_COMPOSER_STABLE + 2, int(n)) for n in re.findall(r"\d+", found[6])]
    if found[7]:
        tail.append((0, 0))
    tail.append((_COMPOSER_STABLE, 0))
    return numbers, tuple(tail)
