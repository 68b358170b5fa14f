"""What workers do: each statement is one round trip and one transaction.

The connections are in autocommit; only a handler's own `finish` is not.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Connection

from vexxy.jobs import rules
from vexxy.jobs.types import Announced, Lease, State, Swept, Verdict

_CLAIM: Final = """
select id, lease_token, kind, organization_id, payload, attempts, max_attempts,
  deadline_seconds, claimed_at, extract(epoch from claimed_at - run_at)
from jobs_claim(%s::text[], %s::integer[], %s::text, %s::integer, %s::integer)
"""
# Also true when it is said a second time, after an answer that never came.
_FINISH: Final = """
with finished as (
  update jobs set state = 'done', finished_at = clock_timestamp(), lease_expires_at = null,
    error = null, error_kind = null
  from unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) held (id, token)
  where jobs.id = held.id and lease_token = held.token and state = 'running'
    and cancel_requested_at is null
  returning jobs.id
)
select id from finished union all
select jobs.id from unnest(%(ids)s::uuid[], %(tokens)s::uuid[]) held (id, token)
join jobs on jobs.id = held.id and lease_token = held.token and state = 'done'
"""
_FAIL: Final = """
with next as (
  select id, case when cancel_requested_at is not null then 'cancelled'
    when %(retry)s then 'queued' else 'failed' end as state
  from jobs where id = %(id)s and lease_token = %(token)s and state = 'running' for update
)
update jobs set
  state = next.state,
  finished_at = case when next.state <> 'queued' then clock_timestamp() end,
  run_at = case when next.state = 'queued'
    then clock_timestamp() + make_interval(secs => %(delay)s) else run_at end,
  lease_token = case when next.state <> 'queued' then lease_token end,
  lease_expires_at = null, announced_at = null,
  error = %(error)s, error_kind = %(error_kind)s
from next where jobs.id = next.id
returning next.state
"""
_GIVE_BACK: Final = """
with given as (
  update jobs set state = 'queued', attempts = attempts - 1, lease_token = null,
    lease_expires_at = null, announced_at = null
  where id = %s and lease_token = %s and state = 'running' and cancel_requested_at is null
  returning kind
)
select pg_notify('vexxy_jobs', kind) from given
"""
_RENEW: Final = """
update jobs set lease_expires_at = clock_timestamp() + make_interval(secs => %s)
from unnest(%s::uuid[], %s::uuid[]) held (id, token)
where jobs.id = held.id and lease_token = held.token and state = 'running'
"""
_WATCH: Final = """
select held.id, jobs.cancel_requested_at is not null
from unnest(%s::uuid[], %s::uuid[]) held (id, token)
left join jobs on jobs.id = held.id and lease_token = held.token and state = 'running'
where jobs.id is null or jobs.cancel_requested_at is not null
"""
# A database that was just restarted gives workers the time of a lease to renew theirs.
_SWEEP: Final = """
with expired as (
  select id, case when cancel_requested_at is not null then 'cancelled'
    when attempts >= max_attempts + %(burials)s then 'failed' else 'queued' end as state
  from jobs
  where state = 'running' and lease_expires_at < clock_timestamp()
    and pg_postmaster_start_time() < clock_timestamp() - make_interval(secs => %(lease)s)
  order by lease_expires_at limit 500 for update skip locked
), swept as (
  update jobs set state = expired.state, lease_token = null, lease_expires_at = null,
    announced_at = null,
    finished_at = case when expired.state <> 'queued' then clock_timestamp() end,
    error = 'the worker went away', error_kind = 'LeaseExpired'
  from expired where jobs.id = expired.id returning jobs.kind, expired.state
), told as (
  select pg_notify('vexxy_jobs', kind) from swept where state = 'queued' group by kind
)
select state, count(*) from swept group by state
union all select 'told', count(*) from told
"""
_UNANNOUNCED: Final = """
select id, announced_at from jobs
where state = 'queued' and (announced_at is null or announced_at < '1970-01-02')
  and run_at <= clock_timestamp()
