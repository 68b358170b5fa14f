"""Matching a real inventory against a database of the real thing's size.

    python bench/matching.py [--records 300000] [--runs 5] [--keep]

The inventory is this machine's: dpkg's packages (or as many made-up ones where there is
no dpkg) and this Python's, filled up to 500. The records are made up, of OSV's shape and
spread; a part of them is about installed packages, so that there is something to find.

Whole: open the database file, look up, decode, ranges, aliases, severities, with nothing
remembered from the run before. Then the range rule alone, with every record already in
memory under its package: ours, and the plainest form of it over univers' version classes,
the library that we would use otherwise. All must find the same.
"""

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
import warnings
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from univers.versions import DebianVersion, PypiVersion

from vexxy.advisories import repository, service
from vexxy.advisories.rules import matching, order
from vexxy.advisories.rules.names import Lookup, lookups, normalize
from vexxy.advisories.types import Affected
from vexxy.sbom.types import Inventory, Package

AIM_SECONDS = 1.0
PACKAGES = 500
DPKG_STATUS = Path("/var/lib/dpkg/status")
VECTOR = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
CLASSES = {"Debian:12": DebianVersion, "PyPI": PypiVersion}
# How OSV's records are spread over what a Debian image with Python asks for, and the rest.
SHARES = {"Debian:12": 0.2, "PyPI": 0.1, "npm": 0.5, "Maven": 0.2}
Hits = set[tuple[str, str]]


def main() -> int:
    """Print times and their ratio; return 1 when the aim was missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    inventory = Inventory(None, tuple(installed()))
    records = list(made_up(arguments.records, inventory))
    with tempfile.TemporaryDirectory() as folder:
        archive = pack(Path(folder) / "all.zip", records)
        database = Path(folder) / "advisories.db"
        begun = time.perf_counter()
        report = service.import_path(database, archive)
        spent = time.perf_counter() - begun
        print(
            f"import: {report.records} records in {spent:.1f} s, "
            f"{spent / report.records * 1e6:.0f} µs each; "
            f"{database.stat().st_size / 1e6:.0f} MB"
        )
        assert report.rejected == ()
        whole, found = timed(lambda: match(database, inventory), arguments.runs)
        with repository.open_index(database) as index:
            read = {
                one: index.list_affected(one.ecosystem, one.name)
                for package in inventory.packages
                for one in lookups(package)
            }
    ours, evaluated = timed(lambda: rule(read), arguments.runs)
    table = by_package(records)
    theirs, expected = timed(lambda: plain(table, inventory), arguments.runs)
    assert found == expected, f"{len(found ^ expected)} hits differ"
    assert len(evaluated) == len(expected)
    print(
        f"{len(inventory.packages)} packages, {sum(map(len, read.values()))} records about "
        f"them, {len(found)} hits, the same for all"
    )
    show("whole", whole)
    show("the rule alone, ours", ours)
    show("the rule alone, univers", theirs)
    print(f"univers / ours: {statistics.median(theirs) / statistics.median(ours):.1f}")
    print(
        f"whole / univers' rule: {statistics.median(whole) / statistics.median(theirs):.1f}"
    )
    met = statistics.median(whole) <= AIM_SECONDS
    print(f"aim, whole within {AIM_SECONDS:.0f} s: {'met' if met else 'MISSED'}")
    return not met


def rule(read: Mapping[Lookup, list[tuple[str, tuple[Affected, ...]]]]) -> Hits:
    """Return what our range rule says of records that were read before."""
    return {
        (hit.record_id, f"{lookup.name}@{lookup.version}")
        for lookup, records in read.items()
        for hit in matching.evaluate(lookup, records).hits
    }


def installed() -> Iterator[Package]:
    """Yield up to PACKAGES packages of this machine."""
    debian = list(dpkg()) or [
        (f"lib{at}", f"{at % 9}.{at % 7}-{at % 5}") for at in range(400)
    ]
    python = sorted({(one.name, one.version) for one in metadata.distributions()})
    for name, version in debian[: PACKAGES - len(python)]:
        yield Package(
            f"pkg:deb/debian/{name}@{version}",
            "deb",
            name,
            version,
            "Debian:12",
            source_name=name,
            source_version=version,
        )
    for name, version in python:
        yield Package(f"pkg:pypi/{name}@{version}", "pypi", name, version, "PyPI")


def dpkg() -> Iterator[tuple[str, str]]:
    """Yield name and version of dpkg's packages."""
    if not DPKG_STATUS.is_file():
        return
    for block in DPKG_STATUS.read_text(errors="replace").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "Package" in fields and "Version" in fields:
            yield fields["Package"], fields["Version"]


