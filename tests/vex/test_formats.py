"""CycloneDX, CSAF and SARIF as written."""

import json

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.fakes.vex_documents import (
    LIBSSL,
    a_claim,
    a_document,
    a_statement,
    a_target,
    an_issuance,
)
from vexxy.vex import service
from vexxy.vex.errors import NothingToState
from vexxy.vex.service import Format
from vexxy.vex.types import Claim, Document, Extras, Justification, SbomLink, Status

SERIAL = "3e671687-395b-41f5-a30f-a58921a69b79"
CLAIMS = (
    a_claim("CVE-2026-0001", aliases=("GHSA-a",), description="A hole."),
    a_claim(
        "CVE-2026-0002",
        Status.AFFECTED,
        fixed_versions=("3.0.12-1",),
        severity="medium",
        locations=("/usr/lib/libssl.so.3",),
    ),
    a_claim("CVE-2026-0003", Status.UNDER_INVESTIGATION, purl="pkg:npm/JSONStream@1.0.0"),
    a_claim("CVE-2026-0004", Status.FIXED),
    a_claim("GHSA-no-cve", purl="pkg:deb/debian/zlib1g@1:1.2.13"),
)


def built(claims: tuple[Claim, ...] = CLAIMS) -> Document:
    document = service.build_document(claims, target=a_target(), issuance=an_issuance())
    assert document is not None
    return document


def rendered(form: Format, document: Document | None = None, **extras: object) -> dict:
    more = Extras(**extras)  # type: ignore[arg-type]
    return json.loads(service.render(document or built(), form, extras=more))


@pytest.mark.parametrize("form", Format)
def test_writing_twice_gives_the_same_bytes(form: Format) -> None:
    assert service.render(built(), form) == service.render(built(), form)


@pytest.mark.parametrize("link", [None, SbomLink(SERIAL, 1, ((LIBSSL, "1:libssl3"),))])
def test_cyclonedx_is_valid_by_the_strict_schema(link: SbomLink | None) -> None:
    document = service.render(built(), Format.CYCLONEDX, extras=Extras(sbom=link))
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(document.decode()) is None


@pytest.mark.parametrize("justification", Justification)
def test_every_justification_has_a_label_in_cyclonedx(justification: Justification) -> None:
    document = built((a_claim(justification=justification),))
    text = service.render(document, Format.CYCLONEDX).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert "justification" in json.loads(text)["vulnerabilities"][0]["analysis"]


def test_cyclonedx_says_the_state_in_its_own_words() -> None:
    told = {
        entry["id"]: entry["analysis"]["state"]
        for entry in rendered(Format.CYCLONEDX)["vulnerabilities"]
    }
    assert told == {
        "CVE-2026-0001": "not_affected",
        "CVE-2026-0002": "exploitable",
        "CVE-2026-0003": "in_triage",
        "CVE-2026-0004": "resolved",
        "GHSA-no-cve": "not_affected",
    }


def test_with_an_sbom_every_component_is_a_link_into_it() -> None:
    link = SbomLink(SERIAL, 2, ((LIBSSL, "1:pkg a"), (LIBSSL, "2:pkg a")))
    bom = rendered(Format.CYCLONEDX, sbom=link)
    first = bom["vulnerabilities"][0]
    assert [affected["ref"] for affected in first["affects"]] == [
        f"urn:cdx:{SERIAL}/2#1%3Apkg%20a",
        f"urn:cdx:{SERIAL}/2#2%3Apkg%20a",
    ]
    assert "components" not in bom
    assert "CVE-2026-0003" not in {entry["id"] for entry in bom["vulnerabilities"]}


def test_of_one_vulnerability_the_cleared_packages_come_last_in_cyclonedx() -> None:
    """Trivy keeps the last entry of an id."""
    other = "pkg:deb/debian/zlib1g@1"
    document = built((a_claim(), a_claim(status=Status.AFFECTED, purl=other)))
    entries = rendered(Format.CYCLONEDX, document)["vulnerabilities"]
    assert [entry["analysis"]["state"] for entry in entries] == [
        "exploitable",
        "not_affected",
    ]


def test_csaf_names_every_product_it_gives_a_state() -> None:
    csaf = rendered(Format.CSAF)
    tree = csaf["product_tree"]
    known = {product["product_id"] for product in tree["full_product_names"]}
    for relationship in tree["relationships"]:
        assert relationship["product_reference"] in known
        assert relationship["relates_to_product_reference"] in known
    composite = {r["full_product_name"]["product_id"] for r in tree["relationships"]}
    for entry in csaf["vulnerabilities"]:
        for products in entry["product_status"].values():
            assert set(products) <= composite


def test_csaf_explains_what_it_clears_and_what_to_do_about_the_rest() -> None:
    entries = {entry["cve"]: entry for entry in rendered(Format.CSAF)["vulnerabilities"]}
    cleared, affected = entries["CVE-2026-0001"], entries["CVE-2026-0002"]
    listed = cleared["product_status"]["known_not_affected"]
    assert cleared["flags"][0]["product_ids"] == listed
    assert cleared["threats"][0]["category"] == "impact"
    assert affected["remediations"][0]["category"] == "vendor_fix"


def test_csaf_gives_no_purl_to_a_package_inside_an_image() -> None:
    """Grype reads it without the image, and would hide the finding everywhere."""
    for relationship in rendered(Format.CSAF)["product_tree"]["relationships"]:
        assert "product_identification_helper" not in relationship["full_product_name"]


def test_what_csaf_cannot_carry_is_named_in_a_note() -> None:
    csaf = rendered(Format.CSAF)
    assert "GHSA-no-cve" in csaf["document"]["notes"][0]["text"]
    assert all("cve" in entry for entry in csaf["vulnerabilities"])


def test_csaf_without_any_cve_is_refused() -> None:
    with pytest.raises(NothingToState):
        service.render(a_document(a_statement("GHSA-a")), Format.CSAF)


def test_sarif_has_a_rule_per_vulnerability_and_suppresses_what_is_cleared() -> None:
    run = rendered(Format.SARIF, claims=CLAIMS)["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules)) == len(CLAIMS)
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        cleared = result["properties"]["status"] in {"not_affected", "fixed"}
        assert bool(result.get("suppressions")) == cleared


@pytest.mark.parametrize(
    ("status", "severity", "level"),
    [
        (Status.AFFECTED, "critical", "error"),
        (Status.AFFECTED, "medium", "warning"),
        (Status.AFFECTED, "low", "note"),
        (Status.AFFECTED, "unknown", "error"),
        (Status.UNDER_INVESTIGATION, "critical", "warning"),
        (Status.UNDER_INVESTIGATION, "low", "note"),
        (Status.NOT_AFFECTED, "critical", "note"),
    ],
)
def test_the_level_follows_status_and_severity(
    status: Status, severity: str, level: str
) -> None:
    claim = a_claim(status=status, severity=severity)
    run = rendered(Format.SARIF, built((claim,)), claims=(claim,))["runs"][0]
    assert run["results"][0]["level"] == level


def test_sarif_locates_the_finding_by_a_relative_path() -> None:
    run = rendered(Format.SARIF, claims=CLAIMS)["runs"][0]
    uris = {
        result["ruleId"]: result["locations"][0]["physicalLocation"]["artifactLocation"][
            "uri"
        ]
        for result in run["results"]
    }
    assert uris["CVE-2026-0002"] == "usr/lib/libssl.so.3"
    assert uris["CVE-2026-0001"] == "image"
