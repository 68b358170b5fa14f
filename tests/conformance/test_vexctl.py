"""vexctl 0.4 on our documents, and ours on its documents."""

import json
from pathlib import Path

import pytest

from tests.conformance.scanners import Scanners
from tests.conformance.table import Table
from tests.fakes.vex_documents import NOON, a_claim, a_target, an_issuance
from vexxy.vex import service
from vexxy.vex.rules import identity
from vexxy.vex.types import Document, Status

SECTION = "vexctl"
BEFORE = NOON.replace(year=2025)
OTHER = "pkg:deb/debian/zlib1g@1:1.2.13"


@pytest.fixture
def ours() -> Document:
    """Give a document with a cleared, an affected and a mixed vulnerability."""
    claims = [
        a_claim("CVE-2026-0001"),
        a_claim("CVE-2026-0002", Status.AFFECTED),
        a_claim("CVE-2026-0003"),
        a_claim("CVE-2026-0003", Status.AFFECTED, purl=OTHER),
    ]
    # vexctl refuses to add to a document of the future, so it is not one.
    issuance = an_issuance(timestamp=BEFORE)
    document = service.build_document(claims, target=a_target(), issuance=issuance)
    assert document is not None
    return document


def test_an_id_that_vexctl_gives_is_the_one_we_compute(
    scanners: Scanners, tmp_path: Path, table: Table
) -> None:
    path = tmp_path / "created.json"
    scanners.run(
        "vexctl",
        "create",
        "--product=pkg:oci/nginx@sha256:aa",
        "--subcomponents=pkg:deb/debian/libssl3@3.0.11-1",
        "--vuln=CVE-2026-0001",
        "--aliases=GHSA-a",
        "--status=not_affected",
        "--justification=vulnerable_code_not_in_execute_path",
        "--author=somebody",
        f"--file={path}",
    )
    document = service.read_document(path)
    equal = document.id == identity.canonical_id(document)
    table.record(SECTION, "create: @id is our canonical id", "vexctl", str(equal))
    assert equal
    assert service.validate(path).valid


def test_vexctl_merges_our_documents(
    scanners: Scanners, tmp_path: Path, ours: Document, table: Table
) -> None:
    path = tmp_path / "ours.json"
    path.write_bytes(service.render(ours, service.Format.OPENVEX))
    merged = json.loads(scanners.run("vexctl", "merge", str(path), str(path)))
    both = len(merged["statements"])
    row = "merge of one document with itself"
    table.record(SECTION, row, "vexctl", f"{both} kept")
    assert both == 2 * len(ours.statements)
    again = service.merge([ours, ours], issuance=an_issuance())
    kept = f"{len(again.statements)} kept"
    table.record(SECTION, row, "vexxy", kept)
    assert len(again.statements) == len(ours.statements)


def test_vexctl_adds_to_our_documents(
    scanners: Scanners, tmp_path: Path, ours: Document
) -> None:
    path = tmp_path / "ours.json"
    path.write_bytes(service.render(ours, service.Format.OPENVEX))
    scanners.run(
        "vexctl",
        "add",
        f"--document={path}",
        "--in-place",
        "--product=pkg:oci/nginx@sha256:aa",
        "--vuln=CVE-2026-0009",
        "--status=under_investigation",
    )
    added = service.read_document(path)
    assert len(added.statements) == len(ours.statements) + 1
    assert added.timestamp == BEFORE


def test_vexctl_filters_our_sarif_by_our_document(
    scanners: Scanners, tmp_path: Path, ours: Document, table: Table
) -> None:
    """It ignores packages, so a vulnerability left open anywhere must stay whole."""
    vex, sarif = tmp_path / "ours.json", tmp_path / "ours.sarif"
    vex.write_bytes(service.render(ours, service.Format.OPENVEX))
    sarif.write_bytes(service.render(ours, service.Format.SARIF))
    filtered = json.loads(scanners.run("vexctl", "filter", str(sarif), str(vex)))
    kept = [result["ruleId"] for result in filtered["runs"][0]["results"]]
    table.record(SECTION, "filter: results kept of 4", "vexctl", ", ".join(kept))
    assert sorted(kept) == ["CVE-2026-0002", "CVE-2026-0003", "CVE-2026-0003"]


def test_vexctl_still_obeys_what_stays_open_after_an_update(
    scanners: Scanners, tmp_path: Path, table: Table
) -> None:
    """It obeys the oldest statement; an update must not make that the cleared one."""
    first = service.build_document(
        [a_claim("CVE-2026-0003"), a_claim("CVE-2026-0003", purl=OTHER)],
        target=a_target(),
        issuance=an_issuance(),
    )
    assert first is not None
    later = NOON.replace(hour=18)
    second = service.build_document(
        [a_claim("CVE-2026-0003"), a_claim("CVE-2026-0003", Status.AFFECTED, purl=OTHER)],
        target=a_target(),
        issuance=an_issuance(timestamp=later),
        previous=first,
    )
    assert second is not None
    vex, sarif = tmp_path / "vex.json", tmp_path / "found.sarif"
    vex.write_bytes(service.render(second, service.Format.OPENVEX))
    sarif.write_bytes(service.render(second, service.Format.SARIF))
    filtered = json.loads(scanners.run("vexctl", "filter", str(sarif), str(vex)))
    kept = len(filtered["runs"][0]["results"])
    table.record(SECTION, "filter after an update: results kept of 2", "vexctl", str(kept))
    assert kept == 2
