"""What `validate` says of a document, alone and against an image."""

from pathlib import Path

import pytest

from tests.fakes.vex_documents import (
    INDEX,
    LIBSSL,
    MANIFEST,
    a_claim,
    a_document,
    a_statement,
    a_target,
    an_issuance,
)
from vexxy.vex import service
from vexxy.vex.rules import consumers
from vexxy.vex.types import Consumer, Document, Effect, Report, Status, Target

SCANNERS = (Consumer.GRYPE, Consumer.GRYPE_0_117, Consumer.TRIVY)


def built(*claims: object) -> Document:
    document = service.build_document(
        claims,  # type: ignore[arg-type]
        target=a_target(),
        issuance=an_issuance(),
    )
    assert document is not None
    return document


def rules_of(report: Report) -> set[str]:
    return {remark.rule for remark in report.remarks}


def effects(document: Document, target: Target) -> dict[Consumer, Effect]:
    report = service.validate(document, target=target, packages=[LIBSSL])
    return {honor.consumer: honor.effect for honor in report.honors}


def test_what_we_build_has_no_remark_and_is_honored_by_all() -> None:
    report = service.validate(built(a_claim()), target=a_target(), packages=[LIBSSL])
    assert report.remarks == ()
    assert {honor.effect for honor in report.honors} == {Effect.SUPPRESSED}


def test_what_we_leave_open_is_kept_by_all() -> None:
    document = built(a_claim(status=Status.UNDER_INVESTIGATION))
    assert set(effects(document, a_target()).values()) == {Effect.KEPT}


@pytest.mark.parametrize("digest", [MANIFEST, INDEX])
def test_either_digest_that_a_scanner_may_hold_is_matched(digest: str) -> None:
    target = a_target(repo_digests=(f"docker.io/library/nginx@{digest}",), tags=())
    told = effects(built(a_claim()), target)
    assert {told[scanner] for scanner in SCANNERS} == {Effect.SUPPRESSED}


def test_another_image_is_matched_by_no_scanner() -> None:
    digest = "sha256:" + "f" * 64
    target = a_target(repo_digests=(f"docker.io/library/nginx@{digest}",))
    told = effects(built(a_claim()), target)
    assert {told[scanner] for scanner in SCANNERS} == {Effect.UNMATCHED}


def test_a_statement_that_matches_nothing_is_said_loudly() -> None:
    digest = "sha256:" + "f" * 64
    target = a_target(repo_digests=(f"docker.io/library/nginx@{digest}",))
    report = service.validate(built(a_claim()), target=target, packages=[LIBSSL])
    told = [remark.message for remark in report.remarks if "unmatched" in remark.rule]
    assert len(told) == len(SCANNERS)
    assert told[0].startswith("grype 0.117 would not honor 1 of 1 statements")


def test_a_statement_about_an_absent_package_is_said_loudly() -> None:
    report = service.validate(
        built(a_claim()), target=a_target(), packages=["pkg:deb/debian/zlib1g@1"]
    )
    assert rules_of(report) == {"target.no-such-package"}


def test_an_image_without_identity_is_said_to_have_none() -> None:
    target = a_target(repo_digests=(), tags=())
    report = service.validate(built(a_claim()), target=target, packages=[LIBSSL])
    assert "target.no-identity" in rules_of(report)


@pytest.mark.parametrize(
    ("product", "honored"),
    [
        (f"pkg:oci/nginx@{INDEX}", {*SCANNERS}),
        (
            f"pkg:oci/nginx@{INDEX}?repository_url=index.docker.io/library/nginx",
            {Consumer.GRYPE, Consumer.TRIVY},
        ),
        (
            f"pkg:oci/nginx@{INDEX}?arch=amd64&repository_url=index.docker.io/library/nginx",
            {Consumer.TRIVY},
        ),
        (
            f"pkg:oci/nginx@{INDEX}?repository_url=docker.io/library/nginx",
            {Consumer.GRYPE},
        ),
        (f"pkg:oci/nginx@{INDEX}?repository_url=docker.io/nginx", {Consumer.GRYPE}),
        (
            f"pkg:oci/nginx@{INDEX}?repository_url=index.docker.io/library",
            {Consumer.GRYPE_0_117},
        ),
        (f"pkg:oci/nginx@{INDEX}?repository_url=docker.io/library", set()),
    ],
)
def test_the_table_of_product_forms_holds(product: str, honored: set[Consumer]) -> None:
    told = effects(a_document(a_statement(product=product)), a_target())
    assert {c for c in SCANNERS if told[c] is Effect.SUPPRESSED} == honored


