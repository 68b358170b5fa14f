"""Advisories that appear, change or go, on analyses that ended long ago."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import text

from tests.fakes.jobs import an_attempt
from tests.fakes.values import NOON, a_match, a_package, a_result
from tests.service_values import an_organization
from vexxy.advisories import service as advisories
from vexxy.analysis import publication as publishing
from vexxy.analysis.documents import service as documents
from vexxy.analysis.errors import ResultUnreadable
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reevaluation import rules, service
from vexxy.analysis.reevaluation.errors import NothingKept
from vexxy.analysis.types import Result
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.kit.sealing import Sealer
from vexxy.notifications import service as notifications
from vexxy.notifications.types import EventType
from vexxy.reachability import grounds
from vexxy.reachability.rules.facts import Facts
from vexxy.reachability.rules.observation import Observation
from vexxy.sbom.types import Distribution, Inventory, Package
from vexxy.tracer.types import Access, FileAccess
from vexxy.worker import reevaluation

SEEN = Observation((), observed_seconds=120.0, traffic_requests=200)
LOADED = a_package("libloaded", source_name="loaded", source_version="1.0-1")
IDLE = a_package("libidle", source_name="idle", source_version="1.0-1")
NEW = "CVE-2026-0099"
OLD = "CVE-2026-0001"
PUBLISHER = Publisher("Somebody")


def record(identifier: str, package: str, **affected: object) -> dict[str, object]:
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0-1"}]}]
    about = {"package": {"ecosystem": "Debian:12", "name": package}, "ranges": ranges}
    return {
        "id": f"DEBIAN-{identifier}",
        "upstream": [identifier],
        "modified": "2026-01-01T00:00:00Z",
        "summary": f"what is wrong with {package}",
        "affected": [about | affected],
    }


class Advisories:
    """A database of advisories whose records come and go."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "advisories.db"
        self._folder = folder / "records"

    def hold(self, *records: Mapping[str, object]) -> None:
        self._folder.mkdir(exist_ok=True)
        for old in self._folder.iterdir():
            old.unlink()
        # A database without a record is refused, so there is always one about nothing.
        for one in (*records, record("CVE-1999-0001", "nobody-has-this")):
            (self._folder / f"{one['id']}.json").write_text(json.dumps(one))
        advisories.import_path(self.path, self._folder)


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Advisories:
    monkeypatch.setenv("VEXXY_DATA_DIRECTORY", str(tmp_path))
    found = Advisories(tmp_path)
    found.hold(record(OLD, "loaded"))
    return found


def a_run() -> Result:
    """An image with a package that was loaded and one that was not."""
    files = {
        LOADED.purl: (FileAccess("/usr/lib/libloaded.so", Access.MAPPED, 1.0),),
        IDLE.purl: (),
    }
    kept = tuple(
        grounds.ground(
            one,
            Facts(SEEN, accesses=files[one.purl], file_count=1),
            calls=(),
        )
        for one in (LOADED, IDLE)
    )
    match = a_match(LOADED, vulnerability_id=OLD, cve_id=OLD, aliases=())
    return a_result(
        grounds.decide_again(match, kept[0]),
        matches=(match,),
        inventory=Inventory(Distribution("debian", "12", "bookworm"), (LOADED, IDLE)),
        grounds=kept,
    )


def completed(system: Database, organization_id: UUID, result: Result) -> UUID:
    """Store an analysis that ended with the result, as its last phase does."""
    analysis_id = ids.new_id()
    stated = publishing.document(result, PUBLISHER)
    results = publishing.results_object(result, stated)
    with system.transaction() as session:
        session.execute(
            text(
                "insert into premium_analysis_jobs"
                " (id, organization_id, image_ref, profile, config, status,"
                " deadline_seconds, estimated_duration_minutes,"
                " estimated_cost_credits, created_at) values (:id, :organization, 'web:1',"
                " 'standard', '{}', 'queued', 900, 10, 20, :now)"
            ),
            {"id": analysis_id, "organization": organization_id, "now": NOON},
        )
        for status in ("running", "analyzing"):
            session.execute(
                text("update premium_analysis_jobs set status = :status where id = :id"),
                {"id": analysis_id, "status": status},
            )
        session.execute(
            text(
                "update premium_analysis_jobs set status = 'complete', completed_at = :now,"
                " billed_at = :now, cost_credits = 10, summary = cast(:summary as jsonb),"
                " reachability_results = cast(:findings as jsonb) where id = :id"
            ),
            {
                "id": analysis_id,
                "now": NOON,
                "summary": json.dumps(results["summary"]),
                "findings": json.dumps(results["reachability_results"]),
            },
        )
    with system.transaction() as session:
        if stated is not None:
            documents.issue(
                session, stated, organization_id=organization_id, analysis_id=analysis_id
            )
        # The child process hands its result over as JSON.
        travelled = msgspec.json.decode(msgspec.json.encode(result), type=Result)
        service.keep(
            session,
            organization_id=organization_id,
            analysis_job_id=analysis_id,
            result=travelled,
        )
    return analysis_id