order by announced_at nulls first, run_at limit %s
"""
_OVERDUE: Final = """
select id, announced_at from jobs
where state = 'queued' and run_at <= clock_timestamp()
  and announced_at < clock_timestamp() - make_interval(secs => %s)
order by announced_at limit %s
"""
# Unless somebody called for another message while this one was sent.
_ANNOUNCED: Final = """
update jobs set announced_at = clock_timestamp()
from unnest(%s::uuid[], %s::timestamptz[]) sent (id, found)
where jobs.id = sent.id and announced_at is not distinct from sent.found
  and state = 'queued'
"""
_CALL_NEXT: Final = """
with next as (
  update jobs set announced_at = '1970-01-01'
  where id = (
    select id from jobs
    where state = 'queued' and kind = %(kind)s
      and lane = coalesce(%(organization_id)s::uuid, '00000000-0000-0000-0000-000000000000')
      and run_at <= clock_timestamp()
    order by priority desc, run_at limit 1 for update skip locked
  ) returning kind
)
select pg_notify('vexxy_jobs', kind) from next
"""
_LIVE: Final = """
select key, bool_or(state = 'running')
from jobs where kind = %s and key = any(%s::text[]) group by key
"""
_SEEN: Final = """
insert into job_workers (name, seen_at, running, detail)
values (%s, clock_timestamp(), %s, %s::jsonb)
on conflict (name) do update
set seen_at = excluded.seen_at, running = excluded.running, detail = excluded.detail
"""
_GONE: Final = "delete from job_workers where name = %s"
_PRUNE: Final = """
with old as (
  select id from jobs
  where finished_at < clock_timestamp() - make_interval(days => %s)
    and (state <> 'failed' or finished_at < clock_timestamp() - make_interval(days => %s))
  order by finished_at limit 5000
), lost as (
  delete from job_workers where seen_at < clock_timestamp() - interval '1 hour'
)
delete from jobs using old where jobs.id = old.id
"""


def claim(
    connection: Connection,
    limits: Mapping[str, int | None],
    *,
    worker: str,
    lease_seconds: int,
) -> Lease | None:
    """Take the job whose turn it is, of the kinds that `limits` names; None if none.

    Args:
        connection: In autocommit.
        limits: Most jobs of the kind that run at once for an organization.
        worker: Who takes it.
        lease_seconds: How long nobody else may, unless renewed.
    """
    row = connection.exec_driver_sql(
        _CLAIM,
        (
            list(limits),
            list(limits.values()),
            worker,
            lease_seconds,
            int(rules.HEAD_START.total_seconds()),
        ),
    ).one_or_none()
    if row is None:
        return None
    return Lease(
        job_id=row[0],
        token=row[1],
        kind=row[2],
        organization_id=row[3],
        payload=row[4],
        attempt=row[5],
        max_attempts=row[6],
        deadline_seconds=float(row[7]),
        deadline_at=row[8].astimezone(UTC) + timedelta(seconds=row[7]),
        waited_seconds=float(row[9]),
    )


def finish(connection: Connection, lease: Lease) -> bool:
    """Mark the job done; return whether the lease was still good for that."""
    return lease.job_id in finish_all(connection, [lease])


def finish_all(connection: Connection, ended: Sequence[Lease]) -> frozenset[UUID]:
    """Mark the jobs done in one commit; return those whose lease was good for that."""
    ids, tokens = _columns(ended)
    rows = connection.exec_driver_sql(_FINISH, {"ids": ids, "tokens": tokens})
    return frozenset(rows.scalars())


def fail(connection: Connection, lease: Lease, verdict: Verdict) -> State | None:
    """Write what becomes of the job; return it, None when the lease was lost."""
    state = connection.exec_driver_sql(
        _FAIL,
        {
            "id": lease.job_id,
            "token": lease.token,
            "retry": verdict.delay_seconds is not None,
            "delay": verdict.delay_seconds or 0.0,
            "error": verdict.error,
            "error_kind": verdict.error_kind,
        },
    ).scalar_one_or_none()
    return None if state is None else State(state)


def give_back(connection: Connection, lease: Lease) -> None:
    """Return the job to the place in the queue that it had; the attempt never was."""
    connection.exec_driver_sql(_GIVE_BACK, (lease.job_id, lease.token))


def renew(connection: Connection, leases: Sequence[Lease], *, lease_seconds: int) -> None:
    """Renew those of the leases that still stand."""
    connection.exec_driver_sql(_RENEW, (lease_seconds, *_columns(leases)))


def watch(connection: Connection, leases: Sequence[Lease]) -> Mapping[UUID, bool]:
    """Return the jobs that must stop: True if cancelled, False if the lease is lost."""
    rows = connection.exec_driver_sql(_WATCH, _columns(leases))
    return {row[0]: bool(row[1]) for row in rows}


def sweep(connection: Connection, *, lease_seconds: int) -> Swept:
    """Put jobs of workers that went away back into the queue."""
    values = {"burials": rules.BURIALS_MAX, "lease": lease_seconds}
    found = {row[0]: row[1] for row in connection.exec_driver_sql(_SWEEP, values)}
    return Swept(
        requeued=found.get(State.QUEUED, 0),
        failed=found.get(State.FAILED, 0),
        cancelled=found.get(State.CANCELLED, 0),
    )


def list_unannounced(connection: Connection, *, limit: int) -> Sequence[Announced]:
    """Return due jobs that no message was sent for, oldest first."""
    return _announced(connection.exec_driver_sql(_UNANNOUNCED, (limit,)))


def list_overdue(
    connection: Connection, *, again_seconds: float, limit: int
) -> Sequence[Announced]:
    """Return due jobs that nobody took since their message was sent, oldest first."""
    return _announced(connection.exec_driver_sql(_OVERDUE, (again_seconds, limit)))


def mark_announced(connection: Connection, sent: Sequence[Announced]) -> None:
    """Remember that messages were sent, for jobs as they were found."""
    values = ([one.job_id for one in sent], [one.announced_at for one in sent])
    connection.exec_driver_sql(_ANNOUNCED, values)


def call_next(connection: Connection, lease: Lease) -> None:
    """Have a message sent again for the job that waited for this one to end.

    Its message may have come while the organization was at its limit.
    """
    values = {"kind": lease.kind, "organization_id": lease.organization_id}
    connection.exec_driver_sql(_CALL_NEXT, values)


def find_live(connection: Connection, kind: str, keys: Sequence[str]) -> Mapping[str, bool]:
    """Return which of the keys are jobs that we know, and whether one is worked on.

    A lease that ran out counts until it is swept: its worker may be about to renew it.
    """
    rows = connection.exec_driver_sql(_LIVE, (kind, list(keys)))
    return {row[0]: row[1] for row in rows}


def saw_worker(
    connection: Connection, name: str, *, running: int, detail: Mapping[str, Any]
) -> None:
    """Remember that the worker lives."""
    content = msgspec.json.encode(dict(detail)).decode()
    connection.exec_driver_sql(_SEEN, (name, running, content))


def forget_worker(connection: Connection, name: str) -> None:
    """Remember nothing of a worker that ended in order."""
    connection.exec_driver_sql(_GONE, (name,))


def prune(connection: Connection, *, days: int, failed_days: int) -> int:
    """Delete jobs that ended long ago; return how many."""
    return connection.exec_driver_sql(_PRUNE, (days, failed_days)).rowcount


def _announced(rows: Any) -> Sequence[Announced]:  # noqa: ANN401  rows of raw SQL
    return [Announced(row[0], row[1]) for row in rows]


def _columns(leases: Sequence[Lease]) -> tuple[list[UUID], list[UUID]]:
    return [lease.job_id for lease in leases], [lease.token for lease in leases]