def test_grype_takes_the_oldest_statement_and_trivy_the_newest() -> None:
    product = f"pkg:oci/nginx@{INDEX}"
    earlier = an_issuance().timestamp.replace(hour=1)
    document = a_document(
        a_statement(product=product, timestamp=earlier),
        a_statement(product=product, status=Status.AFFECTED),
    )
    told = effects(document, a_target())
    assert told[Consumer.GRYPE] is told[Consumer.VEXCTL] is Effect.SUPPRESSED
    assert told[Consumer.TRIVY] is Effect.KEPT
    assert "unsafe.several-statements" in rules_of(service.validate(document))


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        (a_statement(leaves=()), "unsafe.whole-product"),
        (a_statement(product="pkg:deb/debian/a@1", leaves=()), "unsafe.package-product"),
        (a_statement(product="pkg:oci/nginx?tag=1"), "unsafe.tag-product"),
        (a_statement(product="pkg:oci/nginx"), "unsafe.tag-product"),
        (a_statement(leaves=("pkg:deb/debian/a",)), "unsafe.any-version"),
        (
            a_statement(leaves=("pkg:deb/debian/a@1?arch=amd64",)),
            "consumer.qualified-subcomponent",
        ),
        (a_statement(leaves=("cpe:2.3:a:x",)), "consumer.not-a-purl"),
        (a_statement(action_statement="Upgrade."), "go-vex.fields"),
        (a_statement("GHSA-a"), "consumer.no-cve"),
        (a_statement(products=()), "openvex.incomplete"),
    ],
)
def test_a_dangerous_or_useless_pattern_is_named(statement: object, rule: str) -> None:
    assert rule in rules_of(service.validate(a_document(statement)))  # type: ignore[arg-type]


def test_a_statement_without_subcomponents_is_counted_over_the_inventory() -> None:
    packages = [LIBSSL, "pkg:deb/debian/zlib1g@1"]
    document = a_document(a_statement(leaves=(), product=f"pkg:oci/nginx@{INDEX}"))
    report = service.validate(document, target=a_target(), packages=packages)
    told = [r.message for r in report.remarks if r.rule == "consumer.over-applies"]
    hides = "would hide CVE-2026-0001 in 2 packages that the statement does not name"
    assert told == [f"grype 0.119 {hides}", f"trivy 0.74 {hides}"]


def test_vexctl_hiding_what_another_package_keeps_is_said() -> None:
    document = a_document(
        a_statement(),
        a_statement(status=Status.AFFECTED, leaves=("pkg:deb/debian/zlib1g@1",)),
    )
    report = service.validate(document, target=a_target())
    assert "consumer.vexctl-mixed" in rules_of(report)


def test_errors_come_before_warnings_and_make_the_report_invalid(tmp_path: Path) -> None:
    path = tmp_path / "vex.json"
    text = service.render(a_document(a_statement(leaves=())), service.Format.OPENVEX)
    path.write_bytes(text.replace(b'"version": 1', b'"version": 0'))
    report = service.validate(path)
    assert [remark.gravity for remark in report.remarks] == ["error", "warning"]
    assert not report.valid


def test_a_file_that_is_no_document_is_a_report_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "vex.json"
    path.write_text("nonsense")
    report = service.validate(path)
    assert (report.document, report.valid) == (None, False)


@pytest.mark.parametrize(
    ("consumer", "purl", "written"),
    [
        (Consumer.TRIVY, "pkg:deb/debian/a@1:2", "pkg:deb/debian/a@2?epoch=1"),
        (Consumer.GRYPE, "pkg:deb/debian/a@2?epoch=1", "pkg:deb/debian/a@1:2"),
        (Consumer.TRIVY, "pkg:rpm/amzn/a@1:2-1", "pkg:rpm/amazon/a@2-1?epoch=1"),
        (Consumer.GRYPE, "pkg:rpm/amazon/a@1:2-1", "pkg:rpm/amzn/a@2-1?epoch=1"),
        (Consumer.TRIVY, "pkg:golang/stdlib@1.22", "pkg:golang/stdlib@v1.22"),
        (Consumer.TRIVY, "pkg:npm/JSONStream@1", "pkg:npm/jsonstream@1"),
        (Consumer.GRYPE, "pkg:npm/JSONStream@1", "pkg:npm/JSONStream@1"),
    ],
)
def test_a_package_is_written_as_each_tool_writes_it(
    consumer: Consumer, purl: str, written: str
) -> None:
    assert consumers.package_id(consumer, purl) == written