@pytest.fixture
def mine(db_system: Database) -> Iterator[UUID]:
    yield an_organization(db_system)
    with db_system.transaction() as session:
        for table in ("premium_analysis_jobs", "jobs", "advisory_states"):
            session.execute(text(f"delete from {table}"))  # noqa: S608  names from above


def jobs_of(system: Database) -> list[tuple[UUID | None, dict[str, str]]]:
    query = text("select organization_id, payload from jobs where kind = 'reevaluation'")
    with system.transaction() as session:
        return [(row[0], row[1]) for row in session.execute(query)]


def work(system: Database, worker: Database) -> None:
    """Do what the schedule and the workers do: look for changes, then every job."""
    reevaluation.handle(an_attempt(system, None, kind=service.KIND))
    for organization_id, payload in jobs_of(system):
        context = an_attempt(worker, organization_id, kind=service.KIND, **payload)
        reevaluation.handle(context)
    with system.transaction() as session:
        session.execute(text("delete from jobs"))


def statuses(worker: Database, organization_id: UUID, analysis_id: UUID) -> dict[str, str]:
    with worker.transaction(organization_id) as session:
        current = service.current(session, analysis_id)
    assert current is not None
    return {one["vulnerability_id"]: one["status"] for one in current.findings}


def vex_of(worker: Database, organization_id: UUID, analysis_id: UUID) -> dict[str, str]:
    with worker.transaction(organization_id) as session:
        issued = documents.get_vex(session, documents.vex_id_of(analysis_id))
    stated = documents.document_of(issued)
    assert stated.version == issued.version
    return {one.vulnerability.name: one.status.value for one in stated.statements}


@pytest.mark.parametrize(
    ("package", "status"), [("loaded", "affected"), ("idle", "not_affected")]
)
def test_a_new_advisory_is_decided_without_a_run(
    db_system: Database,
    db_worker: Database,
    mine: UUID,
    known: Advisories,
    *,
    package: str,
    status: str,
) -> None:
    analysis_id = completed(db_system, mine, a_run())
    work(db_system, db_worker)
    known.hold(record(OLD, "loaded"), record(NEW, package))

    work(db_system, db_worker)

    expected = {OLD: "affected", NEW: status}
    assert statuses(db_worker, mine, analysis_id) == expected
    assert vex_of(db_worker, mine, analysis_id) == expected
    with db_worker.transaction(mine) as session:
        stored = session.execute(
            text("select reachability_results, summary from premium_analysis_jobs")
        ).one()
    assert {one["vulnerability_id"] for one in stored[0]} == {OLD, NEW}
    assert stored[1]["findings"] == 2


def test_an_advisory_of_another_package_changes_nothing(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    completed(db_system, mine, a_run())
    work(db_system, db_worker)
    known.hold(record(OLD, "loaded"), record(NEW, "something-else"))

    reevaluation.handle(an_attempt(db_system, None, kind=service.KIND))

    assert jobs_of(db_system) == []


def test_deciding_twice_adds_nothing(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    analysis_id = completed(db_system, mine, a_run())
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))

    for _ in range(3):
        work(db_system, db_worker)
        with db_worker.transaction(mine) as session:
            service.request(session, organization_id=mine, analysis_job_id=analysis_id)

    with db_worker.transaction(mine) as session:
        assert [one.number for one in service.history(session, analysis_id)] == [2, 1]


