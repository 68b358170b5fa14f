"""SARIF 2.1.0, out only: one rule per vulnerability, one result per package."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote

from vexxy.vex.rules import merging, purls
from vexxy.vex.rules.building import SUPPRESSING
from vexxy.vex.types import Claim, Document, Statement, Status, Vulnerability
from vexxy.vex.wire import leaves
from vexxy.vex.wire.leaves import Leaf
from vexxy.vex.wire.parsing import Json

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS: Final[Mapping[str, tuple[str, str]]] = {
    # severity: (level when affected, level while under investigation)
    "critical": ("error", "warning"),
    "high": ("error", "warning"),
    "medium": ("warning", "note"),
    "low": ("note", "note"),
    "negligible": ("note", "note"),
    "unknown": ("error", "warning"),
}
_SCORES: Final[Mapping[str, str]] = {
    # GitHub sorts by `security-severity`; the middle of each CVSS band stands for it.
    "critical": "9.5",
    "high": "8.0",
    "medium": "5.5",
    "low": "2.0",
    "negligible": "0.1",
}
_TOLD: Final[Mapping[Status, str]] = {
    Status.NOT_AFFECTED: "not affected",
    Status.AFFECTED: "affected",
    Status.FIXED: "fixed",
    Status.UNDER_INVESTIGATION: "under investigation",
}
_Index = Mapping[tuple[str, str], Claim]


def dump(document: Document, *, claims: Sequence[Claim] = ()) -> bytes:
    """Return the statements as findings; cleared ones are there, but suppressed.

    Rule ids begin with the CVE or GHSA id, as `vexctl filter` expects them.
    """
    index = {
        (name, form): claim
        for claim in claims
        for form in purls.subcomponent_forms(claim.purl)
        for name in (claim.vulnerability, *claim.aliases)
    }
    rules: dict[str, Json] = {}
    numbers: dict[str, int] = {}
    results: list[Json] = []
    for statement in document.statements:
        for leaf in leaves.of(statement):
            claim = _claim(index, statement, leaf)
            name = statement.vulnerability.name
            rules.setdefault(name, _rule(statement.vulnerability, claim))
            number = numbers.setdefault(name, len(numbers))
            results.append(_result(statement, leaf, claim=claim, rule=number))
    name, _, version = (document.tooling or "vexxy").partition("/")
    driver: dict[str, Json] = {
        "name": name,
        **({"version": version} if version else {}),
        "rules": list(rules.values()),
    }
    run: dict[str, Json] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"vex/{_image(document)}/"},
        "results": results,
    }
    sarif: dict[str, Json] = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return f"{json.dumps(sarif, ensure_ascii=False, indent=2)}\n".encode()


def _claim(index: _Index, statement: Statement, leaf: Leaf) -> Claim | None:
    keys = ((statement.vulnerability.name, form) for form in leaf.forms)
    return next((index[key] for key in keys if key in index), None)


def _image(document: Document) -> str:
    first = next((s.products[0] for s in document.statements if s.products), None)
    text = "" if first is None else merging.identifier(first.component)
    purl = purls.find(text)
    return purl.name if purl else "image"


def _rule(vulnerability: Vulnerability, claim: Claim | None) -> Json:
    severity = claim.severity if claim else "unknown"
    text = vulnerability.description or vulnerability.name
    properties: dict[str, Json] = {"tags": ["security", "vulnerability", severity]}
    if severity in _SCORES:
        properties["security-severity"] = _SCORES[severity]
    return {
        "id": vulnerability.name,
        "name": "VulnerablePackage",
        "shortDescription": {"text": f"{vulnerability.name} ({severity})"},
        "fullDescription": {"text": text[:1000]},
        "helpUri": f"https://osv.dev/vulnerability/{quote(vulnerability.name)}",
        "help": {"text": ", ".join((vulnerability.name, *vulnerability.aliases))},
        "defaultConfiguration": {"level": _LEVELS.get(severity, _LEVELS["unknown"])[0]},
        "properties": properties,
    }


def _result(statement: Statement, leaf: Leaf, *, claim: Claim | None, rule: int) -> Json:
    reason = (
        statement.impact_statement or statement.action_statement or statement.status_notes
    )
    name = statement.vulnerability.name
    told = f"{name} in {leaf.id}: {_TOLD[statement.status]}."
    result: dict[str, Json] = {
        "ruleId": name,
        "ruleIndex": rule,
        "level": _level(statement.status, claim),
        "message": {"text": f"{told} {reason}" if reason else told},
        "locations": [_location(leaf, claim)],
        "partialFingerprints": {"vulnerabilityInPackage/v1": _fingerprint(name, leaf)},
        "properties": {"status": statement.status.value, "purl": leaf.id},
    }
    if statement.status in SUPPRESSING:
        justification = statement.justification or statement.status
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{justification.value}: {reason or 'no reason given'}",
            }
        ]
    return result


def _level(status: Status, claim: Claim | None) -> str:
    affected, open_ = _LEVELS.get(claim.severity if claim else "", _LEVELS["unknown"])
    match status:
        case Status.AFFECTED:
            return affected
        case Status.UNDER_INVESTIGATION:
            return open_
        case Status.NOT_AFFECTED | Status.FIXED:
            return "note"


def _location(leaf: Leaf, claim: Claim | None) -> Json:
    """Return a place: GitHub refuses results without one and wants relative paths."""
    path = claim.locations[0] if claim and claim.locations else ""
    uri = quote(path.lstrip("/")) or "image"
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"fullyQualifiedName": leaf.id, "kind": "package"}],
    }


def _fingerprint(name: str, leaf: Leaf) -> str:
    purl = leaf.purl
    package = leaf.id if purl is None else f"{purl.type}/{purl.namespace}/{purl.name}"
    return hashlib.sha256(f"{name} {package}".encode()).hexdigest()[:32]
