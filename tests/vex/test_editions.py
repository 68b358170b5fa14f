"""Editions, merging and differences."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import vex_documents
from tests.fakes.vex_documents import (
    LIBSSL,
    NOON,
    a_claim,
    a_document,
    a_statement,
    a_target,
    an_issuance,
)
from vexxy.vex import service
from vexxy.vex.rules import identity, merging
from vexxy.vex.types import Change, Claim, Document, Statement, Status

LATER = NOON + timedelta(hours=6)
OTHER = "pkg:deb/debian/zlib1g@1.2"


def built(*claims: Claim, previous: Document | None = None) -> Document:
    issuance = an_issuance(timestamp=NOON if previous is None else LATER)
    document = service.build_document(
        claims, target=a_target(), issuance=issuance, previous=previous
    )
    assert document is not None
    return document


def test_a_document_that_says_the_same_is_the_same_edition() -> None:
    first = built(a_claim())
    assert built(a_claim(), previous=first) is first


def test_a_change_raises_the_version_and_keeps_the_id() -> None:
    first = built(a_claim())
    second = built(a_claim(status=Status.AFFECTED), previous=first)
    assert (second.id, second.version, second.last_updated) == (first.id, 2, LATER)
    (statement,) = second.statements
    assert (statement.timestamp, statement.version) == (LATER, 2)


def test_unchanged_statements_keep_their_instant() -> None:
    first = built(a_claim(), a_claim("CVE-2026-0002"))
    second = built(a_claim(), a_claim("CVE-2026-0003"), previous=first)
    instants = {s.vulnerability.name: s.timestamp for s in second.statements}
    assert instants == {"CVE-2026-0001": NOON, "CVE-2026-0003": LATER}


def test_a_gone_statement_makes_a_new_edition() -> None:
    first = built(a_claim(), a_claim("CVE-2026-0002"))
    second = built(a_claim(), previous=first)
    assert (second.version, len(second.statements)) == (2, 1)


def test_mixed_states_of_one_vulnerability_are_stated_at_one_instant() -> None:
    """`vexctl filter` obeys the oldest: it must not be the one that clears."""
    first = built(a_claim(), a_claim(purl=OTHER))
    second = built(a_claim(), a_claim(status=Status.AFFECTED, purl=OTHER), previous=first)
    assert {statement.timestamp for statement in second.statements} == {LATER}
    assert second.statements[0].status is Status.AFFECTED


def test_merging_keeps_the_newest_word() -> None:
    old = a_document(a_statement())
    new = a_document(a_statement(status=Status.AFFECTED), timestamp=LATER)
    for documents in ([old, new], [new, old]):
        merged = service.merge(documents, issuance=an_issuance(timestamp=LATER))
        (statement,) = merged.statements
        assert (statement.status, statement.timestamp) == (Status.AFFECTED, LATER)


def test_merging_at_one_instant_keeps_what_leaves_the_finding_visible() -> None:
    documents = [a_document(a_statement()), a_document(a_statement(status=Status.AFFECTED))]
    for order in (documents, documents[::-1]):
        merged = service.merge(order, issuance=an_issuance())
        assert [s.status for s in merged.statements] == [Status.AFFECTED]


def test_an_alias_that_a_newer_statement_takes_over_is_dropped() -> None:
    dsa = a_statement("DSA-1")
    old = replace(dsa, vulnerability=replace(dsa.vulnerability, aliases=("CVE-2026-0001",)))
    new = a_statement(status=Status.AFFECTED)
    merged = service.merge(
        [a_document(old), a_document(new, timestamp=LATER)], issuance=an_issuance()
    )
    told = {s.vulnerability.name: s.vulnerability.aliases for s in merged.statements}
    assert told == {"CVE-2026-0001": (), "DSA-1": ()}


def test_a_newer_statement_about_one_package_leaves_the_others() -> None:
    both = a_statement(leaves=("pkg:deb/debian/a@1", "pkg:deb/debian/b@1"))
    one = a_statement(status=Status.AFFECTED, leaves=("pkg:deb/debian/b@1",))
    merged = service.merge(
        [a_document(both), a_document(one, timestamp=LATER)], issuance=an_issuance()
    )
    told = {
        leaf.id: statement.status
        for statement in merged.statements
        for product in statement.products
        for leaf in product.subcomponents
    }
    assert told == {
        "pkg:deb/debian/a@1": Status.NOT_AFFECTED,
        "pkg:deb/debian/b@1": Status.AFFECTED,
    }


@settings(max_examples=40)
@given(st.lists(vex_documents.documents, min_size=1, max_size=3))
def test_a_merged_document_has_one_statement_per_id_and_place(
    documents: list[Document],
) -> None:
    seen: set[tuple[str, str, str]] = set()
    for statement in merging.current_statements(documents):
        own = places_of(statement)
        assert not own & seen
        seen |= own


def places_of(statement: Statement) -> set[tuple[str, str, str]]:
    ids = (statement.vulnerability.name, *statement.vulnerability.aliases)
    return {
        (name, merging.identifier(product.component), leaf and merging.identifier(leaf))
        for product in statement.products
        for leaf in product.subcomponents or ("",)
        for name in ids
    }


@settings(max_examples=40)
@given(st.lists(vex_documents.documents, min_size=1, max_size=3))
def test_merging_what_was_merged_changes_nothing(documents: list[Document]) -> None:
    once = merging.current_statements(documents)
    if once:
        again = merging.current_statements([a_document(*once)])
        assert set(again) == set(once)


def test_no_difference_between_a_document_and_itself() -> None:
    document = built(a_claim(), a_claim("CVE-2026-0002", Status.AFFECTED))
    assert service.diff(document, document) == ()


def test_a_rebuilt_image_is_compared_by_what_is_said_of_its_packages() -> None:
    before = built(a_claim())
    target = a_target(manifest_digest="sha256:" + "f" * 64)
    after = service.build_document([a_claim()], target=target, issuance=an_issuance())
    assert after is not None
    assert service.diff(before, after) == ()


def test_new_gone_and_changed_are_told_apart() -> None:
    before = built(a_claim(), a_claim("CVE-2026-0002"))
    after = built(a_claim(status=Status.AFFECTED), a_claim("CVE-2026-0003"))
    told = {d.vulnerability: d.change for d in service.diff(before, after)}
    assert told == {
        "CVE-2026-0001": Change.CHANGED,
        "CVE-2026-0002": Change.GONE,
        "CVE-2026-0003": Change.NEW,
    }


def test_a_finding_that_shows_again_is_said_so() -> None:
    before, after = built(a_claim()), built(a_claim(status=Status.AFFECTED))
    (difference,) = service.diff(before, after)
    assert difference.detail == (
        "not affected became affected; a finding that was hidden shows again."
    )


def test_a_statement_about_a_package_that_is_gone_is_stale() -> None:
    document = built(a_claim())
    present = service.diff(document, document, packages=[LIBSSL])
    upgraded = service.diff(document, document, packages=[LIBSSL.replace("11", "12")])
    assert present == ()
    assert [(d.change, d.purl) for d in upgraded] == [
        (Change.STALE, "pkg:deb/debian/libssl3@3.0.11-1")
    ]


def test_an_epoch_in_another_form_is_not_stale() -> None:
    document = built(a_claim(purl="pkg:deb/debian/a@1:2.3?arch=amd64"))
    packages = ["pkg:deb/debian/a@2.3?epoch=1&arch=amd64"]
    assert service.diff(document, document, packages=packages) == ()


def test_an_open_or_excused_finding_with_a_fix_is_now_fixable() -> None:
    document = built(a_claim("CVE-2026-0001", aliases=("GHSA-a",)))
    (difference,) = service.diff(document, document, fixable=[("GHSA-a", LIBSSL)])
    assert difference.change is Change.NOW_FIXABLE


@settings(max_examples=40)
@given(vex_documents.documents)
def test_the_order_of_statements_is_no_part_of_the_canonical_hash(
    document: Document,
) -> None:
    names = [statement.vulnerability.name for statement in document.statements]
    if len(set(names)) == len(names):
        turned = replace(document, statements=document.statements[::-1])
        assert identity.canonical_hash(turned) == identity.canonical_hash(document)