def test_an_advisory_that_is_withdrawn_takes_its_statement_along(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    analysis_id = completed(db_system, mine, a_run())
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    work(db_system, db_worker)
    known.hold(record(OLD, "loaded"))

    work(db_system, db_worker)

    assert statuses(db_worker, mine, analysis_id) == {OLD: "affected"}
    with db_worker.transaction(mine) as session:
        assert [one.number for one in service.history(session, analysis_id)] == [3, 2, 1]


def test_a_withdrawn_statement_can_come_back(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    analysis_id = completed(db_system, mine, a_run())
    for present in (True, False, True):
        known.hold(record(OLD, "loaded"), *([record(NEW, "idle")] if present else []))
        work(db_system, db_worker)

    assert statuses(db_worker, mine, analysis_id) == {OLD: "affected", NEW: "not_affected"}


def test_a_verdict_stays_when_only_the_fix_becomes_known(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    """It was decided with the image at hand, and that is worth more than the ground."""
    result = a_run()
    cleared = replace(result.verdicts[0], status=result.verdicts[0].status, reason="seen")
    analysis_id = completed(db_system, mine, replace(result, verdicts=(cleared,)))

    work(db_system, db_worker)

    with db_worker.transaction(mine) as session:
        current = service.current(session, analysis_id)
    assert current is not None
    (finding,) = current.findings
    assert (finding["reason"], finding["fixed_versions"]) == ("seen", ["2.0-1"])


def test_a_change_reaches_an_analysis_that_ended_while_it_was_applied(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    """Its child had read yesterday's advisories; today's were applied before it ended."""
    completed(db_system, mine, a_run())
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    work(db_system, db_worker)

    late = completed(db_system, mine, a_run())
    work(db_system, db_worker)

    assert statuses(db_worker, mine, late) == {OLD: "affected", NEW: "not_affected"}


def test_another_organization_decides_nothing_of_ours(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    analysis_id = completed(db_system, mine, a_run())
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    other = an_organization(db_system)

    with db_worker.transaction(other) as session:
        assert service.current(session, analysis_id) is None
        with pytest.raises(NothingKept):
            service.request(session, organization_id=other, analysis_job_id=analysis_id)
    context = an_attempt(db_worker, other, kind=service.KIND, analysis_id=str(analysis_id))
    reevaluation.handle(context)

    assert statuses(db_worker, mine, analysis_id) == {OLD: "affected"}


def test_the_organization_is_told_once(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    with db_system.transaction() as session:
        session.execute(
            text(
                "insert into notification_endpoints (id, organization_id, url, event_types,"
                " sealed_secrets) values (:id, :mine, 'https://example.com/',"
                " '{analysis.reevaluated}', '')"
            ),
            {"id": ids.new_id(), "mine": mine},
        )
    analysis_id = completed(db_system, mine, a_run())
    work(db_system, db_worker)
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    work(db_system, db_worker)

    query = text("select body from notification_deliveries order by created_at desc")
    with db_worker.transaction(mine) as session:
        body = session.scalars(query).first()
    assert body is not None
    assert body["data"]["analyses"] == [
        {"job_id": str(analysis_id), "statements": 1, "vex_version": 3}
    ]


@pytest.mark.parametrize(
    "package",
    [
        LOADED,
        a_package("x", ecosystem="Red Hat:enterprise_linux:9::baseos", source_name=""),
        a_package("x", ecosystem="Rocky Linux:9", type="rpm", source_name=""),
    ],
)
def test_a_question_falls_into_its_parts(package: Package) -> None:
    for question in rules.questions(package):
        ecosystem, name = rules.question_parts(question)
        assert ecosystem == package.ecosystem
        assert name


def test_one_that_cannot_be_published_keeps_no_other_from_it(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    broken, whole = sorted(completed(db_system, mine, a_run()) for _ in range(2))
    work(db_system, db_worker)
    with db_system.transaction() as session:
        session.execute(
            text("update premium_analysis_jobs set summary = '{}' where id = :id"),
            {"id": broken},
        )
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    reevaluation.handle(an_attempt(db_system, None, kind=service.KIND))
    ((_, payload),) = jobs_of(db_system)

    with pytest.raises(ResultUnreadable):
        reevaluation.handle(an_attempt(db_worker, mine, kind=service.KIND, **payload))

    assert NEW in vex_of(db_worker, mine, whole)
    assert NEW not in vex_of(db_worker, mine, broken)


def test_what_was_decided_before_a_crash_is_told_after_it(
    db_system: Database,
    db_worker: Database,
    mine: UUID,
    known: Advisories,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    completed(db_system, mine, a_run())
    work(db_system, db_worker)
    with db_system.transaction() as session:
        notifications.register(
            session,
            organization_id=mine,
            url="https://example.com/",
            event_types=[EventType.ANALYSIS_REEVALUATED],
            sealer=Sealer([b"k" * 32]),
        )
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    reevaluation.handle(an_attempt(db_system, None, kind=service.KIND))
    ((_, payload),) = jobs_of(db_system)
    with monkeypatch.context() as crash:
        crash.setattr(reevaluation, "_publish", _die)
        with pytest.raises(KeyboardInterrupt):
            reevaluation.handle(an_attempt(db_worker, mine, kind=service.KIND, **payload))

    reevaluation.handle(an_attempt(db_worker, mine, kind=service.KIND, **payload))

    with db_worker.transaction(mine) as session:
        told = notifications.list_deliveries(session, state=None, skip=0, limit=9)
    assert len(told) == 1


def _die(*_: object) -> None:
    raise KeyboardInterrupt


def test_older_advisories_of_another_machine_change_nothing(
    db_system: Database, db_worker: Database, mine: UUID, known: Advisories
) -> None:
    analysis_id = completed(db_system, mine, a_run())
    known.hold(record(OLD, "loaded"), record(NEW, "idle"))
    work(db_system, db_worker)
    with db_system.transaction() as session:
        session.execute(text("update advisory_states set known_at = now() + '1 day'"))
    known.hold(record(OLD, "loaded"))

    work(db_system, db_worker)

    assert NEW in statuses(db_worker, mine, analysis_id)
