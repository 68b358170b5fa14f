"""Writing SPDX 2.3 JSON.

Source: SPDX specification 2.3. Licenses were not looked for, so every license field is
NOASSERTION, which is what the specification has for that (clause 7.13).
"""

import json
import re
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from packageurl import PackageURL

from vexxy.images.types import Image
from vexxy.kit import clock
from vexxy.sbom.rules import purls
from vexxy.sbom.types import Inventory, Package

VERSION: Final = "SPDX-2.3"
UNKNOWN: Final = "NOASSERTION"
_ROOT: Final = "SPDXRef-Image"
_NOT_AN_IDENTIFIER: Final = re.compile(r"[^A-Za-z0-9.-]+")


def write_json(
    inventory: Inventory, image: Image, *, created_at: datetime, tool_version: str
) -> str:
    """Return the inventory as a document about this image.

    The same inventory, image and instant give the same text.
    """
    instant = clock.rfc3339(created_at)
    packages = [
        _package(package, number) for number, package in enumerate(inventory.packages)
    ]
    name = image.name or "image"
    serial = uuid5(NAMESPACE_URL, f"{image.digest} {instant}")
    document = {
        "spdxVersion": VERSION,
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image.reference or name,
        "documentNamespace": f"urn:uuid:{serial}",
        "creationInfo": {"created": instant, "creators": [f"Tool: vexxy-{tool_version}"]},
        "packages": [_image(image, name), *_system(inventory), *packages],
        "relationships": [
            _relationship("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT),
            *(_relationship(_ROOT, "CONTAINS", item["SPDXID"]) for item in packages),
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _image(image: Image, name: str) -> dict[str, Any]:
    purl = PackageURL(type="oci", name=name, version=image.digest)
    return _stated(_ROOT, name, image.digest) | {
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [
            {"algorithm": "SHA256", "checksumValue": image.digest.partition(":")[2]}
        ],
        "externalRefs": [_purl_reference(purl.to_string())],
        "comment": f"image id {image.image_id}",
    }


def _system(inventory: Inventory) -> list[dict[str, Any]]:
    distribution = inventory.distribution
    if distribution is None:
        return []
    version = distribution.version_id or UNKNOWN
    stated = _stated("SPDXRef-OperatingSystem", distribution.id, version)
    return [stated | {"primaryPackagePurpose": "OPERATING-SYSTEM"}]


def _package(package: Package, number: int) -> dict[str, Any]:
    identifier = _NOT_AN_IDENTIFIER.sub("-", f"{package.type}-{package.name}")
    fields = _stated(
        f"SPDXRef-Package-{number}-{identifier}", package.name, package.version
    )
    if package.locations:
        paths = ", ".join(package.locations)
        fields["sourceInfo"] = f"found installed by its metadata: {paths}"
    if package.embedded_in:
        fields["comment"] = f"embedded in {package.embedded_in}"
    reference = _purl_reference(purls.purl_with_source(package))
    return fields | {"primaryPackagePurpose": "LIBRARY", "externalRefs": [reference]}


def _stated(identifier: str, name: str, version: str) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version or UNKNOWN,
        "supplier": UNKNOWN,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
    }


def _purl_reference(purl: str) -> dict[str, str]:
    return {
        "referenceCategory": "PACKAGE-MANAGER",
        "referenceType": "purl",
        "referenceLocator": purl,
    }


def _relationship(element: str, kind: str, related: str) -> dict[str, str]:
    return {
        "spdxElementId": element,
        "relationshipType": kind,
        "relatedSpdxElement": related,
    }
