"""Decisions about a comparison: what became fixable."""

from collections.abc import Iterable, Mapping
from typing import Any

Pair = tuple[str, str]


def fixable(findings: Iterable[Mapping[str, Any]]) -> frozenset[Pair]:
    """Return the vulnerabilities and packages of findings that a version fixes."""
    return frozenset(
        (finding["vulnerability_id"], finding["package"]["purl"])
        for finding in findings
        if finding["fixed_versions"]
    )


def newly_fixable(before: frozenset[Pair], after: frozenset[Pair]) -> frozenset[Pair]:
    """Return what has a fix now and had none; the version of the package may differ."""
    known = {(name, _without_version(purl)) for name, purl in before}
    return frozenset(
        (name, purl) for name, purl in after if (name, _without_version(purl)) not in known
    )


def _without_version(purl: str) -> str:
    return purl.partition("?")[0].rpartition("@")[0] or purl
