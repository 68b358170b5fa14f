"""Keep jobs in the database that their effects are in.

A queue of its own would have to agree with the database after every crash. Here a job is
enqueued, claimed and finished by the same commits as what it is about. The functions
exist so that a claim is one round trip; the trigger, so that no path can revive a job.
"""

from alembic import op

from vexxy.migrations import tenancy

revision = "20261121_0930"
down_revision = "20261121_0920"

JOBS = """
create table jobs (
  id uuid constraint pk_jobs primary key,
  kind text not null constraint ck_jobs_kind check (kind ~ '^[a-z][a-z0-9_]{0,62}$'),
  organization_id uuid constraint fk_jobs_organization_id
    references organizations (id) on delete cascade,
  lane uuid not null generated always as
    (coalesce(organization_id, '00000000-0000-0000-0000-000000000000')) stored,
  payload jsonb not null constraint ck_jobs_payload check
    (jsonb_typeof(payload) = 'object' and octet_length(payload::text) <= 16384),
  priority smallint not null constraint ck_jobs_priority check (priority between 0 and 9),
  key text constraint ck_jobs_key check (length(key) between 1 and 200),
  state text not null default 'queued' constraint ck_jobs_state
    check (state in ('queued', 'running', 'done', 'failed', 'cancelled')),
  attempts integer not null default 0,
  max_attempts integer not null constraint ck_jobs_max_attempts
    check (max_attempts between 1 and 100),
  deadline_seconds integer not null constraint ck_jobs_deadline_seconds
    check (deadline_seconds between 1 and 86400),
  created_at timestamptz not null default now(),
  run_at timestamptz not null default now(),
  announced_at timestamptz,
  started_at timestamptz,
  claimed_at timestamptz,
  finished_at timestamptz,
  cancel_requested_at timestamptz,
  worker text,
  lease_token uuid,
  lease_expires_at timestamptz,
  error text,
  error_kind text,
  constraint ck_jobs_lease check ((state = 'running') = (lease_expires_at is not null)),
  constraint ck_jobs_finished check
    ((state in ('done', 'failed', 'cancelled')) = (finished_at is not null))
) with (
  -- Every job is updated twice soon after it was written, and most are dead soon after.
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
)
"""

INDEXES = (
    """create unique index uq_jobs_key on jobs (kind, lane, key)
    where key is not null and state in ('queued', 'running')""",
    """create index ix_jobs_turn on jobs (kind, lane, priority, run_at)
    where state = 'queued'""",
    "create index ix_jobs_key on jobs (kind, key) where key is not null",
    "create index ix_jobs_running on jobs (kind, lane) where state = 'running'",
    """create index ix_jobs_claimed_at on jobs (kind, lane, claimed_at)
    where claimed_at is not null""",
    """create index ix_jobs_announced_at on jobs (announced_at nulls first, run_at)
    where state = 'queued'""",
    "create index ix_jobs_finished_at on jobs (finished_at) where finished_at is not null",
)

GUARD = """
create function jobs_guard() returns trigger language plpgsql as $$
begin
  if (old.state = 'queued' and new.state in ('running', 'cancelled'))
    or (old.state = 'running'
        and new.state in ('queued', 'done', 'failed', 'cancelled')) then
    return new;
  end if;
  raise exception 'job % is % and cannot become %', old.id, old.state, new.state
    using errcode = 'check_violation';
end
$$
"""

GUARD_TRIGGER = """
create trigger jobs_guard before update on jobs for each row
when (old.state is distinct from new.state) execute function jobs_guard()
"""

ENQUEUE = """
create function jobs_enqueue(
  p_id uuid, p_kind text, p_organization_id uuid, p_payload jsonb, p_priority integer,
  p_key text, p_run_at timestamptz, p_deadline_seconds integer, p_max_attempts integer
) returns uuid language plpgsql as $$
declare v_id uuid;
begin
  loop
    insert into jobs (id, kind, organization_id, payload, priority, key, run_at,
      deadline_seconds, max_attempts)
    values (p_id, p_kind, p_organization_id, p_payload, p_priority, p_key,
      coalesce(p_run_at, clock_timestamp()), p_deadline_seconds, p_max_attempts)
    on conflict (kind, lane, key)
      where key is not null and state in ('queued', 'running') do nothing
    returning id into v_id;
    if v_id is not null then
      perform pg_notify('vexxy_jobs', p_kind);
      return v_id;
    end if;
    select id into v_id from jobs where kind = p_kind and key = p_key
      and organization_id is not distinct from p_organization_id
      and state in ('queued', 'running');
    if v_id is not null then
      return v_id;
    end if;
    -- The first one ended between the two statements: try again.
  end loop;
end
$$
"""

