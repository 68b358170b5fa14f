"""The queue in a real PostgreSQL, claimed as workers claim it."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from tests.service_values import an_organization
from vexxy.jobs import rules, service
from vexxy.jobs.errors import JobInvalid, JobNotFound
from vexxy.jobs.repository import leases
from vexxy.jobs.types import Announced, Lease, NewJob, Scalar, State
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.kit.errors import ExternalFailure

NO_LIMIT: Mapping[str, int | None] = {"greet": None}


@contextmanager
def a_connection(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@pytest.fixture
def worker(db_system: Database) -> Iterator[Connection]:
    """A worker's connection, in front of an empty queue."""
    with a_connection(db_system) as connection:
        connection.execute(text("delete from jobs"))
        yield connection


def enqueue(
    system: Database,
    *,
    organization_id: UUID | None = None,
    payload: Mapping[str, Scalar] | None = None,
    ago_minutes: float = 0,
    **more: object,
) -> UUID:
    new = NewJob(
        "greet",
        organization_id,
        payload or {},
        run_at=datetime.now(UTC) - timedelta(minutes=ago_minutes) if ago_minutes else None,
        **more,  # type: ignore[arg-type]
    )
    with system.transaction() as session:
        return service.enqueue(session, new)


def claim(
    connection: Connection,
    limits: Mapping[str, int | None] = NO_LIMIT,
    *,
    lease_seconds: int = 15,
) -> Lease | None:
    return leases.claim(connection, limits, worker="test", lease_seconds=lease_seconds)


def must_claim(
    connection: Connection, limits: Mapping[str, int | None] = NO_LIMIT
) -> Lease:
    lease = claim(connection, limits)
    assert lease is not None
    return lease


def state(system: Database, job_id: UUID) -> State:
    with system.transaction() as session:
        return service.get(session, job_id).state


def expire(connection: Connection, job_id: UUID) -> None:
    """Let the lease end as the passing of time would."""
    connection.execute(
        text("update jobs set lease_expires_at = now() - interval '1 s' where id = :id"),
        {"id": job_id},
    )


def swept(connection: Connection) -> object:
    # The test's server was started a moment ago; a worker's lease is longer than this.
    return leases.sweep(connection, lease_seconds=0)


def test_a_job_is_claimed_with_all_it_was_given(
    db_system: Database, worker: Connection
) -> None:
    mine = an_organization(db_system)
    job_id = enqueue(
        db_system,
        organization_id=mine,
        payload={"name": "a", "count": 2, "yes": True, "none": None},
        deadline_seconds=60,
        max_attempts=3,
    )

    lease = must_claim(worker)

    assert (lease.job_id, lease.organization_id) == (job_id, mine)
    assert lease.payload == {"name": "a", "count": 2, "yes": True, "none": None}
    assert (lease.attempt, lease.max_attempts, lease.deadline_seconds) == (1, 3, 60)
    assert state(db_system, job_id) is State.RUNNING
    assert claim(worker) is None


