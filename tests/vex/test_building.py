"""Statements from claims."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import vex_documents
from tests.fakes.vex_documents import IMAGE_ID, INDEX, LIBSSL, MANIFEST, a_claim, a_target
from vexxy.vex import service
from vexxy.vex.errors import UnusableClaim
from vexxy.vex.rules import building, merging, purls
from vexxy.vex.types import Claim, Justification, Statement, Status, Target


def statements(*claims: Claim, target: Target | None = None) -> tuple[Statement, ...]:
    return building.statements(
        claims, target=target or a_target(), issuance=vex_documents.an_issuance()
    )


def test_the_image_is_named_by_both_digests_without_qualifiers() -> None:
    (statement,) = statements(a_claim())
    assert [product.component.id for product in statement.products] == [
        f"pkg:oci/nginx@{MANIFEST}",
        f"pkg:oci/nginx@{INDEX}",
    ]


def test_an_image_that_no_registry_knows_is_named_by_its_id() -> None:
    target = a_target(manifest_digest=None, index_digest=None, repo_digests=())
    (statement,) = statements(a_claim(), target=target)
    assert [p.component.id for p in statement.products] == [f"pkg:oci/nginx@{IMAGE_ID}"]


def test_an_image_renamed_when_pushed_is_named_by_each_repository() -> None:
    target = a_target(index_digest=None, repo_digests=(f"ghcr.io/team/web@{MANIFEST}",))
    (statement,) = statements(a_claim(), target=target)
    assert [p.component.id for p in statement.products] == [
        f"pkg:oci/nginx@{MANIFEST}",
        f"pkg:oci/web@{MANIFEST}",
    ]


def test_tags_are_products_only_on_request() -> None:
    issuance = vex_documents.an_issuance(tag_products=True)
    (statement,) = building.statements([a_claim()], target=a_target(), issuance=issuance)
    assert statement.products[-1].component.id == "pkg:oci/nginx?tag=1.25"


def test_every_product_names_the_package_and_no_other() -> None:
    (statement,) = statements(a_claim())
    for product in statement.products:
        assert [c.id for c in product.subcomponents] == ["pkg:deb/debian/libssl3@3.0.11-1"]


def test_copies_that_look_alike_share_the_worst_of_their_states() -> None:
    other = LIBSSL.replace("amd64", "i386")
    (statement,) = statements(
        a_claim(), a_claim(status=Status.UNDER_INVESTIGATION, purl=other)
    )
    assert statement.status is Status.UNDER_INVESTIGATION
    assert statement.justification is None


def test_of_two_justifications_the_weaker_one_is_given() -> None:
    (statement,) = statements(
        a_claim(justification=Justification.COMPONENT_NOT_PRESENT), a_claim()
    )
    assert statement.justification is Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH


def test_a_clean_bill_is_as_sure_as_its_least_sure_copy() -> None:
    (statement,) = statements(a_claim(), a_claim(confidence_score=0.4))
    assert statement.status_notes == "confidence=0.40 copies=2"


def test_a_claim_that_clears_without_saying_why_is_refused() -> None:
    with pytest.raises(UnusableClaim, match="without a justification"):
        statements(a_claim(justification=None))


def test_affected_names_the_versions_to_upgrade_to() -> None:
    (statement,) = statements(a_claim(status=Status.AFFECTED, fixed_versions=("3.0.12-1",)))
    assert statement.action_statement == "Upgrade libssl3 to version 3.0.12-1."
    assert statement.impact_statement is None


def test_the_cve_is_the_name_and_the_other_ids_are_aliases() -> None:
    (statement,) = statements(a_claim("GHSA-x", aliases=("CVE-2026-0009", "GO-1")))
    assert statement.vulnerability.name == "CVE-2026-0009"
    assert statement.vulnerability.aliases == ("GHSA-x", "GO-1")


def test_an_advisory_of_several_cves_is_an_alias_of_none() -> None:
    """A scanner that reports the DSA would be told the state of one CVE of it."""
    affected = a_claim("CVE-2026-0002", Status.AFFECTED, aliases=("DSA-1",))
    found = statements(a_claim(aliases=("DSA-1",)), affected)
    assert [s.vulnerability.aliases for s in found] == [(), ()]


def test_of_one_vulnerability_the_packages_left_open_come_first() -> None:
    other = "pkg:deb/debian/zlib1g@1.2"
    found = statements(a_claim(), a_claim(status=Status.AFFECTED, purl=other))
    assert [s.status for s in found] == [Status.AFFECTED, Status.NOT_AFFECTED]


def test_no_claim_makes_no_document() -> None:
    document = service.build_document(
        [], target=a_target(), issuance=vex_documents.an_issuance()
    )
    assert document is None


@given(st.lists(vex_documents.claims, min_size=1, max_size=8))
def test_each_id_has_at_most_one_statement_per_package(claims: list[Claim]) -> None:
    seen = set()
    for statement in statements(*claims):
        for name in (statement.vulnerability.name, *statement.vulnerability.aliases):
            for product in statement.products:
                for leaf in product.subcomponents:
                    place = (name, product.component.id, merging.identifier(leaf))
                    assert place not in seen
                    seen.add(place)


@given(st.lists(vex_documents.claims, min_size=1, max_size=8))
def test_nothing_is_cleared_that_a_claim_left_open(claims: list[Claim]) -> None:
    open_ = {
        (claim.vulnerability, form)
        for claim in claims
        if claim.status not in building.SUPPRESSING
        for form in purls.subcomponent_forms(claim.purl)
    }
    for statement in statements(*claims):
        if statement.status in building.SUPPRESSING:
            ids = (statement.vulnerability.name, *statement.vulnerability.aliases)
            forms = {c.id for p in statement.products for c in p.subcomponents}
            assert not {(i, form) for i in ids for form in forms} & open_
