"""Values of inventories."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Distribution:
    """The distribution of an image, from `os-release`.

    Attributes:
        id: `ID`, such as `debian`, `alpine`, `rocky`.
        version_id: `VERSION_ID`, empty for rolling releases.
        codename: `VERSION_CODENAME`, often empty.
    """

    id: str
    version_id: str = ""
    codename: str = ""


@dataclass(frozen=True, slots=True)
class Package:
    """One installed copy of a package.

    Two copies of one npm package in two folders are two packages: the answer to
    "is it reached" differs per copy.

    Attributes:
        purl: Canonical package URL with qualifiers where the ecosystem has them.
        type: purl type: deb, apk, rpm, pypi, npm, golang, cargo, maven, gem, composer.
        name: The name in its ecosystem (`libssl3`, `@scope/pkg`, `golang.org/x/net`,
            `group:artifact` for Maven).
        version: As the ecosystem writes it, epoch included.
        ecosystem: OSV ecosystem with release: `Debian:12`, `Alpine:v3.20`, `PyPI`,
            `npm`, `Go`, `crates.io`, `Maven`, `RubyGems`, `Packagist`, `Rocky Linux:9`;
            empty when OSV has none.
        source_name: Source package, the name advisories use for deb, apk and rpm.
        source_version: Version of the source package.
        architecture: `amd64`, `all`, empty where the ecosystem has none.
        locations: Canonical image paths that prove the package is installed.
        files: Canonical image paths that the package owns, regular files only.
        embedded_in: Canonical path of the binary or archive that contains the package
            (Go and Rust binaries, nested jars), else None.
        files_known: False when the source of the inventory lists no files, so that
            "no owned file was touched" says nothing.
        missing: Paths of code that the database lists and the image does not have; they
            may have been moved.
    """

    purl: str
    type: str
    name: str
    version: str
    ecosystem: str
    source_name: str = ""
    source_version: str = ""
    architecture: str = ""
    locations: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    embedded_in: str | None = None
    files_known: bool = True
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the image that could not be read as an inventory.

    A package that may hide behind a problem must not be called absent.
    """

    path: str
    message: str


class SbomFormat(StrEnum):
    """The documents that we write."""

    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an SBOM document says it describes.

    Attributes:
        digests: Every `sha256:<64 hex>` that identifies the image: of the configuration,
            a manifest or an index, whichever the document names.
    """

    name: str
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything found installed, with where it was looked for.

    Attributes:
        sources: Readers that found packages (`dpkg`, `npm`), or the document's format.
        subject: What the document was about, for inventories that come from an SBOM.
    """

    distribution: Distribution | None
    packages: tuple[Package, ...]
    sources: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    subject: Subject | None = None