def test_a_finished_job_is_done_and_stays_done(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    lease = must_claim(worker)

    assert leases.finish(worker, lease)
    assert leases.finish(worker, lease), "said twice, because the first answer was lost"

    assert state(db_system, job_id) is State.DONE
    failure = rules.judge(ExternalFailure("late"), attempt=1, max_attempts=5)
    assert leases.fail(worker, lease, failure) is None
    with db_system.transaction() as session:
        assert not service.cancel(session, job_id)
    assert state(db_system, job_id) is State.DONE


@pytest.mark.parametrize("final", ["done", "failed", "cancelled"])
@pytest.mark.parametrize("after", ["queued", "running", "done", "failed", "cancelled"])
def test_no_statement_takes_a_job_out_of_a_final_state(
    db_system: Database, worker: Connection, final: str, after: str
) -> None:
    job_id = enqueue(db_system)
    must_claim(worker)
    end = text(
        "update jobs set state = :state, finished_at = now(), lease_expires_at = null"
        " where id = :id"
    )
    worker.execute(end, {"state": final, "id": job_id})
    change = text(
        "update jobs set state = :state,"
        " finished_at = case when :state not in ('queued', 'running') then now() end,"
        " lease_expires_at = case when :state = 'running' then now() end where id = :id"
    )

    if after == final:
        worker.execute(change, {"state": after, "id": job_id})
    else:
        with pytest.raises(IntegrityError, match=f"is {final} and cannot become {after}"):
            worker.execute(change, {"state": after, "id": job_id})
    assert state(db_system, job_id) == final


@pytest.mark.parametrize("after", ["done", "failed"])
def test_a_queued_job_cannot_end_without_being_claimed(
    db_system: Database, worker: Connection, after: str
) -> None:
    job_id = enqueue(db_system)

    with pytest.raises(IntegrityError, match="is queued and cannot become"):
        worker.execute(
            text("update jobs set state = :after, finished_at = now() where id = :id"),
            {"after": after, "id": job_id},
        )


def test_an_attempt_that_lost_its_lease_writes_nothing(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    first = must_claim(worker)
    expire(worker, job_id)
    swept(worker)
    second = must_claim(worker)

    assert not leases.finish(worker, first)
    failure = rules.judge(ExternalFailure("late"), attempt=1, max_attempts=5)
    assert leases.fail(worker, first, failure) is None
    assert leases.watch(worker, [first]) == {job_id: False}
    assert leases.watch(worker, [second]) == {}
    assert second.attempt == 2
    assert leases.finish(worker, second)


def test_a_renewed_lease_is_not_swept(db_system: Database, worker: Connection) -> None:
    job_id = enqueue(db_system)
    lease = must_claim(worker)
    expire(worker, job_id)

    leases.renew(worker, [lease], lease_seconds=15)

    assert swept(worker) == leases.Swept()
    assert state(db_system, job_id) is State.RUNNING


def test_after_a_restart_of_the_database_workers_have_time_to_renew(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    must_claim(worker)
    expire(worker, job_id)

    assert leases.sweep(worker, lease_seconds=10**7) == leases.Swept()


def test_a_failure_that_may_pass_is_tried_again_later(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    lease = must_claim(worker)
    failure = rules.judge(ExternalFailure("no answer"), attempt=1, max_attempts=5)

    assert leases.fail(worker, lease, failure) is State.QUEUED

    assert claim(worker) is None, "not before its delay"
    with db_system.transaction() as session:
        job = service.get(session, job_id)
    assert (job.error, job.error_kind) == ("no answer", "ExternalFailure")
    assert job.run_at > datetime.now(UTC)


def test_a_job_whose_attempts_are_used_up_stays_with_its_error(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system, max_attempts=1)
    lease = must_claim(worker)
    failure = rules.judge(ExternalFailure("no answer"), attempt=1, max_attempts=1)

    assert leases.fail(worker, lease, failure) is State.FAILED

    with db_system.transaction() as session:
        assert [job.job_id for job in service.list_dead(session)] == [job_id]
        assert service.list_dead(session)[0].error == "no answer"


def test_a_job_that_kills_its_workers_is_buried_and_then_fails(
    db_system: Database, worker: Connection
) -> None:
    """The attempts beyond the last are for saying so; they are bounded as well."""
    job_id = enqueue(db_system, max_attempts=1)
    exhausted = []
    for _ in range(1 + rules.BURIALS_MAX):
        exhausted.append(must_claim(worker).exhausted)
        expire(worker, job_id)
        swept(worker)

    assert exhausted == [False, *[True] * rules.BURIALS_MAX]
    assert state(db_system, job_id) is State.FAILED


def test_a_queued_job_is_cancelled_at_once(db_system: Database, worker: Connection) -> None:
    job_id = enqueue(db_system)

    with db_system.transaction() as session:
        assert service.cancel(session, job_id)

    assert state(db_system, job_id) is State.CANCELLED
    assert claim(worker) is None


def test_a_running_job_that_was_cancelled_never_becomes_done(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    lease = must_claim(worker)

    with db_system.transaction() as session:
        assert service.cancel(session, job_id)

    assert leases.watch(worker, [lease]) == {job_id: True}
    assert not leases.finish(worker, lease)
    failure = rules.judge(ExternalFailure("stopped"), attempt=1, max_attempts=5)
    assert leases.fail(worker, lease, failure) is State.CANCELLED


def test_a_cancelled_job_of_a_dead_worker_is_not_run_again(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    must_claim(worker)
    with db_system.transaction() as session:
        service.cancel(session, job_id)
    expire(worker, job_id)

    swept(worker)

    assert state(db_system, job_id) is State.CANCELLED


def test_a_key_is_one_job_until_that_has_ended(
    db_system: Database, worker: Connection
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    first = enqueue(db_system, organization_id=mine, key="k")

    assert enqueue(db_system, organization_id=mine, key="k") == first
    assert enqueue(db_system, organization_id=other, key="k") != first
    while (lease := claim(worker)) is not None:
        assert enqueue(db_system, organization_id=mine, key="k") == first
        leases.finish(worker, lease)
        if lease.job_id == first:
            break
    assert enqueue(db_system, organization_id=mine, key="k") != first


def test_many_who_enqueue_one_key_at_once_get_one_job(
    db_system: Database, worker: Connection
) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: enqueue(db_system, key="k"), range(24)))

    assert len(set(found)) == 1
    must_claim(worker)
    assert claim(worker) is None


def test_a_job_given_back_keeps_its_place_and_its_attempts(
    db_system: Database, worker: Connection
) -> None:
    first = enqueue(db_system)
    enqueue(db_system)
    lease = must_claim(worker)
    assert lease.job_id == first

    leases.give_back(worker, lease)

    again = must_claim(worker)
    assert (again.job_id, again.attempt) == (first, 1)


def test_a_later_job_waits_for_its_time(db_system: Database, worker: Connection) -> None:
    enqueue(db_system, ago_minutes=-1)

    assert claim(worker) is None


def test_nobody_takes_kinds_he_does_not_know(
    db_system: Database, worker: Connection
) -> None:
    enqueue(db_system)

    assert claim(worker, {"other": None}) is None
    assert claim(worker, {}) is None


def test_racing_workers_share_the_jobs_without_overlap(
    db_system: Database, worker: Connection
) -> None:
    expected = {enqueue(db_system) for _ in range(40)}

    def take(_: int) -> list[UUID]:
        with a_connection(db_system) as connection:
            taken = []
            while (lease := claim(connection)) is not None:
                taken.append(lease.job_id)
            return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [job_id for some in pool.map(take, range(4)) for job_id in some]

    assert len(taken) == 40
    assert set(taken) == expected


def test_racing_workers_keep_an_organization_to_its_limit(
    db_system: Database, worker: Connection
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    for _ in range(20):
        enqueue(db_system, organization_id=mine)
    enqueue(db_system, organization_id=other)

    def take(_: int) -> list[UUID | None]:
        with a_connection(db_system) as connection:
            taken = []
            while (lease := claim(connection, {"greet": 3})) is not None:
                taken.append(lease.organization_id)
            return taken

    with ThreadPoolExecutor(6) as pool:
        taken = [one for some in pool.map(take, range(6)) for one in some]

    assert sorted(map(str, taken)) == sorted(map(str, [mine] * 3 + [other]))


def test_a_limit_is_for_organizations_not_for_work_of_the_installation(
    db_system: Database, worker: Connection
) -> None:
    enqueue(db_system)
    enqueue(db_system)

    assert claim(worker, {"greet": 1}) is not None
    assert claim(worker, {"greet": 1}) is not None


def test_a_higher_tier_goes_first(db_system: Database, worker: Connection) -> None:
    tiers = {priority: an_organization(db_system) for priority in (0, 2, 3, 1)}
    for priority, organization_id in tiers.items():
        enqueue(db_system, organization_id=organization_id, priority=priority)

    order = [must_claim(worker).organization_id for _ in tiers]

    assert order == [tiers[3], tiers[2], tiers[1], tiers[0]]


def test_no_tier_starves(db_system: Database, worker: Connection) -> None:
    """A free job that waited 90 minutes longer goes before an enterprise job."""
    free, enterprise = an_organization(db_system), an_organization(db_system)
    enqueue(db_system, organization_id=free, ago_minutes=91)
    for _ in range(3):
        enqueue(db_system, organization_id=enterprise, priority=3)

    assert must_claim(worker).organization_id == free


def test_one_who_queued_a_thousand_does_not_hold_up_one_who_queued_one(
    db_system: Database, worker: Connection
) -> None:
    greedy, modest = an_organization(db_system), an_organization(db_system)
    for _ in range(30):
        enqueue(db_system, organization_id=greedy, ago_minutes=60)
    for _ in range(2):
        leases.finish(worker, must_claim(worker))
    enqueue(db_system, organization_id=modest, ago_minutes=1)

    first, second, third = (must_claim(worker).organization_id for _ in range(3))

    assert (first, second, third) == (modest, greedy, greedy)


def test_organizations_take_turns(db_system: Database, worker: Connection) -> None:
    mine = [an_organization(db_system) for _ in range(3)]
    for organization_id in mine:
        for _ in range(4):
            enqueue(db_system, organization_id=organization_id, ago_minutes=5)

    order = []
    while (lease := claim(worker)) is not None:
        order.append(lease.organization_id)

    assert [set(order[i : i + 3]) for i in (0, 3, 6, 9)] == [set(mine)] * 4


def test_every_lane_is_seen_wherever_the_look_begins(
    db_system: Database, worker: Connection
) -> None:
    """The scan begins at a random organization; with few of them it must see all."""
    for _ in range(12):
        organization_id = an_organization(db_system)
        for priority in (0, 3):
            enqueue(db_system, organization_id=organization_id, priority=priority)

    taken = [must_claim(worker) for _ in range(24)]

    assert claim(worker) is None
    assert len({lease.job_id for lease in taken}) == 24


def test_more_organizations_than_one_look_takes_in_are_all_served(
    db_system: Database, worker: Connection
) -> None:
    """Three hundred wait; those behind the first 256 must not wait for ever."""
    worker.execute(
        text(
            "insert into organizations (id, name, slug)"
            " select gen_random_uuid(), 'Many', 'many-' || n from generate_series(1, 300) n"
        )
    )
    worker.execute(
        text(
            "insert into jobs (id, kind, organization_id, payload, priority,"
            " deadline_seconds, max_attempts) select gen_random_uuid(), 'greet', id,"
            " '{}', 0, 60, 1 from organizations where slug like 'many-%'"
        )
    )
    last = worker.execute(
        text("select organization_id from jobs order by organization_id desc limit 1")
    ).scalar_one()

    taken = [claim(worker).organization_id for _ in range(200)]  # type: ignore[union-attr]
    while (lease := claim(worker) or claim(worker)) is not None:
        taken.append(lease.organization_id)

    assert len(set(taken)) == 300
    assert last in taken


def test_depths_and_backlog_tell_what_waits(
    db_system: Database, worker: Connection
) -> None:
    enqueue(db_system, ago_minutes=2)
    enqueue(db_system)
    enqueue(db_system, ago_minutes=-5)
    must_claim(worker)

    with db_system.transaction() as session:
        found = {(depth.kind, depth.state): depth for depth in service.depths(session)}
        backlog = service.backlog(session)

    assert found["greet", State.QUEUED].jobs == 2
    assert found["greet", State.RUNNING].jobs == 1
    assert backlog.waiting == 1
    assert 0 <= backlog.oldest_seconds < 60


def test_a_tenant_sees_and_cancels_only_its_own_jobs(
    db_system: Database, db_request: Database, worker: Connection
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    theirs = enqueue(db_system, organization_id=other)

    with db_request.transaction(mine) as session:
        assert not service.cancel(session, theirs)
        with pytest.raises(JobNotFound):
            service.get(session, theirs)
        own = service.enqueue(session, NewJob("greet", mine, {}))
        assert service.get(session, own).state is State.QUEUED
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        db_request.transaction(mine) as session,
    ):
        service.enqueue(session, NewJob("greet", other, {}))
    assert state(db_system, theirs) is State.QUEUED


def test_a_tenant_cannot_take_a_key_from_another(
    db_system: Database, db_request: Database, worker: Connection
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    theirs = enqueue(db_system, organization_id=other, key="analysis:1")

    with db_request.transaction(mine) as session:
        found = service.enqueue(session, NewJob("greet", mine, {}, key="analysis:1"))

    assert found != theirs


@pytest.mark.parametrize(
    "wrong",
    [
        {"priority": 10},
        {"priority": -1},
        {"max_attempts": 0},
        {"max_attempts": 101},
        {"key": ""},
        {"key": "k" * 201},
        {"deadline_seconds": 86_401},
        {"deadline_seconds": 0},
        {"run_at": datetime(2026, 1, 1)},  # noqa: DTZ001  the point
    ],
)
def test_a_job_out_of_bounds_is_refused_with_a_sentence(
    db_system: Database, wrong: dict[str, object]
) -> None:
    with pytest.raises(JobInvalid), db_system.transaction() as session:
        service.enqueue(session, NewJob("greet", None, {}, **wrong))  # type: ignore[arg-type]


def test_an_unknown_job_is_not_found(db_system: Database) -> None:
    with pytest.raises(JobNotFound), db_system.transaction() as session:
        service.get(session, ids.new_id())


def test_messages_are_due_once_until_they_are_overdue(
    db_system: Database, worker: Connection
) -> None:
    job_id = enqueue(db_system)
    enqueue(db_system, ago_minutes=-5)

    found = leases.list_unannounced(worker, limit=10)
    assert found == [Announced(job_id, None)]
    leases.mark_announced(worker, found)
    assert leases.list_unannounced(worker, limit=10) == []
    assert leases.list_overdue(worker, again_seconds=30, limit=10) == []
    (overdue,) = leases.list_overdue(worker, again_seconds=0, limit=10)
    assert overdue.job_id == job_id

    must_claim(worker)
    expire(worker, job_id)
    swept(worker)
    assert leases.list_unannounced(worker, limit=10) == found


def test_a_call_for_another_message_is_not_lost_while_the_first_is_sent(
    db_system: Database, worker: Connection
) -> None:
    mine = an_organization(db_system)
    enqueue(db_system, organization_id=mine)
    enqueue(db_system, organization_id=mine)
    ended = must_claim(worker, {"greet": 1})
    found = leases.list_unannounced(worker, limit=10)

    leases.call_next(worker, ended)
    leases.mark_announced(worker, found)

    again = leases.list_unannounced(worker, limit=10)
    assert [one.job_id for one in again] == [one.job_id for one in found]
    leases.mark_announced(worker, again)
    assert leases.list_unannounced(worker, limit=10) == []


def test_workers_are_remembered_until_they_leave(
    db_system: Database, worker: Connection
) -> None:
    leases.saw_worker(worker, "w1", running=1, detail={"concurrency": 2})
    leases.saw_worker(worker, "w1", running=0, detail={"concurrency": 2})
    with db_system.transaction() as session:
        (seen,) = service.list_workers(session)
    assert (seen.name, seen.running, seen.detail) == ("w1", 0, {"concurrency": 2})

    leases.forget_worker(worker, "w1")
    with db_system.transaction() as session:
        assert service.list_workers(session) == []


def test_old_ends_are_forgotten_failures_later(
    db_system: Database, worker: Connection
) -> None:
    for _ in range(2):
        enqueue(db_system, max_attempts=1)
    done, failed = must_claim(worker), must_claim(worker)
    leases.finish(worker, done)
    leases.fail(
        worker, failed, rules.judge(ExternalFailure("x"), attempt=1, max_attempts=1)
    )
    worker.execute(text("update jobs set finished_at = now() - interval '10 days'"))
    enqueue(db_system)

    assert leases.prune(worker, days=7, failed_days=90) == 1
    assert state(db_system, failed.job_id) is State.FAILED
    assert leases.prune(worker, days=7, failed_days=9) == 1
    assert claim(worker) is not None
