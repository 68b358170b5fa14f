"""One inventory against one index: the reading between the rules of matching."""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from importlib import resources

import msgspec

from vexxy.advisories.repository import Index
from vexxy.advisories.rules import grouping, matching, names
from vexxy.advisories.types import Examination, Match, OverlayLine
from vexxy.advisories.wire import overlay
from vexxy.sbom.rules import owners as owning
from vexxy.sbom.types import Inventory, Package


def examine(index: Index, inventory: Inventory) -> Examination:
    """Return every known vulnerability of what is installed, and what is undecided."""
    known = index.list_scopes()
    outcomes: dict[names.Lookup, matching.Outcome] = {}
    asked: list[tuple[Package, tuple[names.Lookup, ...]]] = []
    for package in inventory.packages:
        lookups = names.lookups(package)
        asked.append((package, lookups))
        for lookup in lookups:
            if lookup not in outcomes:
                outcomes[lookup] = _ask(index, lookup, known)
    hit = {one.record_id for outcome in outcomes.values() for one in outcome.hits}
    knowledge = _know(index, hit)
    owners = owning.index_owners(inventory)
    matches: list[Match] = []
    for package, lookups in asked:
        hits = [hit for lookup in lookups for hit in outcomes[lookup].hits]
        if hits:
            lines = _overlay(index, lookups)
            found = matching.build_matches(
                package, hits, knowledge=knowledge, overlay=lines
            )
            owner = owning.distribution_owner(package, owners)
            settled = _settled(index, owner, known) if owner else frozenset()
            matches += matching.unsettled(found, settled)
    problems = (
        *matching.unchecked(inventory, known),
        *matching.undecided(asked, outcomes),
    )
    return Examination(tuple(matches), problems)


def _ask(index: Index, lookup: names.Lookup, known: Sequence[str]) -> matching.Outcome:
    found = (
        record
        for scope in names.scopes(lookup.ecosystem, known)
        for record in index.list_affected(scope, lookup.name)
    )
    return matching.evaluate(lookup, found)


def _know(index: Index, hit: Collection[str]) -> matching.Knowledge:
    """Read about the records that hit, and about every id that is joined to them."""
    details = index.find_details(hit)
    seeds = {
        subject
        for record_id in hit
        for subject in matching.record_subjects(record_id, details.get(record_id, ()))
    }
    groups = grouping.close(seeds, index.find_neighbors)
    joined = set().union(*groups.values()) - details.keys()
    return matching.Knowledge({**index.find_details(joined), **details}, groups)


def _overlay(index: Index, lookups: Iterable[names.Lookup]) -> list[OverlayLine]:
    lines: list[OverlayLine] = []
    for lookup in lookups:
        key = matching.overlay_key(lookup)
        lines += index.list_overlay(*key) or shipped_overlay().get(key, ())
    return lines


@lru_cache(maxsize=1)
def shipped_overlay() -> dict[tuple[str, str], tuple[OverlayLine, ...]]:
    """Return the overlay that ships with the product, by ecosystem and package."""
    found: dict[tuple[str, str], list[OverlayLine]] = defaultdict(list)
    for file in (resources.files("vexxy.advisories") / "symbols").iterdir():
        if file.name.endswith(".tsv"):
            for line in overlay.parse(file.read_text("utf-8"), source=file.name):
                found[line.ecosystem, line.package].append(line)
    return {key: tuple(lines) for key, lines in found.items()}


def _settled(index: Index, owner: Package, known: Sequence[str]) -> frozenset[str]:
    """Return every id that the distribution has spoken about for the owning package."""
    records = {
        record_id
        for lookup in names.lookups(owner)
        for scope in names.scopes(lookup.ecosystem, known)
        for record_id, _ in index.list_affected(scope, lookup.name)
    }
    return frozenset().union(*_know(index, records).groups.values())


def fingerprint(index: Index, ecosystem: str, name: str) -> bytes:
    """Return a digest of everything that is known of one package name.

    It changes when a record about the name appears, goes or says something else.
    """
    known = names.scopes(ecosystem, index.list_scopes())
    records = sorted(
        (record_id, msgspec.msgpack.encode(affected))
        for scope in known
        for record_id, affected in index.list_affected(scope, name)
    )
    details = index.find_details({record_id for record_id, _ in records})
    digest = hashlib.sha256()
    for record_id, affected in records:
        digest.update(record_id.encode() + b"\0" + affected)
        for one in details.get(record_id, ()):
            digest.update(msgspec.msgpack.encode(one))
    lookup = names.Lookup(ecosystem, name, "")
    digest.update(msgspec.msgpack.encode(_overlay(index, (lookup,))))
    return digest.digest()
