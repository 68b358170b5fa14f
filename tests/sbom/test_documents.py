"""SBOM documents: ours are valid to other people's tools, theirs are understood."""

import dataclasses
import json
import pathlib
import warnings
from datetime import UTC, datetime

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.output.xml import XmlV1Dot5
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from vexxy.images.types import Image, ImageConfig, Platform
from vexxy.sbom import service
from vexxy.sbom.errors import InvalidSbom, SbomMissing
from vexxy.sbom.types import Distribution, Inventory, Package, SbomFormat

CREATED_AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
MANIFEST = "sha256:" + "a" * 64
CONFIG = "sha256:" + "c" * 64
DEBIAN = Distribution("debian", "12")


def an_image(name: str = "app") -> Image:
    return Image(
        reference="registry.example/team/app:1",
        name=name,
        image_id=CONFIG,
        manifest_digest=MANIFEST,
        index_digest=None,
        repo_digests=(),
        platform=Platform("linux", "amd64"),
        config=ImageConfig(),
        size_bytes=1,
    )


def a_package(purl: str, **facts: object) -> Package:
    kind, _, rest = purl.removeprefix("pkg:").partition("/")
    name, _, version = rest.partition("?")[0].rpartition("@")
    described = {
        "type": kind,
        "name": name,
        "version": version,
        "ecosystem": "",
        "files_known": False,
    }
    return Package(purl=purl, **described | facts)  # type: ignore[arg-type]


PACKAGES = (
    a_package(
        "pkg:deb/debian/libssl3@1:3.0.15-1%2Bb1?arch=amd64&distro=debian-12",
        name="libssl3",
        version="1:3.0.15-1+b1",
        ecosystem="Debian:12",
        source_name="openssl",
        source_version="1:3.0.15-1",
        architecture="amd64",
        locations=("/var/lib/dpkg/status",),
    ),
    a_package(
        "pkg:golang/golang.org/x/net@v0.7.0",
        ecosystem="Go",
        locations=("/app",),
    ),
    a_package("pkg:golang/stdlib@1.19.8", version="go1.19.8", ecosystem="Go"),
    a_package(
        "pkg:maven/org.x/core@1.0",
        name="org.x:core",
        ecosystem="Maven",
        locations=("/a.jar",),
    ),
    a_package(
        "pkg:npm/%40scope/pkg@1.0.0",
        name="@scope/pkg",
        ecosystem="npm",
        locations=("/app/node_modules/@scope/pkg/package.json",),
    ),
    a_package("pkg:npm/qs@6.7.0", ecosystem="npm", locations=("/a/package.json",)),
    a_package("pkg:npm/qs@6.7.0", ecosystem="npm", locations=("/b/package.json",)),
    a_package("pkg:pypi/zope.interface@5", name="zope-interface", ecosystem="PyPI"),
    a_package("pkg:pypi/flask@2.0.1", ecosystem="PyPI", locations=("/x/METADATA",)),
    a_package(
        "pkg:rpm/rocky/bash@5.1-4.el9?arch=x86_64&distro=rocky-9.3&epoch=2",
        name="bash",
        version="2:5.1-4.el9",
        ecosystem="Rocky Linux:9",
        source_name="bash",
        source_version="2:5.1-4.el9",
        architecture="x86_64",
    ),
)


def an_inventory() -> Inventory:
    return Inventory(distribution=None, packages=PACKAGES)


def written(tmp_path: pathlib.Path, content: object, name: str = "sbom") -> pathlib.Path:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("sbom_format", SbomFormat)
def test_what_is_written_is_read_back(
    tmp_path: pathlib.Path, sbom_format: SbomFormat
) -> None:
    text = service.write_sbom(
        an_inventory(), an_image(), sbom_format=sbom_format, created_at=CREATED_AT
    )

    found = service.read_sbom(written(tmp_path, text))

    assert set(found.packages) == set(PACKAGES)
    assert found.subject is not None
    assert set(found.subject.digests) == {MANIFEST, CONFIG}
    assert found.problems == ()


@pytest.mark.parametrize("sbom_format", SbomFormat)
def test_the_same_inventory_and_instant_give_the_same_text(sbom_format: SbomFormat) -> None:
    texts = {
        service.write_sbom(
            an_inventory(), an_image(), sbom_format=sbom_format, created_at=CREATED_AT
        )
        for _ in range(3)
    }

    assert len(texts) == 1


