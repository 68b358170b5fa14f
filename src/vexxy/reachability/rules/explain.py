"""A verdict as lines for a terminal: the whole chain, nothing computed again."""

from typing import Final

from vexxy.reachability.types import Evidence, Verdict
from vexxy.vex.types import Status

HEADINGS: Final = {
    "assumption": "On one condition",
    "symbol": "Vulnerable code",
    "file_access": "What ran",
    "static_reference": "What could still run",
    "linkage": "What it is a part of",
    "inventory": "What is installed",
    "completeness": "How much was seen",
}


def explain(verdict: Verdict) -> list[str]:
    """Return the verdict, its reason, and every fact with who says so."""
    package = verdict.package
    ids = ", ".join((verdict.vulnerability_id, *verdict.aliases))
    status = verdict.status.value
    if verdict.justification is not None:
        status = f"{status} ({verdict.justification.value})"
    lines = [
        ids,
        f"  package     {package.name} {package.version}  {package.purl}",
        f"  severity    {verdict.severity.value}",
        f"  status      {status}",
        f"  level       {verdict.level.name.lower()}",
        f"  confidence  {verdict.confidence_score:.2f}",
        f"  because     {verdict.reason}",
    ]
    if verdict.status is Status.AFFECTED and verdict.action_statement:
        lines.append(f"  what to do  {verdict.action_statement}")
    for kind, heading in HEADINGS.items():
        lines += _section(heading, [one for one in verdict.evidence if one.kind == kind])
    rest = [one for one in verdict.evidence if one.kind not in HEADINGS]
    return lines + _section("Further facts", rest)


def _section(heading: str, facts: list[Evidence]) -> list[str]:
    if not facts:
        return []
    return [f"  {heading}", *(f"    - {one.detail}  [{one.source}]" for one in facts)]
