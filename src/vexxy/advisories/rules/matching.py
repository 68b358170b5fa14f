"""Which advisories hit which installed packages, and how hits become matches."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from vexxy.advisories.rules import grouping, names, ranges, severity
from vexxy.advisories.rules.names import Lookup
from vexxy.advisories.types import (
    Affected,
    Details,
    Match,
    OverlayLine,
    Severity,
    Symbol,
)
from vexxy.sbom.types import Inventory, Package, Problem

_SCRIPT: Final = re.compile(r"\.[cm]?[jt]sx?$")


class Hit(NamedTuple):
    """One record that says one looked-up version is affected."""

    record_id: str
    lookup: Lookup
    affected: tuple[Affected, ...]


class Unknown(NamedTuple):
    """One record that could say nothing about a version."""

    record_id: str
    lookup: Lookup
    reason: str


class Outcome(NamedTuple):
    """Everything the records of one name say about one version."""

    hits: tuple[Hit, ...]
    unknown: tuple[Unknown, ...]


def evaluate(
    lookup: Lookup, records: Iterable[tuple[str, tuple[Affected, ...]]]
) -> Outcome:
    """Return which of a package's records hit the version."""
    hits: list[Hit] = []
    unknown: list[Unknown] = []
    for record_id, entries in records:
        found: list[Affected] = []
        for one in entries:
            try:
                if ranges.is_affected(
                    lookup.version,
                    ecosystem=lookup.ecosystem,
                    ranges=one.ranges,
                    versions=one.versions,
                ):
                    found.append(one)
            except ValueError as problem:
                unknown.append(Unknown(record_id, lookup, str(problem)))
        if found:
            hits.append(Hit(record_id, lookup, tuple(found)))
    decided = {hit.record_id for hit in hits}
    return Outcome(
        tuple(hits), tuple(one for one in unknown if one.record_id not in decided)
    )


class Knowledge(NamedTuple):
    """What is known of the records that hit, beyond the hits.

    Attributes:
        details: By record id, of the hits and of every id joined to them.
        groups: By subject id, every id of the same vulnerability.
    """

    details: Mapping[str, tuple[Details, ...]]
    groups: Mapping[str, frozenset[str]]


def record_subjects(record_id: str, details: Iterable[Details]) -> tuple[str, ...]:
    """Return the vulnerabilities a stored record is about."""
    found = dict.fromkeys(
        subject
        for one in details
        for subject in grouping.subjects(grouping.Ids(record_id, one.aliases, one.upstream))
    )
    return tuple(found) or (record_id,)


def build_matches(
    package: Package,
    hits: Sequence[Hit],
    *,
    knowledge: Knowledge,
    overlay: Sequence[OverlayLine],
) -> tuple[Match, ...]:
    """Return one match per vulnerability that hits the package, oldest CVE first."""
    grouped: dict[str, tuple[set[str], list[Hit]]] = {}
    for hit in hits:
        details = knowledge.details.get(hit.record_id, ())
        for subject in record_subjects(hit.record_id, details):
            group = knowledge.groups[subject]
            shown, _ = grouping.display_id(group, (subject,))
            ids, many = grouped.setdefault(shown, (set(), []))
            ids |= group
            many.append(hit)
    found = [
        _match(package, (frozenset(ids), many), knowledge=knowledge, overlay=overlay)
        for ids, many in grouped.values()
    ]
    return tuple(sorted(found, key=_oldest_first))


def unsettled(found: Iterable[Match], settled: frozenset[str]) -> tuple[Match, ...]:
    """Return the matches of a language package that its distribution left open.

    Debian mends a hole in `python3-yaml` without changing the version that PyPI's
    records compare. Where its own records name the vulnerability, they decide; where
    they are silent, PyPI's stand.
    """
    return tuple(
        one
        for one in found
        if one.vulnerability_id not in settled and settled.isdisjoint(one.aliases)
    )


def _oldest_first(match: Match) -> tuple[tuple[int, int], str]:
    return grouping.cve_order(match.vulnerability_id), match.vulnerability_id