@pytest.mark.parametrize("name", ["app", ""])
def test_cyclonedx_is_valid_by_its_own_strict_schema(name: str) -> None:
    inventory = dataclasses.replace(an_inventory(), distribution=DEBIAN)
    text = service.write_sbom(inventory, an_image(name), created_at=CREATED_AT)

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["metadata"]["timestamp"].startswith("2026-11-21T08:00:00")
    purls = {item.get("purl") for item in document["components"]}
    assert (
        "pkg:deb/debian/libssl3@1:3.0.15-1%2Bb1"
        "?arch=amd64&distro=debian-12&upstream=openssl%401:3.0.15-1"
    ) in purls
    scoped = next(item for item in document["components"] if item["name"] == "pkg")
    assert scoped["group"] == "@scope"


@pytest.mark.parametrize("name", ["app", ""])
def test_spdx_is_valid_by_the_official_tools(tmp_path: pathlib.Path, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from spdx_tools.spdx.parser.parse_anything import parse_file  # noqa: PLC0415  warns when loaded
        from spdx_tools.spdx.validation.document_validator import (  # noqa: PLC0415  same
            validate_full_spdx_document,
        )
    inventory = dataclasses.replace(an_inventory(), distribution=DEBIAN)
    text = service.write_sbom(
        inventory, an_image(name), sbom_format=SbomFormat.SPDX, created_at=CREATED_AT
    )
    path = written(tmp_path, text, "app.spdx.json")

    document = parse_file(str(path))

    assert validate_full_spdx_document(document) == []
    assert len(document.packages) == len(PACKAGES) + 2


def test_what_syft_writes_is_understood(tmp_path: pathlib.Path) -> None:
    document = {
        "artifacts": [
            {
                "name": "libssl3",
                "version": "3.0.15-1",
                "type": "deb",
                "locations": [{"path": "/var/lib/dpkg/status", "layerID": "sha256:1"}],
                "purl": "pkg:deb/debian/libssl3@3.0.15-1?arch=amd64"
                "&distro=debian-12&upstream=openssl",
                "metadataType": "dpkg-db-entry",
                "metadata": {"files": [{"path": "/usr/lib/libssl.so.3"}, {"path": "/x"}]},
            },
            {
                "name": "f",
                "version": "1",
                "purl": "pkg:pypi/f@1",
                "metadata": {"files": [7]},
            },
            {"name": "bin", "version": "1", "purl": "", "metadata": "text"},
        ],
        "source": {
            "name": "app",
            "version": "x",
            "type": "image",
            "metadata": {"imageID": CONFIG, "manifestDigest": MANIFEST, "repoDigests": []},
        },
        "distro": {"id": "debian", "versionID": "12", "versionCodename": "bookworm"},
        "schema": {"version": "16.0.0"},
    }

    found = service.read_sbom(written(tmp_path, document))

    assert found.distribution == Distribution("debian", "12", "bookworm")
    libssl = next(package for package in found.packages if package.type == "deb")
    assert libssl.purl == "pkg:deb/debian/libssl3@3.0.15-1?arch=amd64&distro=debian-12"
    assert libssl.source_name == "openssl"
    assert libssl.files == ("/usr/lib/libssl.so.3", "/x")
    assert libssl.files_known
    flask = next(package for package in found.packages if package.type == "pypi")
    assert not flask.files_known
    assert [problem.message for problem in found.problems] == ["bin 1 has no purl"]
    assert found.subject is not None
    assert found.subject.digests == (MANIFEST, CONFIG)


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7"])
def test_cyclonedx_of_trivy_and_old_versions_is_understood(
    tmp_path: pathlib.Path, version: str
) -> None:
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": version,
        "metadata": {
            "component": {
                "type": "container",
                "name": "app",
                "purl": f"pkg:oci/app@sha256%3A{'a' * 64}?arch=amd64",
                "properties": [{"name": "aquasecurity:trivy:DiffID", "value": CONFIG}],
            }
        },
        "components": [
            {"type": "operating-system", "name": "redhat", "version": "9.3"},
            {
                "type": "library",
                "name": "bash",
                "version": "5.1",
                "purl": "pkg:rpm/redhat/bash@5.1-4?arch=x86_64&epoch=1",
                "components": [
                    {
                        "type": "library",
                        "name": "inner",
                        "purl": "pkg:npm/inner@1",
                        "properties": [
                            {
                                "name": "aquasecurity:trivy:FilePath",
                                "value": "a/package.json",
                            }
                        ],
                    }
                ],
            },
            {"type": "library", "name": "nameless"},
            {"type": "file", "name": "/etc/passwd"},
            {"type": "library", "name": "odd", "purl": "not a purl"},
        ],
    }

    found = service.read_sbom(written(tmp_path, document))

    assert found.distribution == Distribution("rhel", "9.3")
    bash = next(package for package in found.packages if package.type == "rpm")
    assert (bash.version, bash.ecosystem) == ("1:5.1-4", "Red Hat:enterprise_linux:9")
    inner = next(package for package in found.packages if package.type == "npm")
    assert inner.locations == ("/a/package.json",)
    assert [problem.message for problem in found.problems] == [
        "nameless has no purl",
        "odd has no valid purl: not a purl",
    ]
    assert found.subject is not None
    assert found.subject.digests == (MANIFEST,)


