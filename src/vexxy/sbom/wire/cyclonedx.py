"""Reading CycloneDX, every version that is JSON and whatever XML the library reads.

Source: the CycloneDX specification 1.2 to 1.7, `bom-*.schema.json`; the properties are
those that Syft and Trivy add.
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import ParseError

import msgspec
from defusedxml import DefusedXmlException, ElementTree

from vexxy.sbom.errors import InvalidSbom
from vexxy.sbom.types import Distribution, Inventory, Subject
from vexxy.sbom.wire import document

# Component types that are no package: evidence, data, or the machine below.
_NO_PACKAGES: Final = frozenset(
    {"file", "operating-system", "container", "device", "data", "firmware", "platform"}
)
_LOCATION_PROPERTIES: Final = ("aquasecurity:trivy:FilePath", "syft:location:")
_DIGEST_PROPERTIES: Final = ("ImageID", "RepoDigest", "imageDigest", "image_id", "image:")


class _Property(msgspec.Struct):
    name: str | None = None
    value: str | None = None


class _Occurrence(msgspec.Struct):
    location: str | None = None


class _Evidence(msgspec.Struct):
    occurrences: list[_Occurrence] | None = None


class _Component(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    version: str | None = None
    purl: str | None = None
    bom_ref: str | None = msgspec.field(default=None, name="bom-ref")
    components: "list[_Component] | None" = None
    properties: list[_Property] | None = None
    evidence: _Evidence | None = None

    @property
    def label(self) -> str:
        return f"{self.name or 'a component'} {self.version or ''}".strip()

    @property
    def locations(self) -> Sequence[str]:
        occurrences = (self.evidence.occurrences if self.evidence else None) or ()
        found = {occurrence.location for occurrence in occurrences}
        for item in self.properties or ():
            name = item.name or ""
            if name.startswith(_LOCATION_PROPERTIES) and not name.endswith("layerID"):
                found.add(item.value)
        return sorted(f"/{path.lstrip('/')}" for path in found if path)

    @property
    def files(self) -> None:
        return None


class _Metadata(msgspec.Struct):
    component: _Component | None = None


class _Bom(msgspec.Struct):
    spec_version: str | None = msgspec.field(default=None, name="specVersion")
    metadata: _Metadata | None = None
    components: list[_Component] | None = None


def read_json(content: bytes) -> Inventory:
    """Return the inventory of a CycloneDX JSON document.

    Raises:
        InvalidSbom: It is damaged.
    """
    bom = document.decode(content, _Bom, "CycloneDX")
    components = list(_all_components(bom.components or ()))
    about = bom.metadata.component if bom.metadata else None
    return document.inventory_of(
        [item for item in components if item.type not in _NO_PACKAGES],
        source=f"CycloneDX {bom.spec_version or ''}".strip(),
        distribution=_distribution(components),
        subject=None if about is None else _subject(about),
    )


def read_xml(content: bytes) -> Inventory:
    """Return the inventory of a CycloneDX XML document.

    Raises:
        InvalidSbom: It is damaged, or uses entities.
    """
    # The library costs a tenth of a second to load: only who gives XML pays for it.
    from cyclonedx.exception import CycloneDxException  # noqa: PLC0415  see above
    from cyclonedx.model.bom import Bom  # noqa: PLC0415  see above
    from cyclonedx.output.json import JsonV1Dot6  # noqa: PLC0415  see above

    try:
        tree = ElementTree.fromstring(content)
        with warnings.catch_warnings():
            # It advises the document's author on style; this is its reader.
            warnings.simplefilter("ignore", UserWarning)
            bom = Bom.from_xml(tree)  # type: ignore[attr-defined]
            text = JsonV1Dot6(bom).output_as_string()
    except (ParseError, DefusedXmlException, CycloneDxException) as error:
        raise InvalidSbom(f"the CycloneDX document is damaged: {error}") from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InvalidSbom(f"the CycloneDX document could not be read: {error}") from error
    return read_json(text.encode())


def _all_components(components: Sequence[_Component]) -> Iterator[_Component]:
    """Yield every component, nested ones after the one that holds them."""
    pending = list(reversed(components))
    while pending:
        component = pending.pop()
        yield component
        pending.extend(reversed(component.components or ()))


def _distribution(components: Sequence[_Component]) -> Distribution | None:
    for item in components:
        if item.type == "operating-system" and item.name:
            identifier = {"redhat": "rhel"}.get(item.name.lower(), item.name.lower())
            return Distribution(id=identifier, version_id=item.version or "")
    return None


def _subject(about: _Component) -> Subject:
    values = [
        item.value
        for item in about.properties or ()
        if any(mark in (item.name or "") for mark in _DIGEST_PROPERTIES)
    ]
    texts = [about.version, about.purl, about.bom_ref, *values]
    return document.subject_of(about.name or "", texts)
