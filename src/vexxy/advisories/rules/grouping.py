"""Which ids are names of one vulnerability, and which of them people search for."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple

_CVE: Final = re.compile(r"CVE-(\d{4})-(\d{4,})", re.ASCII)
# Errata: one record announces fixes of several vulnerabilities at once.
_ERRATUM: Final = re.compile(
    r"(?:DSA|DLA|DTSA|USN|RHSA|RHBA|RHEA|ALSA|ALBA|ALEA|RLSA|RXSA|SUSE-|openSUSE-|MGASA|"
    r"ELSA|ALAS|OESA|AZL|LSN)"
)
_SEVERAL: Final = 2
# A chain of wrong aliases must not pull the whole database into one group.
_GROUP_MAX: Final = 200


class Ids(NamedTuple):
    """The ids of one record and those it says are the same, or are contained."""

    id: str
    aliases: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()


def is_cve(identifier: str) -> bool:
    """Tell whether the id is a CVE."""
    return _CVE.fullmatch(identifier) is not None


def subjects(ids: Ids) -> tuple[str, ...]:
    """Return the vulnerabilities that a record is about.

    A record is about itself. An erratum (DSA, USN, RLSA ...) is about each vulnerability
    it fixes, which are different ones although they share a record.
    """
    others = _others(ids)
    if not _is_erratum(ids, others):
        return (ids.id,)
    named = tuple(one for one in others if is_cve(one)) or others
    return named or (ids.id,)


def same(ids: Ids) -> tuple[str, ...]:
    """Return the ids that mean the same vulnerability as the record's own.

    `related` is never among them. `upstream` is where it names one vulnerability, as in
    Debian's records, whose own id is a CVE with a prefix.
    """
    others = _others(ids)
    return () if _is_erratum(ids, others) else others


def _others(ids: Ids) -> tuple[str, ...]:
    seen = dict.fromkeys((*ids.aliases, *ids.upstream))
    return tuple(one for one in seen if one and one != ids.id)


def _is_erratum(ids: Ids, others: tuple[str, ...]) -> bool:
    if _ERRATUM.match(ids.id):
        return bool(others)
    upstream = set(ids.upstream)
    cves = {one for one in upstream if is_cve(one)}
    return len(cves or upstream) >= _SEVERAL


def close(
    seeds: Iterable[str], neighbors: Callable[[Collection[str]], Mapping[str, set[str]]]
) -> dict[str, frozenset[str]]:
    """Return for each seed every id that aliases join to it, itself included.

    `neighbors` answers for many ids at once, so that a database is asked once a step.
    """
    groups = {seed: {seed} for seed in seeds}
    frontier = {seed: {seed} for seed in groups}
    while frontier:
        asked = set().union(*frontier.values())
        answers = neighbors(asked)
        step: dict[str, set[str]] = {}
        for seed, ids in frontier.items():
            new = set().union(*(answers.get(one, set()) for one in ids)) - groups[seed]
            if new and len(groups[seed]) < _GROUP_MAX:
                groups[seed] |= new
                step[seed] = new
        frontier = step
    return {seed: frozenset(group) for seed, group in groups.items()}


def cve_order(identifier: str) -> tuple[int, int]:
    """Order CVEs by year and number; an id that is none comes first."""
    found = _CVE.fullmatch(identifier)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def display_id(group: Iterable[str], records: Iterable[str]) -> tuple[str, str | None]:
    """Return the id to show and the CVE: CVE if any, else GHSA, else the record's own."""
    ids = sorted(group)
    cves = sorted((one for one in ids if is_cve(one)), key=cve_order)
    if cves:
        return cves[0], cves[0]
    advisories = [one for one in ids if one.startswith("GHSA-")]
    return (advisories or sorted(records) or ids)[0], None