def test_cyclonedx_xml_is_understood(tmp_path: pathlib.Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        text = service.write_sbom(an_inventory(), an_image(), created_at=CREATED_AT)
        bom = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]
        xml = XmlV1Dot5(bom).output_as_string()

    found = service.read_sbom(written(tmp_path, xml))

    assert {package.purl for package in found.packages} == {p.purl for p in PACKAGES}


def test_spdx_tags_are_understood(tmp_path: pathlib.Path) -> None:
    text = f"""SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: app
PackageName: app
SPDXID: SPDXRef-image
PackageVersion: {MANIFEST}
PackageName: libssl3
SPDXID: SPDXRef-1
PackageVersion: 3.0.15-1
PackageSourceInfo: acquired package info from DPKG DB: /var/lib/dpkg/status
ExternalRef: SECURITY cpe23Type cpe:2.3:a:x:y:1:*:*:*:*:*:*:*
ExternalRef: PACKAGE-MANAGER purl pkg:deb/debian/libssl3@3.0.15-1?distro=debian-12
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-image
"""

    found = service.read_sbom(written(tmp_path, text))

    (package,) = found.packages
    assert package.ecosystem == "Debian:12"
    assert package.locations == ("/var/lib/dpkg/status",)
    assert found.subject is not None
    assert found.subject.digests == (MANIFEST,)


def test_an_attestation_is_opened(tmp_path: pathlib.Path) -> None:
    text = service.write_sbom(an_inventory(), an_image(), created_at=CREATED_AT)
    statement = {"_type": "https://in-toto.io/Statement/v1", "predicate": json.loads(text)}

    assert len(service.read_sbom(written(tmp_path, statement)).packages) == len(PACKAGES)
    twice = {"predicate": {"predicate": json.loads(text)}}
    with pytest.raises(InvalidSbom, match="none of the SBOM formats"):
        service.read_sbom(written(tmp_path, twice))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this is no SBOM"),
        ("hello", "this is no SBOM"),
        ("[]", "this is no SBOM"),
        ("{", "no whole JSON"),
        ('{"bomFormat": "CycloneDX", "components": [{"purl": 5}]}', "damaged"),
        ('{"bomFormat": "CycloneDX", "components": {}}', "damaged"),
        ('{"spdxVersion": "SPDX-3.0"}', "SPDX version 'SPDX-3.0' is not read"),
        ('{"spdxVersion": 2}', "damaged"),
        ('{"artifacts": 1}', "damaged"),
        ('{"@context": "https://spdx.org/rdf/3.0.1/x.jsonld"}', "SPDX 3 is not read"),
        ('{"name": "package"}', "none of the SBOM formats"),
        ("<bom", "damaged"),
        ("<html></html>", "CycloneDX document"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><bom>&a;</bom>', "damaged"),
        ('{"a":' * 100_000, "no whole JSON"),
        ('{"bomFormat": "CycloneDX", "components": ' + '[{"components":' * 50_000, "JSON"),
    ],
)
def test_what_is_no_sbom_says_so(
    tmp_path: pathlib.Path, content: str, message: str
) -> None:
    with pytest.raises(InvalidSbom, match=message):
        service.read_sbom(written(tmp_path, content))


def test_a_missing_and_a_huge_file_say_so(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SBOM_LIMIT_BYTES", 100)
    with pytest.raises(SbomMissing, match="there is no file"):
        service.read_sbom(tmp_path / "nothing.json")
    with pytest.raises(InvalidSbom, match="more than 100 bytes"):
        service.read_sbom(written(tmp_path, "x" * 101))
    with pytest.raises(InvalidSbom, match="could not be read"):
        service.read_sbom(tmp_path)


def test_a_byte_order_mark_is_no_obstacle(tmp_path: pathlib.Path) -> None:
    text = service.write_sbom(an_inventory(), an_image(), created_at=CREATED_AT)

    found = service.read_sbom(written(tmp_path, b"\xef\xbb\xbf" + text.encode()))

    assert len(found.packages) == len(PACKAGES)
