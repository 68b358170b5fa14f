"""What is published of a result."""

import json
from pathlib import Path

import msgspec
import pytest

from tests.fakes.values import a_match, a_package, a_request, a_result, a_verdict
from vexxy.analysis import inputs, publication
from vexxy.analysis.errors import NothingToState
from vexxy.analysis.publication import Publisher
from vexxy.analysis.types import Result
from vexxy.vex.service import Format
from vexxy.vex.types import Status

PUBLISHER = Publisher("Somebody")


def sample() -> Result:
    return a_result(
        a_verdict(Status.AFFECTED, package=a_package("aaa")),
        a_verdict(Status.NOT_AFFECTED),
        matches=(a_match(),),
    )


@pytest.mark.parametrize("form", list(Format))
def test_every_format_is_json_and_names_the_vulnerability(form: Format) -> None:
    content = publication.render(sample(), form, publisher=PUBLISHER)

    assert isinstance(json.loads(content), dict)
    assert b"CVE-2026-0001" in content


def test_the_results_object_carries_the_document_it_names() -> None:
    data = json.loads(publication.render(sample(), None, publisher=PUBLISHER))

    assert data["vex_document"]["@id"] == data["generated_vex_id"]
    assert {one["status"] for one in data["vex_document"]["statements"]} == {
        "affected",
        "not_affected",
    }


def test_a_saved_result_is_published_as_the_analysis_was() -> None:
    result = sample()
    saved = json.loads(publication.render(result, None, publisher=PUBLISHER))

    again = publication.export(saved, Format.OPENVEX, namespace=None)

    assert again == publication.render(result, Format.OPENVEX, publisher=PUBLISHER)


def test_a_namespace_gives_the_document_its_address() -> None:
    publisher = Publisher("Somebody", "https://vex.test/docs/")
    data = json.loads(publication.render(sample(), Format.OPENVEX, publisher=publisher))

    assert data["@id"] == "https://vex.test/docs/7f0c3a52-6b1d-4e6c-9a57-8f1c2f6f0001"


def test_without_findings_no_empty_document_is_made() -> None:
    with pytest.raises(NothingToState):
        publication.render(a_result(), Format.OPENVEX, publisher=PUBLISHER)

    data = json.loads(publication.render(a_result(), None, publisher=PUBLISHER))
    assert data["vex_document"] is None


def test_a_cyclonedx_vex_points_into_the_sbom_that_was_given(tmp_path: Path) -> None:
    purl = a_package().purl
    serial = "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79"
    path = tmp_path / "sbom.json"
    path.write_bytes(
        msgspec.json.encode(
            {
                "bomFormat": "CycloneDX",
                "specVersion": "1.6",
                "serialNumber": serial,
                "version": 3,
                "components": [{"purl": purl, "bom-ref": "libfoo", "name": "libfoo1"}],
            }
        )
    )
    link = inputs.sbom_link(a_request(sbom_path=path))

    content = publication.render(
        a_result(a_verdict(), sbom_link=link), Format.CYCLONEDX, publisher=PUBLISHER
    )

    assert b"urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/3#libfoo" in content


@pytest.mark.parametrize("content", ["{}", "no json", '{"serialNumber": 5}'])
def test_an_sbom_that_nothing_can_point_into_is_no_error(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "sbom.json"
    path.write_text(content)

    assert inputs.sbom_link(a_request(sbom_path=path)) is None
