"""What those who enqueue, cancel and look do, in their own transaction."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from vexxy.jobs.types import (
    DEADLINE_SECONDS_DEFAULT,
    Backlog,
    Depth,
    Job,
    NewJob,
    State,
    WorkerSeen,
)
from vexxy.kit import ids

_ENQUEUE: Final = text("""
select jobs_enqueue(:id, :kind, :organization_id, cast(:payload as jsonb), :priority, :key,
  :run_at, :deadline_seconds, :max_attempts)
""")
_CANCEL: Final = text("""
update jobs set
  cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
  state = case when state = 'queued' then 'cancelled' else state end,
  finished_at = case when state = 'queued' then clock_timestamp() end
where id = :id and state in ('queued', 'running')
returning id
""")
_COLUMNS: Final = """
select id, kind, organization_id, payload, state, priority, attempts, max_attempts,
  created_at, run_at, started_at, finished_at, error, error_kind,
  cancel_requested_at is not null
from jobs
"""
_FIND: Final = text(f"{_COLUMNS} where id = :id")
_LATEST: Final = text(
    f"{_COLUMNS} where kind = :kind and finished_at is not null"
    " order by finished_at desc limit 1"
)
_DEAD: Final = text(
    f"{_COLUMNS} where state = 'failed' order by finished_at desc limit :limit"
)
_DEPTHS: Final = text("""
select kind, state, count(*), extract(epoch from clock_timestamp() -
  min(case when state = 'queued' then run_at else claimed_at end))
from jobs where state in ('queued', 'running') group by kind, state order by kind, state
""")
_BACKLOG: Final = text("""
select count(*), coalesce(extract(epoch from clock_timestamp() - min(run_at)), 0)
from jobs where state = 'queued' and run_at <= clock_timestamp()
""")
_DUE: Final = text("""
insert into job_schedule as known (name, due_at)
values (:name, clock_timestamp() + make_interval(secs => :every))
on conflict (name) do update set due_at = excluded.due_at
where known.due_at <= clock_timestamp()
returning name
""")
_WORKERS: Final = text("""
select name, seen_at, extract(epoch from clock_timestamp() - seen_at), running, detail
from job_workers order by seen_at desc limit 1000
""")


def enqueue(session: Session, new: NewJob) -> UUID:
    """Insert the job, or return the unfinished one of its key."""
    found: UUID = session.execute(
        _ENQUEUE,
        {
            "id": ids.new_id(),
            "kind": new.kind,
            "organization_id": new.organization_id,
            "payload": msgspec.json.encode(dict(new.payload)).decode(),
            "priority": new.priority,
            "key": new.key,
            "run_at": new.run_at,
            "deadline_seconds": new.deadline_seconds or DEADLINE_SECONDS_DEFAULT,
            "max_attempts": new.max_attempts,
        },
    ).scalar_one()
    return found


def cancel(session: Session, job_id: UUID) -> bool:
    """Cancel or ask to; return whether the job was unfinished."""
    return session.execute(_CANCEL, {"id": job_id}).one_or_none() is not None


def find(session: Session, job_id: UUID) -> Job | None:
    """Return the job if there is one."""
    return _first(session, _FIND, id=job_id)


def find_latest(session: Session, kind: str) -> Job | None:
    """Return the job of the kind that ended last."""
    return _first(session, _LATEST, kind=kind)


def list_dead(session: Session, *, limit: int) -> Sequence[Job]:
    """Return the jobs that failed for good, newest first."""
    return [_job(row) for row in session.execute(_DEAD, {"limit": limit})]


def depths(session: Session) -> Sequence[Depth]:
    """Return how much waits and runs."""
    return [
        Depth(
            kind=row[0],
            state=State(row[1]),
            jobs=row[2],
            oldest_seconds=max(0.0, float(row[3])),
        )
        for row in session.execute(_DEPTHS)
    ]


def backlog(session: Session) -> Backlog:
    """Return what is due and waits."""
    row: Any = session.execute(_BACKLOG).one()
    return Backlog(waiting=row[0], oldest_seconds=max(0.0, float(row[1])))


def take_turn(session: Session, name: str, *, every_seconds: float) -> bool:
    """Return whether it is time for the periodic work; then it is not for a while.

    Of several that ask at once, one is told yes, and only if its transaction commits.
    """
    values = {"name": name, "every": every_seconds}
    return session.execute(_DUE, values).one_or_none() is not None


def list_workers(session: Session) -> Sequence[WorkerSeen]:
    """Return who took jobs lately, the last seen first."""
    return [
        WorkerSeen(row[0], row[1], float(row[2]), row[3], row[4])
        for row in session.execute(_WORKERS)
    ]


def _first(session: Session, query: TextClause, **values: object) -> Job | None:
    row = session.execute(query, values).one_or_none()
    return None if row is None else _job(row)


def _job(row: Any) -> Job:  # noqa: ANN401  rows of raw SQL have no static type
    return Job(
        job_id=row[0],
        kind=row[1],
        organization_id=row[2],
        payload=row[3],
        state=State(row[4]),
        priority=row[5],
        attempts=row[6],
        max_attempts=row[7],
        created_at=row[8],
        run_at=row[9],
        started_at=row[10],
        finished_at=row[11],
        error=row[12],
        error_kind=row[13],
        cancel_requested=row[14],
    )