def _match(
    package: Package,
    vulnerability: tuple[frozenset[str], Sequence[Hit]],
    *,
    knowledge: Knowledge,
    overlay: Sequence[OverlayLine],
) -> Match:
    ids, hits = vulnerability
    records = sorted({hit.record_id for hit in hits})
    shown, cve = grouping.display_id(ids, records)
    own = [one for record in records for one in knowledge.details.get(record, ())]
    joined = [one for other in sorted(ids) for one in knowledge.details.get(other, ())]
    entries = [one for hit in hits for one in hit.affected]
    word, score = _severity(own, joined, entries)
    return Match(
        vulnerability_id=shown,
        aliases=tuple(sorted(ids - {shown})),
        cve_id=cve,
        advisory_ids=tuple(records),
        package=package,
        severity=word,
        cvss_score=score,
        fixed_versions=_fixed(hits),
        summary=next((one.summary for one in (*own, *joined) if one.summary), ""),
        symbols=_symbols(entries, [one for one in overlay if one.vulnerability_id in ids]),
        urgency=next((one.urgency for one in entries if one.urgency), ""),
    )


def _severity(
    own: Sequence[Details], joined: Sequence[Details], entries: Sequence[Affected]
) -> tuple[Severity, float | None]:
    """Judge by the records that hit; by others of the vulnerability if those are mute."""
    said = severity.judge(
        [rating for one in own for rating in one.ratings]
        + [rating for entry in entries for rating in entry.ratings],
        [word for one in own for word in one.words]
        + [entry.urgency for entry in entries if entry.urgency],
    )
    if said[0] is not Severity.UNKNOWN:
        return said
    return severity.judge(
        [rating for one in joined for rating in one.ratings],
        [word for one in joined for word in one.words],
    )


def _fixed(hits: Sequence[Hit]) -> tuple[str, ...]:
    """Return every version that a hitting record calls fixed, ascending."""
    lookup = hits[0].lookup
    every = tuple(one for hit in hits for entry in hit.affected for one in entry.ranges)
    return ranges.fixed_versions(lookup.version, ecosystem=lookup.ecosystem, ranges=every)


def _symbols(
    entries: Iterable[Affected], overlay: Iterable[OverlayLine]
) -> tuple[Symbol, ...]:
    """Return each function once, from where it is known best.

    What it further needs may be stated elsewhere than where its name is from. A name
    without a file (`lodash.baseSet` of a record) gives way to the same one with a file.
    """
    best: dict[tuple[str, str], Symbol] = {}
    named = [symbol for entry in entries for symbol in entry.symbols]
    for symbol in [*named, *(line.symbol for line in overlay)]:
        known = best.setdefault((symbol.module, symbol.name), symbol)
        better = symbol if known.confidence < symbol.confidence else known
        stated = dict.fromkeys((*known.preconditions, *symbol.preconditions))
        best[symbol.module, symbol.name] = replace(better, preconditions=tuple(stated))
    placed = {_short(one) for one in best.values() if _SCRIPT.search(one.module)}
    return tuple(
        one
        for one in best.values()
        if not one.name or _SCRIPT.search(one.module) or _short(one) not in placed
    )


def _short(symbol: Symbol) -> str:
    return symbol.name.rpartition(".")[2]


def overlay_key(lookup: Lookup) -> tuple[str, str]:
    """Return under which ecosystem and package the overlay files a package."""
    return names.family(lookup.ecosystem), lookup.name


def unchecked(inventory: Inventory, known: Sequence[str]) -> tuple[Problem, ...]:
    """Name the ecosystems that nothing is known about: not free, but unasked."""
    counts = Counter(
        package.ecosystem
        for package in inventory.packages
        if package.ecosystem and not names.scopes(package.ecosystem, known)
    )
    return tuple(
        Problem(
            "",
            f"no advisories of {ecosystem} are stored; its {count} packages "
            "were not checked",
        )
        for ecosystem, count in sorted(counts.items())
    )


def undecided(
    asked: Iterable[tuple[Package, tuple[Lookup, ...]]],
    outcomes: Mapping[Lookup, Outcome],
) -> tuple[Problem, ...]:
    """Name the packages that some advisory could say nothing about."""
    found: list[Problem] = []
    for package, lookups in asked:
        unknown = [one for lookup in lookups for one in outcomes[lookup].unknown]
        if unknown:
            ids = ", ".join(sorted({one.record_id for one in unknown}))
            text = (
                f"{package.name} {package.version} cannot be compared with the ranges of "
                f"{ids}: {unknown[0].reason}"
            )
            # Named by its purl: a path would put every package of that database in doubt.
            found.append(Problem(package.purl, text))
    return tuple(found)
