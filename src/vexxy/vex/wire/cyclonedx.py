"""CycloneDX 1.6 VEX, out only."""

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

from vexxy.kit import clock
from vexxy.vex.rules import identity, merging, purls
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.types import Document, Justification, SbomLink, Statement, Status
from vexxy.vex.wire import leaves
from vexxy.vex.wire.leaves import Leaf
from vexxy.vex.wire.parsing import Json

_STATES: Final[Mapping[Status, str]] = {
    Status.NOT_AFFECTED: "not_affected",
    Status.AFFECTED: "exploitable",
    Status.FIXED: "resolved",
    Status.UNDER_INVESTIGATION: "in_triage",
}
_VERSION_STATES: Final[Mapping[Status, str]] = {
    Status.NOT_AFFECTED: "unaffected",
    Status.AFFECTED: "affected",
    Status.FIXED: "unaffected",
    Status.UNDER_INVESTIGATION: "unknown",
}
# CycloneDX has no label for the last two; these are the nearest.
_JUSTIFICATIONS: Final[Mapping[Justification, str]] = {
    Justification.COMPONENT_NOT_PRESENT: "code_not_present",
    Justification.VULNERABLE_CODE_NOT_PRESENT: "code_not_present",
    Justification.VULNERABLE_CODE_NOT_IN_EXECUTE_PATH: "code_not_reachable",
    Justification.VULNERABLE_CODE_CANNOT_BE_CONTROLLED_BY_ADVERSARY: "requires_environment",
    Justification.INLINE_MITIGATIONS_ALREADY_EXIST: "protected_by_mitigating_control",
}


def dump(document: Document, *, sbom: SbomLink | None) -> bytes:
    """Return a CycloneDX VEX.

    With `sbom` every affected component is a BOM-Link into it, the only form that Trivy
    honors; a package that the SBOM does not list is left out then. Without it the
    components are listed in the document itself.
    """
    vulnerabilities = _vulnerabilities(document, sbom)
    bom: dict[str, Json] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, document.id)}",
        "version": max(document.version, 1),
        "metadata": _metadata(document),
    }
    if sbom is None:
        bom["components"] = _components(document)
    bom["vulnerabilities"] = vulnerabilities
    return f"{json.dumps(bom, ensure_ascii=False, indent=2)}\n".encode()


def _metadata(document: Document) -> Json:
    metadata: dict[str, Json] = {
        "timestamp": clock.rfc3339(document.last_updated or document.timestamp),
        "authors": [{"name": document.author}],
    }
    first = next((s.products[0] for s in document.statements if s.products), None)
    if first is not None:
        text = merging.identifier(first.component)
        metadata["component"] = _component(text, kind="container", ref=f"image:{text}")
    return metadata


def _component(text: str, *, kind: str, ref: str) -> Json:
    component: dict[str, Json] = {"type": kind, "bom-ref": ref, "name": text}
    purl = purls.find(text)
    if purl is not None:
        group = {"group": purl.namespace} if purl.namespace else {}
        version = {"version": purl.version} if purl.version else {}
        component |= {"name": purl.name, **group, **version, "purl": text}
    return component


def _components(document: Document) -> list[Json]:
    ids = {leaf.id for statement in document.statements for leaf in leaves.of(statement)}
    return [_component(text, kind="library", ref=text) for text in sorted(ids)]


def _vulnerabilities(document: Document, sbom: SbomLink | None) -> list[Json]:
    """Return one entry per vulnerability and analysis.

    Trivy keeps the last entry of an id, so those that clear a finding come last.
    """
    groups: dict[tuple[str, bool, str, str], list[Statement]] = defaultdict(list)
    for statement in document.statements:
        last = statement.status in SUPPRESSING
        label = statement.justification.value if statement.justification else ""
        key = (statement.vulnerability.name, last, statement.status.value, label)
        groups[key].append(statement)
    index = None if sbom is None else _index(sbom)
    entries = (
        _entry(document, groups[key], sbom=sbom, index=index) for key in sorted(groups)
    )
    return [entry for entry in entries if entry is not None]


def _index(sbom: SbomLink) -> dict[str, list[str]]:
    index: dict[str, list[str]] = defaultdict(list)
    for purl, ref in sbom.refs:
        for form in purls.subcomponent_forms(purl):
            index[form] += _spellings(purl, ref)
    return index


def _spellings(purl: str, ref: str) -> list[str]:
    """Return the reference and, where Trivy would not find it, the purl as well.

    Trivy normalizes a reference that is a purl before it compares, so it never finds a
    `bom-ref` with an escaped colon (every Debian epoch in Syft's SBOMs); it compares
    with the component's purl too, in normal form.
    """
    return [ref, purl] if ref.startswith("pkg:") and "%3A" in ref.upper() else [ref]


def _entry(
    document: Document,
    statements: Sequence[Statement],
    *,
    sbom: SbomLink | None,
    index: Mapping[str, Sequence[str]] | None,
) -> Json:
    first = statements[0]
    affects: list[Json] = [
        {"ref": ref, **_versions(leaf, first.status)}
        for statement in statements
        for leaf in leaves.of(statement)
        for ref in _refs(leaf, sbom, index)
    ]
    if not affects:
        return None
    ids = sorted({i for statement in statements for i in statement.vulnerability.aliases})
    entry: dict[str, Json] = {
        "id": first.vulnerability.name,
        "source": _source(first.vulnerability.name),
    }
    if ids:
        entry["references"] = [{"id": i, "source": _source(i)} for i in ids]
    if first.vulnerability.description:
        entry["description"] = first.vulnerability.description
    actions = _told(statement.action_statement for statement in statements)
    if actions:
        entry["recommendation"] = actions
    entry["analysis"] = _analysis(document, statements)
    entry["affects"] = affects
    return entry


def _source(identifier: str) -> dict[str, Json]:
    return {"name": "OSV", "url": f"https://osv.dev/vulnerability/{quote(identifier)}"}


def _versions(leaf: Leaf, status: Status) -> dict[str, Json]:
    purl = leaf.purl
    if purl is None or not purl.version:
        return {}
    return {"versions": [{"version": purl.version, "status": _VERSION_STATES[status]}]}


def _refs(
    leaf: Leaf, sbom: SbomLink | None, index: Mapping[str, Sequence[str]] | None
) -> Iterable[str]:
    if sbom is None or index is None:
        return (leaf.id,)
    found = dict.fromkeys(ref for form in leaf.forms for ref in index.get(form, ()))
    link = f"urn:cdx:{sbom.serial_number}/{sbom.version}#"
    return tuple(link + quote(ref, safe="") for ref in found)


def _analysis(document: Document, statements: Sequence[Statement]) -> Json:
    first = statements[0]
    analysis: dict[str, Json] = {"state": _STATES[first.status]}
    if first.justification is not None:
        analysis["justification"] = _JUSTIFICATIONS[first.justification]
    if first.action_statement and first.action_statement.startswith("Upgrade "):
        analysis["response"] = ["update"]
    detail = _told(s.impact_statement or s.status_notes for s in statements)
    if detail:
        analysis["detail"] = detail
    known = [identity.effective_timestamp(document, s) for s in statements]
    analysis["firstIssued"] = clock.rfc3339(min(known))
    analysis["lastUpdated"] = clock.rfc3339(max(known))
    return analysis


def _told(texts: Iterable[str | None]) -> str:
    return "\n".join(dict.fromkeys(text for text in texts if text))
