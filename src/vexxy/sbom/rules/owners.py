"""From a file to the packages that brought it."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from vexxy.sbom.types import Inventory, Package

DISTRIBUTION_TYPES: Final = frozenset({"deb", "apk", "rpm"})


def index_owners(inventory: Inventory) -> Mapping[str, tuple[Package, ...]]:
    """Return, for each canonical path, every package that is in that file.

    A binary leads to the modules embedded in it, an archive to the archives nested in
    it. A module that pip and Debian both claim leads to both packages.
    """
    owners: dict[str, list[Package]] = defaultdict(list)
    for package in inventory.packages:
        for path in package.files:
            owners[path].append(package)
        if package.embedded_in and package.embedded_in not in package.files:
            owners[package.embedded_in].append(package)
    return {path: tuple(packages) for path, packages in owners.items()}


def distribution_owner(
    package: Package, owners: Mapping[str, tuple[Package, ...]]
) -> Package | None:
    """Return the distribution's package that installed this language package, if any.

    Distributions mend vulnerabilities without changing the upstream version, so what
    PyPI or npm say about such a copy may be wrong; their own advisories decide.
    """
    if package.type in DISTRIBUTION_TYPES:
        return None
    for path in package.locations:
        for owner in owners.get(path, ()):
            if owner.type in DISTRIBUTION_TYPES:
                return owner
    return None
