"""What becomes of an analysis, whatever becomes of the process that it runs in."""

import ast
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.analysis.attempts import process
from tests.analysis.desk import SEALER, Desk
from tests.fakes.container_engine import FakeEngine
from tests.fakes.patience import until
from tests.fakes.values import DIGEST, an_image
from vexxy.analysis.attempts import service as attempts
from vexxy.analysis.attempts.errors import AnalysisImpossible, AttemptFailed
from vexxy.analysis.documents import service as documents
from vexxy.analysis.documents.service import Upload
from vexxy.analysis.publication import Publisher
from vexxy.analysis.submission import service
from vexxy.analysis.submission.models import AnalysisRow
from vexxy.analysis.submission.types import Status
from vexxy.audit.types import system
from vexxy.evidence import service as evidence
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.jobs.errors import DeadlinePassed, JobCancelled, LeaseLost
from vexxy.jobs.types import Lease
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.kit.errors import VexxyError
from vexxy.sandbox import service as sandbox
from vexxy.sandbox.service import Asked
from vexxy.worker.analysis import Analyses, passed

COMMAND = (sys.executable, "-m", process.__name__)


@dataclass
class Context:
    """One attempt, as a worker would hand it to the handler."""

    job: Lease
    database: Database
    reason: VexxyError | None = None
    lost: bool = False
    finished: int = 0
    deadline_at: datetime = field(
        default_factory=lambda: datetime.now(UTC) + timedelta(hours=1)
    )

    def remaining_seconds(self) -> float:
        return 3600

    def cancelled(self) -> bool:
        return self.reason is not None

    def heartbeat(self) -> None:
        if self.reason is not None:
            raise self.reason

    def finish(self, session: Session) -> None:
        if self.lost:
            raise LeaseLost(self.job.job_id)
        self.finished += 1


@dataclass
class Bench:
    """A worker with an engine in memory and the stand-in for the process."""

    desk: Desk
    database: Database
    work: Analyses
    engine: FakeEngine
    diary: Path

    def submit(self, script: str, **config: object) -> UUID:
        given = {"test_script": script, "environment": {"TOKEN": "hunter2"}, **config}
        return self.desk.submit(config=given).job_id

    def context(self, analysis_id: UUID, attempt: int = 1) -> Context:
        lease = Lease(
            job_id=ids.new_id(),
            token=ids.new_id(),
            kind="analysis",
            organization_id=self.desk.organization_id,
            payload={"analysis_id": str(analysis_id)},
            attempt=attempt,
            max_attempts=3,
            waited_seconds=0.0,
            deadline_seconds=900.0,
            deadline_at=datetime.now(UTC) + timedelta(hours=1),
        )
        return Context(lease, self.database)

    def attempt(self, analysis_id: UUID, attempt: int = 1) -> Context:
        context = self.context(analysis_id, attempt)
        self.work.handle(context)
        return context

    def row(self, analysis_id: UUID, *columns: str) -> tuple[Any, ...]:
        wanted = [getattr(AnalysisRow, name) for name in columns]
        with self.database.transaction(self.desk.organization_id) as session:
            query = session.query(*wanted).filter(AnalysisRow.id == analysis_id)
            return tuple(query.one())

    def entries(self) -> list[str]:
        return self.diary.read_text().splitlines() if self.diary.exists() else []


