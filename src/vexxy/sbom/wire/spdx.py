"""Reading SPDX 2.2 and 2.3, JSON and tag-value.

Source: SPDX specification 2.3, clauses 6 (document), 7 (package) and 11 (relationships).
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from vexxy.sbom.errors import InvalidSbom
from vexxy.sbom.types import Distribution, Inventory, Subject
from vexxy.sbom.wire import document

_TAGS: Final = {
    "PackageName": "name",
    "PackageVersion": "versionInfo",
    "SPDXID": "SPDXID",
    "PrimaryPackagePurpose": "primaryPackagePurpose",
    "PackageSourceInfo": "sourceInfo",
}


class _Reference(msgspec.Struct):
    type: str | None = msgspec.field(default=None, name="referenceType")
    locator: str | None = msgspec.field(default=None, name="referenceLocator")


class _Checksum(msgspec.Struct):
    algorithm: str | None = None
    value: str | None = msgspec.field(default=None, name="checksumValue")


class _Package(msgspec.Struct):
    id: str | None = msgspec.field(default=None, name="SPDXID")
    name: str | None = None
    version: str | None = msgspec.field(default=None, name="versionInfo")
    purpose: str | None = msgspec.field(default=None, name="primaryPackagePurpose")
    source_info: str | None = msgspec.field(default=None, name="sourceInfo")
    references: list[_Reference] | None = msgspec.field(default=None, name="externalRefs")
    checksums: list[_Checksum] | None = None
    comment: str | None = None
    attribution: list[str] | None = msgspec.field(default=None, name="attributionTexts")

    @property
    def label(self) -> str:
        return f"{self.name or 'a package'} {self.version or ''}".strip()

    @property
    def purl(self) -> str | None:
        for reference in self.references or ():
            if reference.type == "purl":
                return reference.locator
        return None

    @property
    def locations(self) -> Sequence[str]:
        """Syft writes `acquired package info from ...: /path, /path`."""
        _, colon, paths = (self.source_info or "").rpartition(": ")
        found = [path.strip() for path in paths.split(",")] if colon else []
        return [path for path in found if path.startswith("/")]

    @property
    def files(self) -> None:
        """SPDX can list files, but no tool says which of them a package owns."""
        return None


class _Relationship(msgspec.Struct):
    type: str | None = msgspec.field(default=None, name="relationshipType")
    element: str | None = msgspec.field(default=None, name="spdxElementId")
    related: str | None = msgspec.field(default=None, name="relatedSpdxElement")


class _Document(msgspec.Struct):
    version: str | None = msgspec.field(default=None, name="spdxVersion")
    name: str | None = None
    packages: list[_Package] | None = None
    describes: list[str] | None = msgspec.field(default=None, name="documentDescribes")
    relationships: list[_Relationship] | None = None


def read_json(content: bytes) -> Inventory:
    """Return the inventory of an SPDX 2 JSON document.

    Raises:
        InvalidSbom: It is damaged, or of another SPDX version.
    """
    return _inventory(document.decode(content, _Document, "SPDX"))


def read_tag_value(content: bytes) -> Inventory:
    """Return the inventory of an SPDX 2 tag-value document.

    Raises:
        InvalidSbom: It is of another SPDX version.
    """
    top: dict[str, Any] = {"packages": [], "relationships": []}
    package: dict[str, Any] | None = None
    for line in content.decode("utf-8", "replace").splitlines():
        tag, colon, value = line.partition(":")
        if not colon or line.startswith("#"):
            continue
        tag, value = tag.strip(), value.strip()
        if tag == "PackageName":
            package = {"externalRefs": []}
            top["packages"].append(package)
        elif tag in {"FileName", "SnippetSPDXID", "LicenseID"}:
            package = None
        _take(top, package, (tag, value))
    try:
        return _inventory(msgspec.convert(top, _Document))
    except msgspec.ValidationError as error:
        raise InvalidSbom(f"the SPDX document is damaged: {error}") from error


def _take(
    top: dict[str, Any], package: dict[str, Any] | None, line: tuple[str, str]
) -> None:
    tag, value = line
    words = value.split()
    if tag == "SPDXVersion":
        top["spdxVersion"] = value
    elif tag == "DocumentName":
        top["name"] = value
    elif tag == "Relationship" and len(words) >= 3:  # noqa: PLR2004  element, type, element
        top["relationships"].append(
            {
                "spdxElementId": words[0],
                "relationshipType": words[1],
                "relatedSpdxElement": words[2],
            }
        )
    elif package is not None and tag in _TAGS:
        package[_TAGS[tag]] = value
    elif package is not None and tag == "ExternalRef" and len(words) >= 3:  # noqa: PLR2004  category, type, locator
        package["externalRefs"].append(
            {"referenceType": words[1], "referenceLocator": words[2]}
        )


def _inventory(spdx: _Document) -> Inventory:
    if not (spdx.version or "").startswith("SPDX-2."):
        raise InvalidSbom(
            f"SPDX version {spdx.version!r} is not read",
            hint="export the document as SPDX 2.3 or CycloneDX",
        )
    described = set(spdx.describes or ()) | {
        item.related
        for item in spdx.relationships or ()
        if item.type == "DESCRIBES" and item.element == "SPDXRef-DOCUMENT"
    }
    packages = spdx.packages or []
    # A document about one package (no container around it) lists it as its subject.
    about = [item for item in packages if item.id in described and _is_container(item)]
    return document.inventory_of(
        [item for item in packages if item not in about and not _is_system(item)],
        source=str(spdx.version),
        distribution=_distribution(packages),
        subject=_subject(spdx, about),
    )


def _is_container(item: _Package) -> bool:
    return item.purl is None or item.purl.startswith(("pkg:oci/", "pkg:docker/"))


def _is_system(item: _Package) -> bool:
    return item.purpose in {"OPERATING-SYSTEM", "OPERATING_SYSTEM"}


def _distribution(packages: Sequence[_Package]) -> Distribution | None:
    for item in packages:
        if _is_system(item) and item.name:
            identifier = {"redhat": "rhel"}.get(item.name.lower(), item.name.lower())
            return Distribution(id=identifier, version_id=item.version or "")
    return None


def _subject(spdx: _Document, about: Sequence[_Package]) -> Subject:
    texts: list[str | None] = []
    for item in about:
        texts += [item.version, item.purl, item.comment, *(item.attribution or ())]
        for checksum in item.checksums or ():
            if checksum.algorithm == "SHA256":
                texts.append(f"sha256:{checksum.value}")
    return document.subject_of(spdx.name or "", texts)
