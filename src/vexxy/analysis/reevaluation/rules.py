"""What follows for a stored package from what the advisories say now."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from vexxy.advisories.rules import names
from vexxy.advisories.types import Match
from vexxy.analysis import wire
from vexxy.analysis.reevaluation.types import Statement, Stored
from vexxy.reachability import grounds
from vexxy.sbom.types import Package

# The first half is what verdicts rest on, the second what is only told.
HALF_BYTES: Final = 16


def questions(package: Package) -> tuple[str, ...]:
    """Return what advisories about a package are found by: none, one or two."""
    return tuple(f"{one.ecosystem} {one.name}" for one in names.lookups(package))


def question_parts(question: str) -> tuple[str, str]:
    """Return ecosystem and name of a question; ecosystems may hold blanks."""
    ecosystem, _, name = question.rpartition(" ")
    return ecosystem, name


def digest(match: Match) -> bytes:
    """Return 32 bytes that change with what the advisories say of a match."""
    weighty = [(one.module, one.name, one.confidence) for one in match.symbols]
    told = (match.aliases, match.severity, match.fixed_versions)
    return _half(weighty) + _half(told)


def _half(value: object) -> bytes:
    return hashlib.sha256(msgspec.json.encode(value)).digest()[:HALF_BYTES]


def decide(stored: Stored, matches: Sequence[Match]) -> Iterator[Statement]:
    """Yield the statements that differ from those that hold.

    A finding that no advisory supports any more is withdrawn. One about which nothing
    weighty changed keeps its verdict, which was decided with the image at hand; what is
    new, or about other functions now, is decided from the package's ground.
    """
    known = {one.vulnerability_id: one for one in stored.statements}
    found = {one.vulnerability_id: one for one in matches}
    for vulnerability_id, old in known.items():
        if vulnerability_id not in found and old.finding is not None:
            yield Statement(stored.ordinal, vulnerability_id, b"", None)
    for vulnerability_id, match in found.items():
        mark, before = digest(match), known.get(vulnerability_id)
        if before is not None and before.match_digest == mark:
            continue
        finding = _finding(stored, match, before=before)
        yield Statement(stored.ordinal, vulnerability_id, mark, finding)


def _finding(stored: Stored, match: Match, *, before: Statement | None) -> dict[str, Any]:
    same = (
        before is not None
        and before.match_digest[:HALF_BYTES] == digest(match)[:HALF_BYTES]
    )
    if before is not None and before.finding is not None and same:
        return {
            **before.finding,
            "aliases": list(match.aliases),
            "severity": match.severity.value,
            "fixed_versions": list(match.fixed_versions),
        }
    return wire.verdict_object(grounds.decide_again(match, stored.ground))
