"""CSAF and SARIF under the validators of those who know the standards."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conformance.scanners import Scanners
from tests.conformance.table import Table
from tests.conformance.tools import PROBES
from tests.fakes.vex_documents import NOON, a_claim, a_target, an_issuance
from vexxy.vex import service
from vexxy.vex.types import Claim, Document, Extras, Justification, Status

SECTION = "Validators"
CLAIMS = (
    a_claim("CVE-2026-0001", aliases=("GHSA-a", "DSA-1"), description="A hole."),
    a_claim(
        "CVE-2026-0002",
        Status.AFFECTED,
        fixed_versions=("3.0.12-1",),
        severity="critical",
        locations=("/usr/lib/x86_64-linux-gnu/libssl.so.3",),
    ),
    a_claim("CVE-2026-0002", purl="pkg:deb/debian/zlib1g@1:1.2.13"),
    a_claim("CVE-2026-0003", Status.UNDER_INVESTIGATION, purl="pkg:npm/JSONStream@1.0.0"),
    a_claim("CVE-2026-0004", Status.FIXED),
    a_claim("CVE-2026-0005", Status.AFFECTED),
    a_claim("GHSA-no-cve", justification=Justification.COMPONENT_NOT_PRESENT),
)


def built(claims: tuple[Claim, ...], hour: int, previous: Document | None) -> Document:
    issuance = an_issuance(timestamp=NOON.replace(hour=hour), tooling="vexxy/0.1.0")
    document = service.build_document(
        claims, target=a_target(), issuance=issuance, previous=previous
    )
    assert document is not None
    return document


@pytest.fixture
def editions() -> list[Document]:
    """Give a first edition and a second one, in which a statement changed."""
    first = built(CLAIMS, 12, None)
    second = built((*CLAIMS[1:], a_claim("CVE-2026-0009")), 13, first)
    return [first, second]


def written(tmp_path: Path, document: Document, form: service.Format) -> Path:
    path = tmp_path / f"{document.version}.{form}.json"
    path.write_bytes(service.render(document, form, extras=Extras(CLAIMS)))
    return path


def test_csaf_passes_the_schema_and_every_mandatory_test(
    scanners: Scanners, tmp_path: Path, editions: list[Document], table: Table
) -> None:
    folder = scanners.path("csaf-validator")
    script = folder / "validate.mjs"
    script.write_bytes((PROBES / "csaf" / "validate.mjs").read_bytes())
    for document in editions:
        path = written(tmp_path, document, service.Format.CSAF)
        done = subprocess.run(["node", script, path], capture_output=True, check=True)
        told = json.loads(done.stdout)
        effect = f"{told['tests']} tests, errors: {len(told['errors'])}"
        table.record(SECTION, f"CSAF, edition {document.version}", "secvisogram", effect)
        assert told["errors"] == []
        assert told["valid"]


@pytest.mark.parametrize("rules", ["Sarif", "Ghas"])
def test_sarif_passes_the_rules_of_the_standard_and_of_github(
    scanners: Scanners,
    tmp_path: Path,
    editions: list[Document],
    *,
    table: Table,
    rules: str,
) -> None:
    folder = scanners.path("sarif-multitool")
    packages = folder / "node_modules" / "@microsoft"
    (program,) = packages.glob("sarif-multitool-*/Sarif.Multitool")
    program.chmod(0o755)  # npm unpacks it without the bit; its install script would set it
    path = written(tmp_path, editions[0], service.Format.SARIF)
    out = tmp_path / f"{rules}.sarif"
    command = [program, "validate", path, "--rule-kind", rules, "--output", out]
    without_icu = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    subprocess.run(command, capture_output=True, check=True, env=without_icu)
    report = json.loads(out.read_text("utf-8-sig"))
    results = report["runs"][0]["results"]
    errors = [result for result in results if result.get("level") == "error"]
    # Multitool's default level is warning; a note on the missing project page is one.
    warned = sorted({result["ruleId"] for result in results})
    effect = f"errors: {len(errors)}, warnings: {', '.join(warned) or 'none'}"
    table.record(SECTION, f"SARIF, rules of {rules}", "sarif-multitool", effect)
    assert errors == []
    assert report["runs"][0]["invocations"][0]["executionSuccessful"]