# A lane is one organization's jobs of one kind and priority, first come first served.
# Lanes take turns: the one that waited longest, counted from its last turn, is next, and
# each priority above another is worth p_head_start_seconds of waiting. Of more than 256
# lanes of a kind, others are looked at each time, beginning anywhere.
#
# The claim itself need not survive a crash of the database: the job is then queued
# again, and what the forgotten attempt would write is refused by its token.
#
# Planning costs more than claiming, so one plan serves; and because it may be made while
# the queue is empty, it must not scan it when it is long.
CLAIM = """
create function jobs_claim(
  p_kinds text[], p_limits integer[], p_worker text, p_lease_seconds integer,
  p_head_start_seconds integer
) returns setof jobs language plpgsql
set enable_seqscan = off set enable_bitmapscan = off
set plan_cache_mode = force_generic_plan as $$
declare
  c_most constant integer := 256;
  c_nobody constant uuid := '00000000-0000-0000-0000-000000000000';
  v_begin uuid := c_nobody;
  v_lane record;
  v_limit integer;
  v_id uuid;
  v_elsewhere boolean := false;
  v_ignored text;
begin
  v_ignored := set_config('synchronous_commit', 'off', true);
  <<look>>
  loop
    for v_lane in
      with recursive heads as (
        select head.*, 1 as number from unnest(p_kinds) wanted (kind), lateral (
          select j.kind, j.lane, j.priority, j.run_at from jobs j
          where j.state = 'queued' and j.kind = wanted.kind and j.lane >= v_begin
          order by j.lane, j.priority, j.run_at limit 1
        ) head
        union all
        select head.*, before.number + 1 from heads before, lateral (
          select j.kind, j.lane, j.priority, j.run_at from jobs j
          where j.state = 'queued' and j.kind = before.kind
            and (j.lane, j.priority) > (before.lane, before.priority)
          order by j.lane, j.priority, j.run_at limit 1
        ) head
        where before.number < c_most
      )
      select head.kind, head.lane, head.priority, max(head.number) over () as most
      from heads head
      where head.run_at <= clock_timestamp()
      order by greatest(head.run_at, (
          select max(j.claimed_at) from jobs j
          where j.kind = head.kind and j.lane = head.lane and j.claimed_at is not null
        )) - make_interval(secs => head.priority * p_head_start_seconds), head.run_at
    loop
      if v_lane.most = c_most and not v_elsewhere and random() < 0.75 then
        v_elsewhere := true;
        v_begin := gen_random_uuid();
        continue look;
      end if;
      v_limit := p_limits[array_position(p_kinds, v_lane.kind)];
      if v_limit is not null and v_lane.lane <> c_nobody then
        -- Two claims for one organization count one after the other.
        perform pg_advisory_xact_lock(hashtext(v_lane.kind), hashtext(v_lane.lane::text));
        continue when (
          select count(*) from jobs
          where state = 'running' and kind = v_lane.kind and lane = v_lane.lane
        ) >= v_limit;
      end if;
      select id into v_id from jobs
      where state = 'queued' and kind = v_lane.kind and lane = v_lane.lane
        and priority = v_lane.priority and run_at <= clock_timestamp()
      order by run_at limit 1 for update skip locked;
      continue when v_id is null;
      return query update jobs set
        state = 'running', attempts = attempts + 1, worker = p_worker,
        claimed_at = clock_timestamp(),
        started_at = coalesce(started_at, clock_timestamp()),
        lease_token = gen_random_uuid(),
        lease_expires_at = clock_timestamp() + make_interval(secs => p_lease_seconds)
      where id = v_id returning *;
      return;
    end loop;
    exit when v_begin = c_nobody;
    v_begin := c_nobody;
  end loop;
end
$$
"""

# When each periodic work is due; the row's lock makes many schedulers one.
SCHEDULE = """
create table job_schedule (
  name text constraint pk_job_schedule primary key,
  due_at timestamptz not null
)
"""

# Who takes jobs, and was alive when.
WORKERS = """
create table job_workers (
  name text constraint pk_job_workers primary key,
  seen_at timestamptz not null default now(),
  running integer not null default 0,
  detail jsonb not null default '{}'
)
"""


def upgrade() -> None:
    """Create the table, its guard and the functions."""
    op.execute(JOBS)
    for index in INDEXES:
        op.execute(index)
    op.execute(GUARD)
    op.execute(GUARD_TRIGGER)
    tenancy.protect("jobs", grants="select, insert, update")
    op.execute("grant delete on jobs to vexxy_system")
    op.execute(ENQUEUE)
    op.execute(CLAIM)
    op.execute(WORKERS)
    tenancy.system_only("job_workers")
    op.execute(SCHEDULE)
    tenancy.system_only("job_schedule")


def downgrade() -> None:
    """Remove the queue; whatever waited in it is lost, so stop the workers first."""
    op.execute("drop table job_schedule")
    op.execute("drop table job_workers")
    op.execute("drop function jobs_claim(text[], integer[], text, integer, integer)")
    op.execute(
        "drop function jobs_enqueue("
        "uuid, text, uuid, jsonb, integer, text, timestamptz, integer, integer)"
    )
    op.execute("drop table jobs")
    op.execute("drop function jobs_guard()")