@pytest.fixture
def bench(
    desk: Desk, db_worker: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    diary = tmp_path / "diary"
    monkeypatch.setenv("VEXXY_TEST_DIARY", str(diary))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    image = an_image(reference="web:1")
    engine = FakeEngine(images={image.image_id: image}, names={"web:1": image.image_id})

    @contextmanager
    def open_engine() -> Iterator[FakeEngine]:
        yield engine

    work = Analyses(
        sealer=SEALER,
        store=LocalDisk(tmp_path / "evidence"),
        publisher=Publisher("Somebody"),
        open_engine=open_engine,
        command=COMMAND,
    )
    return Bench(desk, db_worker, work, engine, diary)


def test_an_analysis_is_run_written_down_and_charged_in_one_go(bench: Bench) -> None:
    analysis = bench.submit("fuzzed")

    context = bench.attempt(analysis)

    assert context.finished == 1
    status, percent, cost, billed, completed, started, digest, vex_id, left = bench.row(
        analysis,
        *("status", "progress_percent", "cost_credits", "billed_at", "completed_at"),
        *("started_at", "image_digest", "generated_vex_id", "sealed_environment"),
    )
    assert (status, percent) == ("complete", 100)
    # 10, 5 for what was mutated, 3 for watching; coverage was not asked for.
    assert cost == 18
    assert billed == completed > started
    assert digest == DIGEST
    assert vex_id == documents.vex_id_of(analysis)
    assert left is None
    with bench.database.transaction(bench.desk.organization_id) as session:
        results = service.get_results(session, analysis)
        kept = evidence.list_for_analysis(session, analysis)
    assert results.vex_document is not None
    assert f"urn:uuid:{vex_id}" in results.vex_document
    assert results.reachability_results is not None
    assert "CVE-2026-0001" in results.reachability_results
    assert {one.evidence_type for one in kept} == {"container_logs", "vex_document"}


def test_the_process_gets_the_variables_and_none_of_the_services_secrets(
    bench: Bench,
) -> None:
    bench.attempt(bench.submit("x"))

    (entry,) = bench.entries()
    assert "{'TOKEN': 'hunter2'}" in entry
    known = ast.literal_eval(entry[entry.index("[") : entry.index("]") + 1])
    assert "PATH" in known
    assert not {"DATABASE_URL", "SECRETS_KEY", "VEXXY_ORDER_KEY"} & set(known)


def test_only_what_is_named_is_passed_on() -> None:
    given = dict.fromkeys(
        ("PATH", "VEXXY_ENGINE", "JWT_SECRET_KEY", "REDIS_URL", "AWS_SECRET_ACCESS_KEY"), ""
    )
    assert set(passed(given)) == {"PATH", "VEXXY_ENGINE"}


def test_no_secret_lies_in_the_database_in_the_clear(bench: Bench) -> None:
    analysis = bench.submit("x")
    with bench.database.transaction(bench.desk.organization_id) as session:
        query = text("select premium_analysis_jobs::text from premium_analysis_jobs")
        everything = "".join(session.scalars(query))
    assert str(analysis) in everything
    assert "TOKEN" in everything
    assert "hunter2" not in everything
    assert b"hunter2".hex() not in everything


def test_an_attempt_after_what_was_seen_only_decides(bench: Bench) -> None:
    """The worker was killed between watching and deciding."""
    analysis = bench.submit("die-once")
    with pytest.raises(AttemptFailed):
        bench.attempt(analysis)
    assert bench.row(analysis, "status") == ("analyzing",)

    bench.attempt(analysis, attempt=2)

    assert [entry.split()[0] for entry in bench.entries()] == ["ran", "decided"]
    assert bench.row(analysis, "status", "retry_count") == ("complete", 1)


def test_a_later_attempt_runs_the_digest_that_the_first_one_found(bench: Bench) -> None:
    """The tag may have moved on meanwhile."""
    analysis = bench.submit("fail:engine")
    for attempt in (1, 2):
        with pytest.raises(AttemptFailed):
            bench.attempt(analysis, attempt)

    assert [entry.split()[1] for entry in bench.entries()] == ["None", DIGEST]


def test_an_observation_whose_names_were_lost_is_not_decided_again(bench: Bench) -> None:
    analysis = bench.submit("bytes die-once")
    with pytest.raises(AttemptFailed):
        bench.attempt(analysis)
    with pytest.raises(AttemptFailed):
        bench.attempt(analysis, attempt=2)

    assert [entry.split()[0] for entry in bench.entries()] == ["ran", "ran"]


def test_an_incomplete_observation_says_so_and_is_free(bench: Bench) -> None:
    analysis = bench.submit("partial fuzzed")

    bench.attempt(analysis)

    status, cost, billed, summary = bench.row(
        analysis, "status", "cost_credits", "billed_at", "summary"
    )
    assert (status, cost) == ("complete", 0)
    assert billed is not None
    assert summary["incomplete"] is True
    assert summary["incomplete_reasons"] == ["holes"]


def test_a_fault_of_the_image_is_told_and_not_tried_again(bench: Bench) -> None:
    analysis = bench.submit("fail:image")
    context = bench.context(analysis)

    with pytest.raises(AnalysisImpossible) as caught:
        bench.work.handle(context)
    bench.work.abandoned(context, caught.value.message)

    status, message, traceback, cost, billed = bench.row(
        analysis, "status", "error_message", "error_traceback", "cost_credits", "billed_at"
    )
    assert (status, cost, billed) == ("failed", 0, None)
    assert "the image exited" in message
    assert "noconfiguration" in message  # PostgreSQL keeps no NUL
    assert "ImageExited" in traceback


def test_a_fault_of_ours_is_told_without_what_it_is_made_of(bench: Bench) -> None:
    analysis = bench.submit("fail:engine")
    context = bench.context(analysis)

    with pytest.raises(AttemptFailed) as caught:
        bench.work.handle(context)
    bench.work.abandoned(context, caught.value.message)

    with bench.database.transaction(bench.desk.organization_id) as session:
        progress = service.get_progress(session, analysis)
    assert (
        progress.error_message == "the container engine failed while the image was analyzed"
    )
    assert "engine.sock" in bench.row(analysis, "error_traceback")[0]


def test_a_failed_analysis_has_no_results_but_an_answer(bench: Bench) -> None:
    analysis = bench.submit("die-once")
    context = bench.context(analysis)
    with pytest.raises(AttemptFailed):
        bench.work.handle(context)
    bench.work.abandoned(context, "gone")
    bench.work.abandoned(context, "told twice")

    with bench.database.transaction(bench.desk.organization_id) as session:
        results = service.get_results(session, analysis)
    assert results.status is Status.FAILED
    assert results.error_message == "gone"
    assert results.execution_profile is None
    assert results.cost_credits == 0


def test_what_is_cancelled_while_it_runs_is_killed_and_its_sandbox_removed(
    bench: Bench,
) -> None:
    analysis = bench.submit("hang")
    context = bench.context(analysis)

    def work() -> None:
        # What it tells meanwhile may be refused before anybody asks whether to go on.
        with suppress(JobCancelled):
            bench.work.handle(context)

    thread = threading.Thread(target=work)
    thread.start()
    until(lambda: bool(bench.entries()))
    with sandbox.open_image(bench.engine, "web:1", asked=Asked(job_id=str(analysis))):
        bench.desk.cancel(analysis)
        context.reason = JobCancelled(context.job.job_id)
        thread.join(timeout=30)

        assert not thread.is_alive()
        assert sandbox.list_jobs(bench.engine) == {}
    assert bench.row(analysis, "status", "cost_credits", "billed_at") == (
        "cancelled",
        0,
        None,
    )


def test_what_was_cancelled_can_neither_be_completed_nor_failed(bench: Bench) -> None:
    """An earlier worker wrote RUNNING over it at its next phase, and charged it."""
    analysis = bench.submit("x")
    bench.desk.cancel(analysis)
    context = bench.attempt(analysis)
    bench.work.abandoned(context, "late")

    assert bench.entries() == []
    assert context.finished == 0
    assert bench.row(analysis, "status", "error_message") == ("cancelled", None)


def test_a_worker_that_lost_its_lease_writes_nothing(bench: Bench) -> None:
    analysis = bench.submit("x")
    context = bench.context(analysis)
    context.lost = True

    with pytest.raises(LeaseLost):
        bench.work.handle(context)

    status, billed, vex_id = bench.row(analysis, "status", "billed_at", "generated_vex_id")
    assert (status, billed, vex_id) == ("analyzing", None, None)
    with (
        bench.database.transaction(bench.desk.organization_id) as session,
        pytest.raises(VexxyError),
    ):
        documents.get_vex(session, documents.vex_id_of(analysis))


def test_a_job_that_is_delivered_twice_is_done_once(bench: Bench) -> None:
    analysis = bench.submit("x")
    bench.attempt(analysis)
    first = bench.row(analysis, "cost_credits", "billed_at", "completed_at")

    again = bench.attempt(analysis, attempt=2)

    assert again.finished == 0
    assert len(bench.entries()) == 1
    assert bench.row(analysis, "cost_credits", "billed_at", "completed_at") == first


def test_a_deadline_ends_the_process_and_removes_what_it_left(bench: Bench) -> None:
    analysis = bench.submit("hang")
    context = bench.context(analysis)
    context.reason = DeadlinePassed(context.job.job_id)

    with (
        sandbox.open_image(bench.engine, "web:1", asked=Asked(job_id=str(analysis))),
        pytest.raises(DeadlinePassed),
    ):
        bench.work.handle(context)

    assert sandbox.list_jobs(bench.engine) == {}


def test_an_environment_that_cannot_be_opened_is_no_reason_to_go_on_without(
    bench: Bench,
) -> None:
    analysis = bench.submit("x")
    other = replace(bench.work, sealer=type(SEALER)([b"o" * 32]))

    with pytest.raises(VexxyError, match="cannot be opened"):
        other.handle(bench.context(analysis))

    assert bench.entries() == []


def test_an_engine_that_is_away_does_not_keep_an_analysis_from_its_end(
    bench: Bench,
) -> None:
    analysis = bench.submit("fail:image")
    bench.engine.gone = True
    context = bench.context(analysis)

    with pytest.raises(AnalysisImpossible):
        bench.work.handle(context)
    bench.work.abandoned(context, "over")

    assert bench.row(analysis, "status") == ("failed",)


def test_an_analysis_whose_job_was_cancelled_alone_is_cancelled(bench: Bench) -> None:
    analysis = bench.submit("hang")
    context = bench.context(analysis)
    context.reason = JobCancelled(context.job.job_id)

    with pytest.raises(JobCancelled):
        bench.work.handle(context)

    assert bench.row(analysis, "status", "cost_credits") == ("cancelled", 0)


@pytest.mark.parametrize(
    ("state", "status"), [("failed", "failed"), ("cancelled", "cancelled")]
)
def test_an_analysis_that_its_job_left_behind_is_ended(
    bench: Bench, db_system: Database, *, state: str, status: str
) -> None:
    """The database was away in the moment in which the job was given up."""
    analysis, other = bench.submit("x"), bench.submit("x")
    with db_system.transaction() as session:
        for change in (
            "state = 'running', lease_expires_at = now(), lease_token = id",
            f"state = '{state}', lease_expires_at = null, finished_at = now()",
        ):
            statement = text(f"update jobs set {change} where key = :key")  # noqa: S608  of this test
            session.execute(statement, {"key": f"analysis:{analysis}"})
        attempts.end_left(session)
        assert bench.row(analysis, "status") == ("queued",)  # it may be about to end
    with db_system.transaction() as session:
        assert attempts.end_left(session, after_seconds=0) == 1
        assert attempts.end_left(session, after_seconds=0) == 0

    assert bench.row(analysis, "status", "cost_credits") == (status, 0)
    assert bench.row(other, "status") == ("queued",)


def test_an_sbom_that_was_named_reaches_the_process(bench: Bench) -> None:
    content = b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}'
    organization = bench.desk.organization_id
    with bench.database.transaction(organization) as session:
        upload = Upload(organization, content, limit_bytes=1000)
        sbom = documents.store_sbom(session, upload, actor=system("test"))
    analysis = bench.desk.submit(sbom_id=sbom.id).job_id

    bench.attempt(analysis)

    (entry,) = bench.entries()
    assert "sbom.json" in entry


def test_evidence_that_is_too_large_is_left_out_and_the_analysis_goes_on(
    bench: Bench,
) -> None:
    bench.work = replace(bench.work, evidence_bytes_max=1)
    analysis = bench.submit("")

    bench.attempt(analysis)

    assert bench.row(analysis, "status") == ("complete",)
    with bench.database.transaction(bench.desk.organization_id) as session:
        kept = evidence.list_for_analysis(session, analysis)
    assert [one.evidence_type for one in kept] == ["vex_document"]
