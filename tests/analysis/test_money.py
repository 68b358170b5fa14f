"""What analyses cost and count, however they end and however often that is told."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.analysis.desk import SEALER, Desk
from tests.billing.quotas.till import Till
from tests.fakes.values import a_completeness, a_profile, a_result, an_image
from vexxy.analysis.attempts import service as attempts
from vexxy.analysis.attempts.types import Failure
from vexxy.analysis.publication import Publisher
from vexxy.analysis.reuse import service as reuse
from vexxy.analysis.submission.errors import AnalysisEnded, AnalysisOver
from vexxy.analysis.types import Observation, Result
from vexxy.audit.types import system
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Adjust, Grant, Release, Source
from vexxy.billing.subscriptions import lifecycle
from vexxy.billing.subscriptions.errors import SubscriptionUnusable
from vexxy.billing.types import Tier
from vexxy.kit import clock
from vexxy.kit.db import Database

PUBLISHER = Publisher("Somebody")
WORST = 18
PRICE = 13
OURS = Failure("the engine failed", lasting=False, traceback="")
THEIRS = Failure("there is no such image", lasting=True, traceback="")


class Work:
    """Does what a worker does, for a free organization."""

    def __init__(self, desk: Desk, worker: Database, system_: Database) -> None:
        self.desk = desk
        self.worker = worker
        self.till = Till(system_, desk.organization_id)

    def submit(self, image_digest: str | None = None) -> UUID:
        return self.desk.submit(image_digest=image_digest).job_id

    def begin(self, analysis_id: UUID, attempt: int = 1) -> bool:
        with self.worker.transaction(self.desk.organization_id) as session:
            work = attempts.begin(session, analysis_id, attempt=attempt, sealer=SEALER)
        return work is not None

    def observe(self, analysis_id: UUID) -> None:
        seen = Observation(an_image().image_id, a_profile(), driven=True)
        with self.worker.transaction(self.desk.organization_id) as session:
            attempts.keep_observation(session, analysis_id, seen, resumable=True)

    def complete(self, analysis_id: UUID, result: Result | None = None) -> int:
        with self.worker.transaction(self.desk.organization_id) as session:
            done = attempts.complete(
                session, analysis_id, result or a_result(), publisher=PUBLISHER
            )
        return done.cost_credits

    def fail(self, analysis_id: UUID, *failures: Failure) -> bool:
        for failure in failures:
            with self.worker.transaction(self.desk.organization_id) as session:
                attempts.note_failure(session, analysis_id, failure)
        with self.worker.transaction(self.desk.organization_id) as session:
            return attempts.fail(session, analysis_id, "it failed")

    def row(self, analysis_id: UUID) -> tuple[object, ...]:
        query = text(
            "select status, cost_credits, error_message from premium_analysis_jobs"
            " where id = :id"
        )
        with self.worker.transaction(self.desk.organization_id) as session:
            return tuple(session.execute(query, {"id": analysis_id}).one())


@pytest.fixture
def work(db_system: Database, db_request: Database, db_worker: Database) -> Iterator[Work]:
    made = Work(Desk(db_system, db_request, tier=Tier.FREE), db_worker, db_system)
    yield made
    assert made.till.discrepancies() == []


def begun(work: Work) -> UUID:
    analysis = work.submit()
    assert work.begin(analysis)
    work.observe(analysis)
    return analysis


def test_an_analysis_is_charged_what_ran_and_the_rest_is_back(work: Work) -> None:
    analysis = begun(work)
    assert work.till.balance() == (100 - WORST, WORST)

    assert work.complete(analysis) == PRICE

    assert work.till.balance() == (100 - PRICE, 0)
    assert work.till.used() == (1, PRICE)
    assert work.row(analysis)[:2] == ("complete", PRICE)


def test_a_result_with_holes_is_free_and_does_not_count(work: Work) -> None:
    analysis = begun(work)
    partial = a_completeness(partial=True, reasons=("no traffic",))
    holes = a_result(profile=a_profile(completeness=partial))

    assert work.complete(analysis, holes) == 0

    assert work.till.balance() == (100, 0)
    assert work.till.used() == (0, 0)


@pytest.mark.parametrize(
    ("failures", "analyses"), [((), 0), ((OURS,), 0), ((OURS, THEIRS), 1), ((THEIRS,), 1)]
)
def test_a_failure_costs_no_credits_and_counts_only_where_the_image_is_at_fault(
    work: Work, failures: tuple[Failure, ...], analyses: int
) -> None:
    analysis = begun(work)

    assert work.fail(analysis, *failures)
    assert not work.fail(analysis, *failures)

    assert work.till.balance() == (100, 0)
    assert work.till.used() == (analyses, 0)


@pytest.mark.parametrize(("started", "analyses"), [(False, 0), (True, 1)])
def test_a_cancellation_costs_no_credits_and_counts_once_it_had_begun(
    work: Work, *, started: bool, analyses: int
) -> None:
    analysis = begun(work) if started else work.submit()

    work.desk.cancel(analysis)
    with pytest.raises(AnalysisEnded):
        work.desk.cancel(analysis)

    assert work.till.balance() == (100, 0)
    assert work.till.used() == (analyses, 0)


@pytest.mark.parametrize(
    ("state", "started", "analyses"),
    [("failed", True, 0), ("cancelled", True, 1), ("cancelled", False, 0)],
)
def test_what_its_job_left_behind_is_released(
    work: Work, db_system: Database, *, state: str, started: bool, analyses: int
) -> None:
    left = [begun(work) if started else work.submit() for _ in range(2)]
    with db_system.transaction() as session:
        for change in (
            "state = 'running', lease_expires_at = now(), lease_token = id",
            f"state = '{state}', lease_expires_at = null, finished_at = now()",
        ):
            for one in left:
                statement = text(f"update jobs set {change} where key = :key")  # noqa: S608  of this test
                session.execute(statement, {"key": f"analysis:{one}"})

    with db_system.transaction() as session:
        assert attempts.end_left(session, after_seconds=0) == 2
        assert attempts.end_left(session, after_seconds=0) == 0

    assert work.till.balance() == (100, 0)
    assert work.till.used() == (2 * analyses, 0)


def test_an_answer_of_before_costs_one_credit(work: Work) -> None:
    digest = "sha256:" + "ab" * 32
    first = work.submit(image_digest=digest)
    assert work.begin(first)
    work.observe(first)
    work.complete(first)
    second = work.submit(image_digest=digest)
    assert work.begin(second)

    with work.worker.transaction(work.desk.organization_id) as session:
        reused = reuse.answer(session, second, within_seconds=3600)

    assert reused is not None
    assert reused.cost_credits == 1
    assert work.till.balance() == (100 - PRICE - 1, 0)
    assert work.till.used() == (2, PRICE + 1)


def race(*acts: Callable[[], object]) -> list[BaseException | None]:
    """Do them at the same moment; return what stopped each."""
    gate = threading.Barrier(len(acts))
    stopped: list[BaseException | None] = [None] * len(acts)

    def run(number: int, act: Callable[[], object]) -> None:
        gate.wait()
        try:
            act()
        except (AnalysisEnded, AnalysisOver) as error:
            stopped[number] = error

    threads = [
        threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return stopped


@pytest.mark.parametrize("_round", range(4))
def test_of_a_charge_and_a_cancellation_at_once_one_happens(
    work: Work, *, _round: int
) -> None:
    analysis = begun(work)

    charged, cancelled = race(
        lambda: work.complete(analysis), lambda: work.desk.cancel(analysis)
    )

    assert (charged is None) != (cancelled is None)
    cost = PRICE if charged is None else 0
    assert work.till.balance() == (100 - cost, 0)
    assert work.till.used() == (1, cost)
    assert work.till.settlements(analysis) == (charged is None)


def test_what_is_completed_by_four_at_once_is_charged_once(work: Work) -> None:
    analysis = begun(work)

    stopped = race(*[lambda: work.complete(analysis)] * 4)

    assert sum(one is None for one in stopped) == 1
    assert work.till.balance() == (100 - PRICE, 0)
    assert work.till.settlements(analysis) == 1


def test_all_of_an_organizations_analyses_end_at_once_without_a_deadlock(
    work: Work, db_system: Database
) -> None:
    """A sweep ends many with one commit, while their owner cancels each by itself."""
    analyses = [work.submit() for _ in range(5)]
    with db_system.transaction() as session:
        for change in (
            "state = 'running', lease_expires_at = now(), lease_token = id",
            "state = 'failed', lease_expires_at = null, finished_at = now()",
        ):
            statement = text(f"update jobs set {change} where organization_id = :id")  # noqa: S608  of this test
            session.execute(statement, {"id": work.desk.organization_id})

    def sweep() -> None:
        with db_system.transaction() as session:
            attempts.end_left(session, after_seconds=0)

    cancels = [lambda one=one: work.desk.cancel(one) for one in reversed(analyses)]
    race(sweep, *cancels)

    assert work.till.balance() == (100, 0)
    assert work.till.used() == (0, 0)


# --- a queue that stood still for longer than a hold lasts -----------------------------


def long_ago(monkeypatch: pytest.MonkeyPatch, work: Work) -> UUID:
    """Submit an analysis whose hold has lapsed by now."""
    now = clock.instant()
    with monkeypatch.context() as patched:
        patched.setattr(clock, "instant", lambda: now - timedelta(days=8))
        return work.submit()


def sweep(work: Work, analysis: UUID, db_system: Database) -> None:
    """Do what the sweep of holds does."""
    key = f"analysis:{analysis}:hold"
    lapsed = Release(key=f"hold:{analysis}:expire", hold_key=key, expired=True)
    with db_system.transaction() as session:
        ledger.post_one(session, work.desk.organization_id, lapsed)


def spend(work: Work, db_system: Database, *, left: int) -> None:
    """Take what is available but so much."""
    available, _ = work.till.balance()
    if left == available:
        return
    less = Adjust(key="spent", credits=left - available, description="spent elsewhere")
    with db_system.transaction() as session:
        ledger.post_one(session, work.desk.organization_id, less)


@pytest.mark.parametrize("swept", [True, False])
def test_what_lapsed_in_the_queue_is_held_again_at_the_start(
    work: Work, db_system: Database, monkeypatch: pytest.MonkeyPatch, *, swept: bool
) -> None:
    analysis = long_ago(monkeypatch, work)
    if swept:
        sweep(work, analysis, db_system)

    assert work.begin(analysis)
    assert work.begin(analysis, attempt=2)

    assert work.till.balance() == (100 - WORST, WORST)
    work.observe(analysis)
    assert work.complete(analysis) == PRICE
    assert work.till.balance() == (100 - PRICE, 0)
    assert work.till.used() == (1, PRICE)


def test_what_lapsed_in_the_queue_and_is_not_covered_fails_and_says_so(
    work: Work, db_system: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = long_ago(monkeypatch, work)
    sweep(work, analysis, db_system)
    spend(work, db_system, left=WORST - 1)

    assert not work.begin(analysis)

    status, cost, message = work.row(analysis)
    assert (status, cost) == ("failed", 0)
    assert "submit it again" in str(message)
    assert work.till.balance() == (WORST - 1, 0)
    assert work.till.used() == (0, 0)


@pytest.mark.parametrize("left", [100, 5, 0])
def test_what_lapsed_while_it_ran_is_charged_as_far_as_there_is_anything(
    work: Work, db_system: Database, monkeypatch: pytest.MonkeyPatch, left: int
) -> None:
    """Never below zero, and never lost without a word."""
    now = clock.instant()
    with monkeypatch.context() as patched:
        patched.setattr(clock, "instant", lambda: now - timedelta(days=8))
        analysis = begun(work)
    sweep(work, analysis, db_system)
    spend(work, db_system, left=left)

    charged = work.complete(analysis)

    # Nothing costs more than the worst case, and it ran for a week.
    assert charged == min(WORST, left)
    assert work.till.balance() == (left - charged, 0)
    assert work.till.used() == (1, charged)
    acts = text(
        "select after_state from billing_audit_log where organization_id = :id"
        " and action = 'credits.charge_fell_short'"
    )
    with db_system.transaction() as session:
        told = session.execute(acts, {"id": work.desk.organization_id}).scalars().all()
    expected = {"due_credits": WORST, "charged_credits": charged}
    assert told == ([] if charged == WORST else [expected])


def test_bought_credits_serve_when_the_allowance_is_spent(
    work: Work, db_system: Database
) -> None:
    work.desk.cancel(work.submit())
    spend(work, db_system, left=0)
    gift = Grant(key="bought", credits=50, source=Source.PURCHASE)
    with db_system.transaction() as session:
        ledger.post_one(session, work.desk.organization_id, gift)

    analysis = begun(work)

    assert work.complete(analysis) == PRICE
    assert work.till.balance() == (50 - PRICE, 0)


def test_a_paused_subscription_admits_nothing_and_says_what_to_do(
    work: Work, db_request: Database
) -> None:
    work.desk.cancel(work.submit())
    home = work.desk.organization_id
    with db_request.transaction(home) as session:
        lifecycle.pause(session, home, plans=work.desk.plans, actor=system("test"))

    with pytest.raises(SubscriptionUnusable) as refused:
        work.submit()

    assert refused.value.details["status"] == "paused"
    assert "resume" in (refused.value.hint or "")
    assert work.till.balance()[1] == 0
