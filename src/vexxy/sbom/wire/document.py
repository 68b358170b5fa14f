"""What the readers of SBOM documents share: turning purls into an inventory."""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from vexxy.sbom.errors import InvalidSbom
from vexxy.sbom.rules import purls
from vexxy.sbom.types import Distribution, Inventory, Package, Problem, Subject

# More than any image has; reading one takes a tenth of a millisecond.
PACKAGES_MAX: Final = 100_000
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_Document = TypeVar("_Document")


class Listed(Protocol):
    """A package of a document, before it became one of ours."""

    @property
    def purl(self) -> str | None:
        """The purl, None when the document has none."""

    @property
    def label(self) -> str:
        """Name and version, for people."""

    @property
    def locations(self) -> Sequence[str]:
        """Paths that the document names as evidence."""

    @property
    def files(self) -> Sequence[str] | None:
        """Paths that the package owns, None when the document does not tell."""


def decode(content: bytes, kind: type[_Document], name: str) -> _Document:
    """Return the document as the given structure.

    Raises:
        InvalidSbom: It is no JSON or a field has the wrong kind; the message says which.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidSbom(f"the {name} document is damaged: {error}") from error


def inventory_of(
    listed: Iterable[Listed],
    *,
    source: str,
    distribution: Distribution | None,
    subject: Subject | None,
) -> Inventory:
    """Return the packages that have a purl; the rest become problems."""
    packages: list[Package] = []
    problems: list[Problem] = []
    for item in listed:
        package = purls.package_of_purl(item.purl or "", distribution=distribution)
        if package is None:
            reason = "has no purl" if not item.purl else f"has no valid purl: {item.purl}"
            problems.append(Problem(path="", message=f"{item.label} {reason}"))
        elif package.type not in {"oci", "docker", "generic"}:
            packages.append(_located(package, item))
        if len(packages) + len(problems) > PACKAGES_MAX:
            raise InvalidSbom(f"the document lists more than {PACKAGES_MAX} packages")
    unique = sorted(set(packages), key=lambda item: (item.type, item.purl, item.locations))
    return Inventory(
        distribution=distribution,
        packages=tuple(unique),
        sources=(source,),
        problems=tuple(problems),
        subject=subject,
    )


def _located(package: Package, item: Listed) -> Package:
    files = item.files
    return dataclasses.replace(
        package,
        locations=tuple(sorted(item.locations)),
        files=tuple(sorted(files or ())),
        files_known=files is not None,
    )


def subject_of(name: str, texts: Iterable[str | None]) -> Subject:
    """Return the subject with every digest that the texts mention."""
    digests = {
        digest
        for text in texts
        for digest in _DIGEST.findall((text or "").replace("%3A", ":"))
    }
    return Subject(name=name, digests=tuple(sorted(digests)))
