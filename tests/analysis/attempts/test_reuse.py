"""A request that was answered before is answered again, or run."""

from dataclasses import replace
from uuid import UUID

import pytest

from tests.analysis.attempts.test_worker import Bench, bench
from tests.analysis.desk import Desk
from tests.fakes.values import DIGEST
from tests.service_values import an_organization
from vexxy.analysis.documents import service as documents
from vexxy.analysis.submission import service
from vexxy.evidence import service as evidence
from vexxy.kit.db import Database

__all__ = ["bench"]

DAY = 86_400


@pytest.fixture
def reusing(bench: Bench) -> Bench:
    bench.work = replace(bench.work, reuse_seconds=DAY)
    return bench


def submit(bench: Bench, script: str = "", **given: object) -> UUID:
    """Submit by digest and without variables, as a program would."""
    values = {"image_digest": DIGEST, "config": {"test_script": script}, **given}
    return bench.desk.submit(**values).job_id


def runs(bench: Bench) -> int:
    return len(bench.entries())


def test_the_same_request_is_answered_without_a_run(reusing: Bench) -> None:
    first, second = submit(reusing), submit(reusing)
    reusing.attempt(first)

    context = reusing.attempt(second)

    assert (context.finished, runs(reusing)) == (1, 1)
    columns = ("status", "cost_credits", "reused_from", "progress_percent", "summary")
    status, cost, source, percent, summary = reusing.row(second, *columns)
    assert (status, cost, source, percent) == ("complete", 1, first, 100)
    assert summary["reused_from"] == str(first)
    assert reusing.row(second, "billed_at") is not None


def test_the_answer_is_whole_and_has_a_document_of_its_own(reusing: Bench) -> None:
    first, second = submit(reusing), submit(reusing)
    reusing.attempt(first)
    reusing.attempt(second)

    with reusing.database.transaction(reusing.desk.organization_id) as session:
        one = service.get_results(session, first)
        two = service.get_results(session, second)
        kept = evidence.list_for_analysis(session, second)
        issued = documents.get_vex(session, documents.vex_id_of(second))
    assert two.reachability_results == one.reachability_results
    assert two.execution_profile == one.execution_profile
    assert [entry.evidence_type for entry in kept] == ["container_logs"]
    assert str(documents.vex_id_of(second)) in issued.content.decode()
    assert str(documents.vex_id_of(first)) not in issued.content.decode()


@pytest.mark.parametrize(
    "given",
    [
        {"config": {"test_script": "fuzzed"}},
        {"config": {"test_script": "", "analysis_duration": 600}},
        {"config": {"test_script": "", "environment": {"NAME": "value"}}},
        {"image_digest": "sha256:" + "e" * 64},
        {"reuse_result": False},
    ],
)
def test_another_request_is_run(reusing: Bench, given: dict[str, object]) -> None:
    reusing.attempt(submit(reusing))

    reusing.attempt(submit(reusing, **given))

    assert runs(reusing) == 2


@pytest.mark.parametrize("seconds", [0, -1])
def test_where_nothing_is_reused_everything_is_run(reusing: Bench, seconds: int) -> None:
    reusing.work = replace(reusing.work, reuse_seconds=seconds)
    for _ in range(2):
        reusing.attempt(submit(reusing))

    assert runs(reusing) == 2


def test_a_result_with_holes_answers_nothing(reusing: Bench) -> None:
    for _ in range(2):
        reusing.attempt(submit(reusing, "partial"))

    assert runs(reusing) == 2


def test_a_copy_is_not_copied(reusing: Bench) -> None:
    """Each copy would look younger than what it says."""
    first, *rest = (submit(reusing) for _ in range(3))
    reusing.attempt(first)
    for one in rest:
        reusing.attempt(one)

    assert [reusing.row(one, "reused_from") for one in rest] == [(first,), (first,)]


def test_another_organizations_result_answers_nothing(
    reusing: Bench, db_system: Database, db_request: Database
) -> None:
    reusing.attempt(submit(reusing))
    reusing.desk = Desk(db_system, db_request)
    assert reusing.desk.organization_id != an_organization(db_system)

    reusing.attempt(submit(reusing))

    assert runs(reusing) == 2


def test_what_was_cancelled_is_not_answered(reusing: Bench) -> None:
    reusing.attempt(submit(reusing))
    second = submit(reusing)
    reusing.desk.cancel(second)

    context = reusing.attempt(second)

    assert context.finished == 0
    assert reusing.row(second, "status", "cost_credits") == ("cancelled", 0)


def test_a_tag_is_answered_once_it_is_known_what_it_means(reusing: Bench) -> None:
    """The process is begun, tells the digest, and is ended before it runs the image."""
    first, second = submit(reusing), submit(reusing, image_digest=None)
    reusing.attempt(first)

    context = reusing.attempt(second)

    assert context.finished == 1
    columns = ("status", "reused_from", "image_digest", "cost_credits")
    assert reusing.row(second, *columns) == ("complete", first, DIGEST, 1)
