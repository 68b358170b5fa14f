"""Package URLs as readers of VEX compare them."""

import pytest
from hypothesis import given

from tests.fakes import vex_documents
from vexxy.vex.rules import purls


@pytest.mark.parametrize(
    ("general", "specific"),
    [
        ("pkg:deb/debian/a", "pkg:deb/debian/a@1?arch=amd64"),
        ("pkg:deb/debian/a@1", "pkg:deb/debian/a@1?arch=amd64"),
        ("pkg:deb/Debian/A@1", "pkg:deb/debian/a@1"),
        ("pkg:deb/debian/a@1:2", "pkg:deb/debian/a@1%3A2"),
        ("pkg:oci/n@sha256:ab", "pkg:oci/n@sha256%3Aab?repository_url=docker.io%2Fn"),
        ("pkg:pypi/Foo_Bar@1", "pkg:pypi/foo-bar@1"),
    ],
)
def test_a_general_purl_matches_a_more_specific_one(general: str, specific: str) -> None:
    assert purls.matches(general, specific)


@pytest.mark.parametrize(
    ("general", "specific"),
    [
        ("pkg:deb/debian/a@1?arch=amd64", "pkg:deb/debian/a@1"),
        ("pkg:deb/debian/a@1", "pkg:deb/debian/a"),
        ("pkg:deb/debian/a@1", "pkg:deb/ubuntu/a@1"),
        ("pkg:npm/JSONStream@1", "pkg:npm/jsonstream@1"),
        ("pkg:deb/debian/a@1", "nothing"),
        ("pkg:deb/debian/a@1?arch=amd64", "pkg:deb/debian/a@1?arch=arm64"),
    ],
)
def test_what_a_purl_asks_for_must_be_there(general: str, specific: str) -> None:
    assert not purls.matches(general, specific)


@pytest.mark.parametrize("text", ["", "pkg:", "pkg:deb", "pkg:deb/", "pkg:deb/a@%zz", "a"])
def test_text_that_is_no_purl_is_refused(text: str) -> None:
    assert purls.find(text) is None
    with pytest.raises(ValueError, match=r".+"):
        purls.parse(text)


@given(vex_documents.purls)
def test_writing_and_reading_a_purl_gives_the_same_parts(text: str) -> None:
    purl = purls.find(text)
    assert purl is None or purls.parse(str(purl)) == purl


@pytest.mark.parametrize(
    ("purl", "forms"),
    [
        (
            "pkg:deb/debian/a@1:2.3?arch=amd64",
            ("pkg:deb/debian/a@1:2.3", "pkg:deb/debian/a@2.3?epoch=1"),
        ),
        ("pkg:deb/debian/a@2.3?arch=amd64", ("pkg:deb/debian/a@2.3",)),
        ("pkg:deb/debian/a@0:2.3", ("pkg:deb/debian/a@2.3",)),
        (
            "pkg:rpm/amzn/a@2-1?epoch=1&arch=x86_64",
            ("pkg:rpm/amzn/a@2-1?epoch=1", "pkg:rpm/amazon/a@2-1?epoch=1"),
        ),
        ("pkg:rpm/fedora/a@1:2-1", ("pkg:rpm/fedora/a@2-1?epoch=1",)),
        (
            "pkg:golang/stdlib@1.22.1",
            ("pkg:golang/stdlib@1.22.1", "pkg:golang/stdlib@v1.22.1"),
        ),
        ("pkg:npm/JSONStream@1", ("pkg:npm/JSONStream@1", "pkg:npm/jsonstream@1")),
        (
            "pkg:golang/x.org/y@v0.1.0#z",
            ("pkg:golang/x.org/y@v0.1.0",),
        ),
    ],
)
def test_a_package_is_named_in_every_form_a_scanner_uses(
    purl: str, forms: tuple[str, ...]
) -> None:
    assert purls.subcomponent_forms(purl) == forms


@given(vex_documents.purls)
def test_the_forms_of_a_form_are_the_same_forms(text: str) -> None:
    forms = set(purls.subcomponent_forms(text))
    for form in forms:
        assert set(purls.subcomponent_forms(form)) <= forms


def test_bytes_that_are_no_text_survive_in_a_purl() -> None:
    assert str(purls.parse("pkg:deb/debian/a@%FF")) == "pkg:deb/debian/a@%FF"
