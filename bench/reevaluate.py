"""One new advisory against thousands of stored profiles.

    python -m bench.reevaluate [--profiles 5000] [--organizations 50]

Every stored profile has the package that the advisory is about, which is the worst case.
The limit in the same run: inserting the very statements, in the same transactions, as
the same role, with nothing decided.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from vexxy.advisories import repository as advisory_repository
from vexxy.advisories import service as advisories
from vexxy.analysis.reevaluation import repository, rules, service, wire
from vexxy.analysis.reevaluation.types import KeptPackage
from vexxy.integrations.embedded_postgres import server as embedded
from vexxy.kit import ids
from vexxy.kit.db import Database, Role
from vexxy.migrations import service as migrations
from vexxy.reachability import grounds
from vexxy.reachability.rules.facts import Facts
from vexxy.reachability.rules.observation import Observation
from vexxy.sbom.types import Package
from vexxy.tracer.types import Access, FileAccess, FunctionCall

PACKAGES = 100
CALLS = 40
QUESTION = "Debian:12 package-7"
SEEN = Observation((), observed_seconds=300.0, traffic_requests=900)


def a_package(number: int) -> Package:
    """Return one installed package."""
    return Package(
        purl=f"pkg:deb/debian/package-{number}@1.0-1?arch=amd64&distro=debian-12",
        type="deb",
        name=f"package-{number}",
        version="1.0-1",
        ecosystem="Debian:12",
        source_name=f"package-{number}",
        source_version="1.0-1",
        locations=(f"/var/lib/dpkg/info/package-{number}.list",),
    )


def a_kept(number: int, *, loaded: bool) -> KeptPackage:
    """Return what a run kept of it: loaded with some calls, or untouched."""
    package, path = a_package(number), f"/usr/lib/libpackage-{number}.so.1"
    accesses = tuple(FileAccess(f"{path}.{n}", Access.MAPPED, 1.0) for n in range(4))
    calls = [
        FunctionCall(f"package_{number}", f"function_{n}", path, line=n)
        for n in range(CALLS)
    ]
    facts = Facts(SEEN, accesses=accesses if loaded else (), file_count=30)
    ground = grounds.ground(package, facts, calls=calls if loaded else ())
    return KeptPackage(package.purl, rules.questions(package), wire.pack_ground(ground))


def store(system: Database, *, profiles: int, organizations: int) -> list[UUID]:
    """Store the profiles; half of them loaded each package."""
    kept = {
        loaded: [a_kept(number, loaded=loaded) for number in range(PACKAGES)]
        for loaded in (True, False)
    }
    owners = [ids.new_id() for _ in range(organizations)]
    with system.transaction() as session:
        for one in owners:
            session.execute(
                text("insert into organizations (id, name, slug) values (:id, 'x', :slug)"),
                {"id": one, "slug": one.hex},
            )
    for number in range(profiles):
        with system.transaction() as session:
            analysis_id, owner = ids.new_id(), owners[number % organizations]
            session.execute(
                text(
                    "insert into premium_analysis_jobs (id, organization_id, image_ref,"
                    " profile, config, status, deadline_seconds,"
                    " estimated_duration_minutes, estimated_cost_credits, created_at)"
                    " values (:id, :owner, 'x', 'standard', '{}', 'queued', 9, 9, 9, now())"
                ),
                {"id": analysis_id, "owner": owner},
            )
            repository.begin_revisions(session, owner, analysis_id)
            repository.add_packages(
                session,
                kept[number % 2 == 0],
                organization_id=owner,
                analysis_id=analysis_id,
            )
    with system.transaction() as session:
        session.execute(text("analyze"))
    return owners


def an_index(folder: Path) -> Path:
    """Write a database of advisories in which one names the package."""
    record = {
        "id": "DEBIAN-CVE-2026-0099",
        "upstream": ["CVE-2026-0099"],
        "modified": "2026-01-01T00:00:00Z",
        "affected": [
            {
                "package": {"ecosystem": "Debian:12", "name": "package-7"},
                "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
            }
        ],
    }
    (folder / "records").mkdir()
    (folder / "records" / "one.json").write_text(json.dumps(record))
    advisories.import_path(folder / "advisories.db", folder / "records")
    return folder / "advisories.db"


def decide(worker: Database, owners: list[UUID], database: Path) -> int:
    """Decide for every organization, as the job does; return the statements."""
    found = 0
    with advisory_repository.open_index(database) as index:
        for owner in owners:
            examiner, after = service.Examiner(index), None
            while True:
                with worker.transaction(owner) as session:
                    done = service.decide_batch(
                        session,
                        examiner,
                        organization_id=owner,
                        questions=[QUESTION],
                        after=after,
                        cause="the advisories changed",
                    )
                found += sum(done.changed.values())
                after = done.after
                if after is None:
                    break
    return found


def bare(worker: Database, batches: list[tuple[UUID, list[dict[str, object]]]]) -> int:
    """Insert the statements again and decide nothing."""
    for owner, rows in batches:
        with worker.transaction(owner) as session:
            repository.add_statements(session, rows)
    return sum(len(rows) for _, rows in batches)


def statements(
    system: Database, owners: list[UUID]
) -> Iterator[tuple[UUID, list[dict[str, object]]]]:
    """Yield what was stored, to be stored again as the next revision."""
    query = text("select * from analysis_statements where organization_id = :owner")
    for owner in owners:
        with system.transaction() as session:
            rows = [
                dict(row) for row in session.execute(query, {"owner": owner}).mappings()
            ]
        for row in rows:
            row["revision"] += 1
            del row["decided_at"]
        yield owner, rows


def rate(work: Callable[[], int]) -> float:
    """Return how many the work did a second."""
    started = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - started)


def main() -> None:
    """Print how many profiles are decided a second, and the limit next to it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profiles", type=int, default=5000)
    parser.add_argument("--organizations", type=int, default=50)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vexxy-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = embedded.start(folder / "data")
        try:
            migrations.upgrade(server.url)
            system = Database(server.url, role=Role.SYSTEM)
            worker = Database(server.url, role=Role.WORKER)
            owners = store(
                system, profiles=asked.profiles, organizations=asked.organizations
            )
            database = an_index(folder)
            decided = rate(lambda: decide(worker, owners, database))
            batches = list(statements(system, owners))
            assert sum(len(rows) for _, rows in batches) == asked.profiles
            again = rate(lambda: decide(worker, owners, database) or asked.profiles)
            inserted = rate(lambda: bare(worker, batches))
            print(f"{asked.profiles} profiles of {PACKAGES} packages, "
                  f"{asked.organizations} organizations, durable commits")  # fmt: skip
            print(f"decided and stored     {decided:8.0f} profiles/s")
            print(f"looked at, no change   {again:8.0f} profiles/s")
            print(f"bare insert (limit)    {inserted:8.0f} statements/s")
            print(f"ratio decided / limit  {decided / inserted:8.2f}")
            worker.close()
            system.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
