"""Grype and Trivy on a real image: what our documents hide, and what they must not."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conformance.images import (
    FINDINGS,
    PACKAGES,
    PROBED,
    Layout,
    write_docker_archive,
)
from tests.conformance.scanners import Scanners
from tests.conformance.table import Table
from tests.fakes.vex_documents import a_claim, a_document, a_statement, an_issuance
from vexxy.vex import service
from vexxy.vex.rules import honoring
from vexxy.vex.rules.matching import Shelf
from vexxy.vex.types import (
    Consumer,
    Document,
    Effect,
    Extras,
    SbomLink,
    Status,
    Target,
)

ALL = {finding.cve for finding in FINDINGS}
TOOLS: Mapping[str, Consumer] = {
    "grype": Consumer.GRYPE,
    "grype-before-3659": Consumer.GRYPE_0_117,
    "trivy": Consumer.TRIVY,
}
SOURCES = ("registry, by tag", "registry, by digest", "docker save archive")
OTHER_DIGEST = "sha256:" + "e" * 64


class World:
    """The image in every place a scanner may take it from."""

    def __init__(self, layout: Layout, host: str, folder: Path) -> None:
        self.layout, self.host, self.folder = layout, host, folder
        self.archive = folder / "image.tar"
        write_docker_archive(layout, self.archive, tag="team/web:1")

    def target(self, source: str) -> Target:
        """Return what a scanner knows of the image there."""
        repository = f"{self.host}/team/web"
        digests = {SOURCES[0]: self.layout.index_digest, SOURCES[1]: self.manifest}
        known = digests.get(source)
        return Target(
            name="web",
            manifest_digest=self.manifest,
            index_digest=self.layout.index_digest,
            image_id=self.layout.image_id,
            repo_digests=(f"{repository}@{known}",) if known else (),
            tags=() if known else ("team/web:1",),
            architecture="amd64",
        )

    @property
    def manifest(self) -> str:
        return self.layout.manifest_digest

    def shown(
        self, scanners: Scanners, tool: str, source: str, *, vex: Path | None
    ) -> set[str]:
        """Return the findings that a tool still shows."""
        reference = f"{self.host}/team/web"
        named = {
            SOURCES[0]: f"{reference}:1",
            SOURCES[1]: f"{reference}@{self.manifest}",
        }.get(source)
        if tool == "trivy":
            local = ("image", "--input", str(self.archive))
            remote = ("image", "--image-src", "remote", named or "")
            return scanners.trivy(*(remote if named else local), vex=vex)
        place = f"registry:{named}" if named else f"docker-archive:{self.archive}"
        return scanners.grype(place, vex=vex, name=tool)


@pytest.fixture(scope="session")
def world(
    layouts: dict[str, Layout], host: str, tmp_path_factory: pytest.TempPathFactory
) -> World:
    return World(layouts["team/web"], host, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def ours(world: World) -> Document:
    """Give a document that clears every finding but two."""
    claims = [
        a_claim(f.cve, status_of(f.cve), purl=f.purl, aliases=f.aliases) for f in FINDINGS
    ]
    target = world.target(SOURCES[0])
    document = service.build_document(claims, target=target, issuance=an_issuance())
    assert document is not None
    return document


def status_of(cve: str) -> Status:
    """Return the state that our document gives to a planted finding."""
    open_ = {PROBED[0].cve: Status.AFFECTED, PROBED[1].cve: Status.UNDER_INVESTIGATION}
    return open_.get(cve, Status.NOT_AFFECTED)


LEFT_OPEN = {PROBED[0].cve, PROBED[1].cve}


def written(folder: Path, document: Document, form: service.Format, **more: object) -> Path:
    path = folder / f"{form}-{len(list(folder.iterdir()))}.json"
    extras = Extras(**more)  # type: ignore[arg-type]
    path.write_bytes(service.render(document, form, extras=extras))
    return path


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("tool", TOOLS)
def test_without_a_document_every_planted_finding_shows(
    scanners: Scanners, world: World, tool: str, source: str
) -> None:
    assert world.shown(scanners, tool, source, vex=None) == ALL


@pytest.mark.parametrize("source", SOURCES[:2])
@pytest.mark.parametrize("tool", TOOLS)
def test_our_document_clears_what_it_clears_and_nothing_else(
    scanners: Scanners,
    world: World,
    ours: Document,
    table: Table,
    *,
    tool: str,
    source: str,
) -> None:
    vex = written(world.folder, ours, service.Format.OPENVEX)
    shown = world.shown(scanners, tool, source, vex=vex)
    hidden = len(ALL - shown)
    due = len(ALL) - len(LEFT_OPEN)
    effect = f"{hidden} of {due} hidden, {len(shown)} shown"
    table.record("Our OpenVEX on the image it is about", source, tool, effect)
    assert shown == LEFT_OPEN


@pytest.mark.parametrize("tool", TOOLS)
def test_our_document_hides_nothing_in_another_image(
    scanners: Scanners, world: World, ours: Document, host: str, *, table: Table, tool: str
) -> None:
    vex = written(world.folder, ours, service.Format.OPENVEX)
    if tool == "trivy":
        shown = scanners.trivy(
            "image", "--image-src", "remote", f"{host}/team/other:1", vex=vex
        )
    else:
        shown = scanners.grype(f"registry:{host}/team/other:1", vex=vex, name=tool)
    effect = f"{len(ALL - shown)} hidden"
    table.record("Our OpenVEX on another image, same packages", "by tag", tool, effect)
    assert shown == ALL


def product_forms(world: World) -> dict[str, str]:
    """Return the ways to name the image that are seen in the wild, one per package."""
    index, manifest = world.layout.index_digest, world.manifest
    host = world.host
    return {
        "index digest, no qualifiers": f"pkg:oci/web@{index}",
        "manifest digest, no qualifiers": f"pkg:oci/web@{manifest}",
        "index digest, repository_url with the name": (
            f"pkg:oci/web@{index}?repository_url={host}/team/web"
        ),
        "index digest, repository_url and arch": (
            f"pkg:oci/web@{index}?arch=amd64&repository_url={host}/team/web"
        ),
        "index digest, repository_url without the name": (
            f"pkg:oci/web@{index}?repository_url={host}/team"
        ),
        "tag in the purl": "pkg:oci/web?tag=1",
        "name alone": "pkg:oci/web",
        "another digest": f"pkg:oci/web@{OTHER_DIGEST}",
        "repository@digest as text": f"{host}/team/web@{index}",
        "reference with tag as text": "team/web:1",
        "image id (configuration)": f"pkg:oci/web@{world.layout.image_id}",
        "pkg:docker": f"pkg:docker/team/web@{index}",
    }


def forms_document(forms: Mapping[str, str]) -> Document:
    return a_document(
        *(
            a_statement(finding.cve, product=product, leaves=(leaf(finding.purl),))
            for finding, product in zip(PROBED, forms.values(), strict=False)
        )
    )


def leaf(purl: str) -> str:
    return purl.partition("?")[0]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("tool", TOOLS)
def test_each_product_form_is_honored_as_predicted(
    scanners: Scanners, world: World, table: Table, *, tool: str, source: str
) -> None:
    forms = product_forms(world)
    assert len(forms) <= len(PROBED)
    document = forms_document(forms)
    vex = written(world.folder, document, service.Format.OPENVEX)
    shown = world.shown(scanners, tool, source, vex=vex)
    for finding, form in zip(PROBED, forms, strict=False):
        hidden = finding.cve not in shown
        row = "hidden" if hidden else "shown"
        table.record(f"Product forms: {source}", form, tool, row)
        told = honoring.answer(
            TOOLS[tool],
            Shelf(document),
            target=world.target(source),
            finding=finding.cve,
            purl=finding.purl,
        )
        assert (told.effect is Effect.SUPPRESSED) == hidden, form


PACKAGE_FORMS = {
    "Debian, no qualifiers": (PROBED[0], "pkg:deb/debian/libprobe0@1.0-1"),
    "Debian, Syft's qualifiers": (
        PROBED[1],
        "pkg:deb/debian/libprobe1@1.0-1?arch=amd64&distro=debian-12.5",
    ),
    "Debian, distro of the release": (
        PROBED[2],
        "pkg:deb/debian/libprobe2@1.0-1?distro=debian-12",
    ),
    "Debian, no version": (PROBED[3], "pkg:deb/debian/libprobe3"),
    "Debian, another version": (PROBED[4], "pkg:deb/debian/libprobe4@1.0-2"),
    "Debian, another distribution": (PROBED[5], "pkg:deb/ubuntu/libprobe5@1.0-1"),
    "Debian epoch in the version": (
        PACKAGES[1],
        "pkg:deb/debian/libepoch1@1:2.3-1%2Bb1",
    ),
    "npm, capitals kept": (PACKAGES[2], "pkg:npm/JSONStream@1.0.0"),
    "Go standard library, no v": (PACKAGES[5], "pkg:golang/stdlib@1.26.8"),
    "Python, name as in METADATA": (PACKAGES[4], "pkg:pypi/Foo_Bar@1.0.0"),
}
OTHER_FORMS = {
    "Debian epoch as a qualifier": (
        PACKAGES[1],
        "pkg:deb/debian/libepoch1@2.3-1%2Bb1?epoch=1",
    ),
    "npm, lower case": (PACKAGES[2], "pkg:npm/jsonstream@1.0.0"),
    "Go standard library, with v": (PACKAGES[5], "pkg:golang/stdlib@v1.26.8"),
}


@pytest.mark.parametrize("forms", [PACKAGE_FORMS, OTHER_FORMS])
@pytest.mark.parametrize("tool", TOOLS)
def test_each_package_form_is_honored_as_predicted(
    scanners: Scanners, world: World, table: Table, *, tool: str, forms: dict
) -> None:
    product = f"pkg:oci/web@{world.layout.index_digest}"
    document = a_document(
        *(
            a_statement(
                finding.aliases[0] if grype_id(tool, finding.aliases) else finding.cve,
                product=product,
                leaves=(form,),
            )
            for finding, form in forms.values()
        )
    )
    vex = written(world.folder, document, service.Format.OPENVEX)
    shown = world.shown(scanners, tool, SOURCES[0], vex=vex)
    for name, (finding, _) in forms.items():
        hidden = finding.cve not in shown
        table.record("Package forms", name, tool, "hidden" if hidden else "shown")
        told = honoring.answer(
            TOOLS[tool],
            Shelf(document),
            target=world.target(SOURCES[0]),
            finding=finding.aliases[0] if grype_id(tool, finding.aliases) else finding.cve,
            purl=scanner_purl(finding.purl),
        )
        assert (told.effect is Effect.SUPPRESSED) == hidden, name


def grype_id(tool: str, aliases: tuple[str, ...]) -> bool:
    return tool != "trivy" and bool(aliases)


def scanner_purl(purl: str) -> str:
    """Return our purl with the point release that both scanners write."""
    return purl.replace("distro=debian-12", "distro=debian-12.5")


def test_a_package_as_product_hides_it_in_every_image(
    scanners: Scanners, world: World, host: str, table: Table
) -> None:
    """The danger that `unsafe.package-product` warns of, seen to be real."""
    finding = PROBED[0]
    document = a_document(a_statement(finding.cve, product=leaf(finding.purl), leaves=()))
    vex = written(world.folder, document, service.Format.OPENVEX)
    reference = f"{host}/team/other:1"
    shown = {
        "grype": scanners.grype(f"registry:{reference}", vex=vex),
        "trivy": scanners.trivy("image", "--image-src", "remote", reference, vex=vex),
    }
    for tool, findings in shown.items():
        effect = "hidden" if finding.cve not in findings else "shown"
        table.record("A package as the product", "an image nobody named", tool, effect)
        assert effect == "hidden"
    report = service.validate(document)
    assert "unsafe.package-product" in {remark.rule for remark in report.remarks}


def test_trivy_honors_our_cyclonedx_on_the_sbom_it_points_into(
    scanners: Scanners, world: World, ours: Document, table: Table
) -> None:
    source = f"registry:{world.host}/team/web:1"
    sbom = world.folder / "sbom.cdx.json"
    sbom.write_bytes(scanners.run("syft", source, "-o", "cyclonedx-json"))
    listed = json.loads(sbom.read_bytes())
    refs = [(c["purl"], c["bom-ref"]) for c in listed["components"] if "purl" in c]
    link = SbomLink(
        listed["serialNumber"].removeprefix("urn:uuid:"), listed["version"], tuple(refs)
    )
    vex = written(world.folder, ours, service.Format.CYCLONEDX, sbom=link)
    before = scanners.trivy("sbom", str(sbom))
    after = scanners.trivy("sbom", str(sbom), vex=vex)
    effect = f"{len(before - after)} of {len(before - LEFT_OPEN)} hidden"
    table.record("Other formats", "CycloneDX VEX on its SBOM", "trivy", effect)
    assert before
    assert after == before & LEFT_OPEN


def test_trivy_honors_our_csaf(
    scanners: Scanners, world: World, ours: Document, table: Table
) -> None:
    vex = written(world.folder, ours, service.Format.CSAF)
    shown = world.shown(scanners, "trivy", SOURCES[0], vex=vex)
    effect = f"{len(ALL - shown)} of {len(ALL) - len(LEFT_OPEN)} hidden"
    table.record("Other formats", "CSAF on the image", "trivy", effect)
    assert shown == LEFT_OPEN


def test_grype_hides_nothing_by_our_csaf(
    scanners: Scanners, world: World, ours: Document, table: Table
) -> None:
    """Grype reads CSAF without the image: a purl it matched would match everywhere."""
    vex = written(world.folder, ours, service.Format.CSAF)
    shown = world.shown(scanners, "grype", SOURCES[0], vex=vex)
    effect = f"{len(ALL - shown)} hidden"
    table.record("Other formats", "CSAF on the image", "grype", effect)
    assert shown == ALL
