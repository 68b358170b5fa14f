"""Writing CycloneDX 1.6 JSON.

Source: CycloneDX specification 1.6. Occurrences are where a package was found;
`upstream` in a purl is how Syft names a source package and how Grype reads it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from vexxy.images.types import Image
from vexxy.kit import clock
from vexxy.sbom.rules import purls
from vexxy.sbom.types import Inventory, Package

PROPERTY_EMBEDDED_IN: Final = "vexxy:embedded_in"
PROPERTY_IMAGE_ID: Final = "vexxy:image_id"
_GROUPED: Final = {"npm": "/", "maven": ":", "composer": "/"}


def write_json(
    inventory: Inventory, image: Image, *, created_at: datetime, tool_version: str
) -> str:
    """Return the inventory as a document about this image.

    The same inventory, image and instant give the same text.
    """
    root = Component(
        name=image.name or image.reference or "image",
        version=image.digest,
        type=ComponentType.CONTAINER,
        bom_ref=image.digest,
        purl=_image_purl(image),
        properties=[Property(name=PROPERTY_IMAGE_ID, value=image.image_id)],
    )
    writer = Component(name="vexxy", version=tool_version, type=ComponentType.APPLICATION)
    components = [*_system(inventory), *_components(inventory)]
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"{image.digest} {clock.rfc3339(created_at)}"),
        components=components,
        metadata=BomMetaData(
            component=root,
            timestamp=created_at,
            tools=ToolRepository(components=[writer]),
        ),
    )
    bom.register_dependency(root, components)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _image_purl(image: Image) -> PackageURL | None:
    if not image.name:
        return None
    return PackageURL(type="oci", name=image.name, version=image.digest)


def _system(inventory: Inventory) -> Iterator[Component]:
    if inventory.distribution is not None:
        yield Component(
            name=inventory.distribution.id,
            version=inventory.distribution.version_id or None,
            type=ComponentType.OPERATING_SYSTEM,
            bom_ref=f"os:{inventory.distribution.id}",
        )


def _components(inventory: Inventory) -> Iterator[Component]:
    for number, package in enumerate(inventory.packages):
        group, name = _group_and_name(package)
        purl = purls.purl_with_source(package)
        properties = []
        if package.embedded_in:
            properties.append(
                Property(name=PROPERTY_EMBEDDED_IN, value=package.embedded_in)
            )
        yield Component(
            name=name,
            group=group or None,
            version=package.version or None,
            type=ComponentType.LIBRARY,
            # Copies of one package share their purl; a reference must be unique.
            bom_ref=f"{number}:{package.purl}",
            purl=PackageURL.from_string(purl),
            properties=properties,
            evidence=ComponentEvidence(
                occurrences=[Occurrence(location=path) for path in package.locations]
            ),
        )


def _group_and_name(package: Package) -> tuple[str, str]:
    separator = _GROUPED.get(package.type)
    if separator is None:
        return "", package.name
    group, _, name = package.name.rpartition(separator)
    return group, name
