"""Two inventories of what should be one image: do they agree, and joining them."""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Final, TypeAlias

from vexxy.sbom.rules.owners import DISTRIBUTION_TYPES
from vexxy.sbom.types import Inventory, Package

Key: TypeAlias = tuple[str, str, str]

# Tools disagree about what counts as a language package; two thirds of them in common is
# far more than two different applications share.
LANGUAGE_SHARE_MIN: Final = 2 / 3
_EXAMPLES_MAX: Final = 3
# Keys that rpm keeps among its packages; some tools list them, we do not.
_NO_PACKAGES: Final = frozenset({"gpg-pubkey"})


def package_key(package: Package) -> Key:
    """Return what makes two packages the same for every tool: type, name, version."""
    return package.type, package.name, package.version.removeprefix("go").removeprefix("v")


def mismatch(
    given: Inventory, found: Inventory, *, digests: Collection[str] = ()
) -> str | None:
    """Return why an SBOM is not about this image, or None if it is.

    A digest that the document shares with the image decides. Without one the packages
    do: a distribution's database is read alike by every tool, so each package of it must
    be in both. A wrong SBOM would make the analysis answer for another image.

    Args:
        given: The inventory of the SBOM.
        found: The inventory of the image itself.
        digests: Every digest of the image: configuration, manifest, index.
    """
    if given.subject and set(given.subject.digests) & set(digests):
        return None
    if not given.packages:
        return "the SBOM lists no packages" if found.packages else None
    listed, installed = _keys(given, system=True), _keys(found, system=True)
    if listed != installed:
        return _difference(listed, installed)
    return _languages_differ(given, found) if not installed else None


def _difference(listed: set[Key], installed: set[Key]) -> str:
    absent, unlisted = sorted(listed - installed), sorted(installed - listed)
    parts = []
    if absent:
        parts.append(
            f"{len(absent)} of the {len(listed)} system packages it lists are not in the "
            f"image ({_examples(absent)})"
        )
    if unlisted:
        parts.append(
            f"{len(unlisted)} of the {len(installed)} system packages in the image are not "
            f"listed ({_examples(unlisted)})"
        )
    return "; ".join(parts)


def _languages_differ(given: Inventory, found: Inventory) -> str | None:
    listed, installed = _keys(given, system=False), _keys(found, system=False)
    shared = listed & installed
    if len(shared) >= LANGUAGE_SHARE_MIN * len(listed):
        return None
    return (
        f"only {len(shared)} of the {len(listed)} packages it lists are in the image "
        f"(missing: {_examples(sorted(listed - installed))})"
    )


def _keys(inventory: Inventory, *, system: bool) -> set[Key]:
    return {
        package_key(package)
        for package in inventory.packages
        if (package.type in DISTRIBUTION_TYPES) == system
        and package.name not in _NO_PACKAGES
    }


def _examples(keys: Iterable[Key]) -> str:
    shown = [f"{name} {version}" for _, name, version in list(keys)[:_EXAMPLES_MAX]]
    return ", ".join(shown)


def with_files(given: Inventory, found: Inventory) -> Inventory:
    """Return the SBOM's packages with the locations and files the image really has.

    A package that lies in the image in several copies becomes several. One that is not
    found keeps what the SBOM said, with its files unknown.
    """
    copies: Mapping[Key, list[Package]] = defaultdict(list)
    for package in found.packages:
        copies[package_key(package)].append(package)
    packages: dict[Package, None] = {}
    for package in given.packages:
        present = copies.get(package_key(package))
        for copy in present or ():
            packages[_joined(package, copy)] = None
        if not present:
            unknown = dataclasses.replace(package, files=(), files_known=False)
            packages[unknown] = None
    return dataclasses.replace(
        given,
        distribution=found.distribution or given.distribution,
        packages=tuple(packages),
        problems=(*given.problems, *found.problems),
    )


def _joined(listed: Package, copy: Package) -> Package:
    """Return the copy as found, with the purl that the SBOM's owner uses for it."""
    return dataclasses.replace(copy, purl=listed.purl)