def made_up(count: int, inventory: Inventory) -> Iterator[dict[str, Any]]:
    """Yield records; a fifth of those of the inventory's ecosystems name its packages."""
    chance = random.Random(2026)  # noqa: S311  a benchmark's dice
    names: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for package in inventory.packages:
        names[package.ecosystem].append((package.name, package.version))
    for ecosystem, share in SHARES.items():
        for number in range(int(count * share)):
            known = names.get(ecosystem)
            if known and chance.random() < 0.2:
                name, version = chance.choice(known)
                fixed = version if chance.random() < 0.8 else version + ".1"
            else:
                name, fixed = (
                    f"other-{chance.randrange(20_000)}",
                    f"{number % 9}.{number % 7}",
                )
            yield {
                "id": f"BENCH-{ecosystem.partition(':')[0]}-{number}",
                "aliases": [f"CVE-2026-{len(ecosystem)}{number:07}"],
                "summary": "A made-up record of the usual length for a line of summary",
                "details": "A made-up description. " * 40,
                "severity": [{"type": "CVSS_V3", "score": VECTOR}],
                "affected": [
                    {
                        "package": {"ecosystem": ecosystem, "name": name},
                        "ranges": [
                            {
                                "type": "ECOSYSTEM",
                                "events": [{"introduced": "0"}, {"fixed": fixed}],
                            }
                        ],
                    }
                ],
                "references": [{"type": "WEB", "url": "https://example.org/advisory"}] * 4,
            }


def pack(path: Path, records: list[dict[str, Any]]) -> Path:
    """Write the records as OSV publishes them, one zip of one JSON file each."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for record in records:
            archive.writestr(f"{record['id']}.json", json.dumps(record))
    return path


def match(database: Path, inventory: Inventory) -> Hits:
    """Return what vexxy finds."""
    return {
        (record, one.package.purl)
        for one in service.match(database, inventory)
        for record in one.advisory_ids
    }


def by_package(
    records: list[dict[str, Any]],
) -> dict[tuple[str, str], list[tuple[str, dict[str, Any]]]]:
    """Return the records under their package, as the peer is given them."""
    table = defaultdict(list)
    for record in records:
        for affected in record["affected"]:
            ecosystem, name = affected["package"].values()
            table[ecosystem, normalize(ecosystem, name)].append((record["id"], affected))
    return table


def plain(
    table: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]], inventory: Inventory
) -> Hits:
    """Evaluate every record of every package with univers' classes."""
    found = set()
    for package in inventory.packages:
        kind = CLASSES[package.ecosystem]
        name = normalize(package.ecosystem, package.name)
        version = kind(package.version)
        for record, affected in table.get((package.ecosystem, name), ()):
            for one in affected["ranges"]:
                on = False
                for event in one["events"]:
                    if "introduced" in event:
                        at = event["introduced"]
                        on = on or at == "0" or version >= kind(at)
                    elif version >= kind(event["fixed"]):
                        on = False
                if on:
                    found.add((record, package.purl))
    return found


def timed(work: Callable[[], Hits], runs: int) -> tuple[list[float], Hits]:
    """Return the seconds of each run, and what the last one found."""
    seconds = []
    for _ in range(runs):
        for one in order.ORDERS.values():
            one.cache_clear()  # type: ignore[attr-defined]
        begun = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - begun)
    return seconds, found


def show(name: str, seconds: list[float]) -> None:
    """Print minimum, median and maximum."""
    print(
        f"{name}: {min(seconds):.3f} / {statistics.median(seconds):.3f} / "
        f"{max(seconds):.3f} s"
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
