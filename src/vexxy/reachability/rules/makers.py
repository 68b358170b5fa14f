"""Holes that make any function callable, and what is said while one of them is open.

Who can make objects of any name calls whatever the image holds. Where that power is no
feature but a reported vulnerability of the installed version, verdicts on others are
given for the day on which it is mended, and say so (ADR 0015). A power that is meant
(`pickle`, `UnsafeLoader`) is no entry here: it leaves every function open.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from vexxy.advisories.types import Match
from vexxy.reachability.types import Evidence, Level, Verdict
from vexxy.vex.types import Status

KIND: Final = "assumption"
UNCLEARED: Final = frozenset({Status.AFFECTED, Status.UNDER_INVESTIGATION})


@dataclass(frozen=True, slots=True)
class Maker:
    """A package whose API makes objects of any name, against what it says of itself.

    Attributes:
        vulnerability_ids: Under which that is reported, aliases left out.
        api: What is called, for a sentence.
    """

    type: str
    name: str
    vulnerability_ids: frozenset[str]
    api: str


MAKERS: Final = (
    Maker(
        "pypi",
        "pyyaml",
        frozenset({"CVE-2020-14343", "CVE-2020-1747"}),
        "full_load of YAML",
    ),
)


@dataclass(frozen=True, slots=True)
class Assumption:
    """That the reported holes of one installed package are mended."""

    maker: Maker
    version: str
    vulnerability_ids: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What every verdict that rests on it says."""
        holes = " and ".join(self.vulnerability_ids)
        verb = "is" if len(self.vulnerability_ids) == 1 else "are"
        return (
            f"This holds once {holes} ({self.maker.api}, {self.maker.name} "
            f"{self.version}) {verb} mended: until then who exploits it can call any "
            "function."
        )


def assumed(matches: Sequence[Match], verdicts: Sequence[Verdict]) -> list[Assumption]:
    """Return the assumptions that open vulnerabilities of this image allow.

    `verdicts` were reached without any; a hole that they clear allows none, for then
    nothing reports the power that is assumed away. One for each package.
    """
    found: dict[str, Assumption] = {}
    for match, verdict in zip(matches, verdicts, strict=True):
        for maker in MAKERS:
            reported = _ids(match) & maker.vulnerability_ids
            if reported and _is_of(match, maker) and verdict.status in UNCLEARED:
                known = found.get(maker.name)
                ids = reported | set(known.vulnerability_ids if known else ())
                found[maker.name] = Assumption(
                    maker, match.package.version, tuple(sorted(ids))
                )
    return list(found.values())


def merged(
    matches: Sequence[Match],
    verdicts: tuple[Sequence[Verdict], Sequence[Verdict]],
    assumptions: Sequence[Assumption],
) -> Iterator[Verdict]:
    """Yield for each match the verdict without assumptions, or the one that needs them.

    `verdicts` are those without and those with. Only what was open is cleared, and nothing
    of a maker's own package by assuming that it is mended.
    """
    for match, plain, other in zip(matches, *verdicts, strict=True):
        own = any(_is_of(match, one.maker) for one in assumptions)
        is_open = plain.status is Status.UNDER_INVESTIGATION
        if is_open and not own and other.status is Status.NOT_AFFECTED:
            yield _conditional(other, assumptions)
        else:
            yield plain


def _conditional(verdict: Verdict, assumptions: Sequence[Assumption]) -> Verdict:
    said = [one.sentence for one in assumptions]
    told = (Evidence(KIND, Level.PRESENT, one, "rules") for one in said)
    return replace(
        verdict,
        reason=" ".join((verdict.reason, *said)),
        evidence=(*told, *verdict.evidence),
    )


def _is_of(match: Match, maker: Maker) -> bool:
    package = match.package
    return (package.type, package.name.lower()) == (maker.type, maker.name)


def _ids(match: Match) -> frozenset[str]:
    return frozenset({match.vulnerability_id, match.cve_id or "", *match.aliases})
