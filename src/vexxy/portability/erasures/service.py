"""Ending an organization: stop everything at once, then erase, then prove it.

The request is one transaction, after which nobody acts for the organization. The job
that erases may be killed anywhere: each of its transactions is a batch that can be done
again, and it always begins at the first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.analysis.submission import service as submission
from vexxy.audit import service as audit
from vexxy.audit import types as acts
from vexxy.audit.types import Act, Actor
from vexxy.billing.catalog.service import Plans
from vexxy.billing.ledger import service as ledger
from vexxy.billing.ledger.types import Release
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.evidence import service as evidence
from vexxy.evidence.ports import BlobStore
from vexxy.jobs import service as jobs
from vexxy.jobs.errors import RetryLater
from vexxy.jobs.types import NewJob
from vexxy.kit import clock
from vexxy.kit.db import Database
from vexxy.portability import rules
from vexxy.portability.erasures import repository
from vexxy.portability.errors import (
    NoSuchTenant,
    NotErased,
    OperatorsHome,
    Unconfirmed,
)
from vexxy.portability.types import Erasure, Fate, Request, Stage, Table

KIND: Final = "erasure"
ACTOR: Final = acts.system(KIND)
DEADLINE_SECONDS: Final = 6 * 3600
ATTEMPTS_MAX: Final = 100
WAIT_SECONDS: Final = 5.0
# What one transaction ends or removes at most.
ANALYSES_AT_ONCE: Final = 200
HOLDS_AT_ONCE: Final = 500
ROWS_AT_ONCE: Final = 1000
LARGE_AT_ONCE: Final = 50
ENTRIES_AT_ONCE: Final = 1000
# What is written while a batch is removed is met by the next pass.
PASSES_MAX: Final = 3
Step = Callable[[], object]


def request(session: Session, asked: Request, *, plans: Plans | None = None) -> Erasure:
    """Stop everything of an organization and have it erased; once asked for, it stays so.

    Nobody can sign in, no key and no token holds, analyses are cancelled and their
    credits released when the transaction commits.

    Args:
        session: Bound to the organization.
        asked: Who asks; whether they may is decided by the caller.
        plans: The catalog: what ran until now is invoiced; without, nothing is.

    Raises:
        NoSuchTenant: There is no such organization.
        Unconfirmed: The slug was not given.
        OperatorsHome: An operator of the service is a member.
    """
    organization_id = asked.organization_id
    found = repository.find(session, organization_id)
    if found is not None:
        return found
    slug = repository.find_slug(session, organization_id)
    if slug is None:
        raise NoSuchTenant
    if asked.confirmation != slug:
        raise Unconfirmed
    if repository.count_operators(session, organization_id):
        raise OperatorsHome
    if repository.add(session, organization_id, requested_by=asked.actor.id):
        _halt(session, organization_id, actor=asked.actor, plans=plans)
        repository.stop(session, organization_id)
        _record(
            session,
            organization_id,
            action="organization.erasure_requested",
            actor=asked.actor,
        )
    return get(session, organization_id)


def get(session: Session, organization_id: UUID) -> Erasure:
    """Return how far an erasure is.

    Raises:
        NoSuchTenant: Nobody asked for one, or there is no such organization.
    """
    found = repository.find(session, organization_id)
    if found is None:
        raise NoSuchTenant
    return found


def enqueue_due(session: Session) -> int:
    """Queue a job for each unfinished erasure, as SYSTEM; none has two at a time.

    Not before requests that had begun are over, so that none writes behind our back.
    """
    due = repository.list_due(session, quiet_seconds=rules.QUIET_SECONDS)
    for organization_id in due:
        new = NewJob(
            KIND,
            None,
            {"organization_id": str(organization_id)},
            key=f"{KIND}:{organization_id}",
            deadline_seconds=DEADLINE_SECONDS,
            max_attempts=ATTEMPTS_MAX,
        )
        jobs.enqueue(session, new)
    return len(due)


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt to erase an organization.

    Attributes:
        database: As SYSTEM.
        step: Called before each transaction; may raise to stop.
    """

    database: Database
    store: BlobStore
    organization_id: UUID
    step: Step


def run(work: Work) -> None:
    """Erase what was asked to be erased; done again, or after that, it changes nothing.

    Raises:
        RetryLater: Something of the organization still runs.
        NotErased: Somebody wrote meanwhile; the next attempt erases that as well.
    """
    with work.database.transaction() as session:
        found = repository.find(session, work.organization_id)
    if found is None or found.stage is Stage.DONE:
        return
    for _ in range(PASSES_MAX):
        _end_work(work)
        for table in rules.TENANT:
            _erase(work, table)
        _blank_record(work)
        _erase_bytes(work)
        proof, left = _proof(work)
        if not left:
            _finish(work, proof)
            return
    raise NotErased(", ".join(left))


def _halt(
    session: Session, organization_id: UUID, *, actor: Actor, plans: Plans | None = None
) -> bool:
    """Cancel what is under way, some at a time; return whether that was all.

    Analyses are locked before any credit is, all of them in one order.
    """
    analyses = repository.lock_unfinished(session, organization_id, limit=ANALYSES_AT_ONCE)
    for analysis_id in analyses:
        submission.cancel(session, analysis_id, actor=actor)
    holds = repository.list_open_holds(session, organization_id)[:HOLDS_AT_ONCE]
    released = [Release(key=f"erasure:{key}"[:300], hold_key=key) for key in holds]
    if released:
        ledger.post(session, organization_id, released)
    subscriptions.end(session, organization_id, plans=plans)
    for job_id, _ in repository.list_jobs(session, organization_id):
        jobs.cancel(session, job_id)
    return len(analyses) < ANALYSES_AT_ONCE and len(holds) < HOLDS_AT_ONCE


def _end_work(work: Work) -> None:
    whole = False
    while not whole:
        work.step()
        with work.database.transaction(work.organization_id) as session:
            # Slices leave it to the role that they see one organization only.
            repository.become_worker(session)
            whole = _halt(session, work.organization_id, actor=ACTOR)
            repository.stop(session, work.organization_id)
            running = repository.list_jobs(session, work.organization_id)
    if running:
        raise RetryLater(
            "work of the organization is still being ended", delay_seconds=WAIT_SECONDS
        )


def _erase(work: Work, table: Table) -> None:
    if table.fate is Fate.KEPT:
        return
    act = repository.erase if table.fate is Fate.ERASED else repository.blank
    limit = LARGE_AT_ONCE if table.large else ROWS_AT_ONCE
    done = limit
    while done == limit:
        work.step()
        with work.database.transaction(work.organization_id) as session:
            done = act(session, table, work.organization_id, limit=limit)
            _note(session, work, Stage.ROWS, part=table.name, rows_erased=done)


def _blank_record(work: Work) -> None:
    done = ENTRIES_AT_ONCE
    while done == ENTRIES_AT_ONCE:
        work.step()
        with work.database.transaction(work.organization_id) as session:
            done = audit.blank(session, work.organization_id, limit=ENTRIES_AT_ONCE)
            _note(session, work, Stage.RECORD, entries_blanked=done)


def _erase_bytes(work: Work) -> None:
    work.step()
    erased = evidence.erase_organization(work.store, work.organization_id)
    work.step()
    exports = [
        blob.path for blob in work.store.list_blobs(rules.folder(work.organization_id))
    ]
    work.store.delete(exports)
    for folder in (str(work.organization_id), rules.folder(work.organization_id)):
        work.store.discard_unfinished(folder, before=clock.now())
    with work.database.transaction(work.organization_id) as session:
        _note(session, work, Stage.BYTES, blobs_erased=erased + len(exports))


def _proof(work: Work) -> tuple[dict[str, object], list[str]]:
    """Count what is left, table by table; bytes as well. Return also where something is."""
    work.step()
    left: list[str] = []
    kept: dict[str, int] = {}
    with work.database.transaction(work.organization_id) as session:
        _note(session, work, Stage.PROOF)
        for table in rules.TENANT:
            if repository.count_left(session, table, work.organization_id):
                left.append(table.name)
            rows = repository.count_rows(session, table, work.organization_id)
            if table.fate is not Fate.ERASED and rows:
                kept[table.name] = rows
        if audit.count_unblanked(session, work.organization_id):
            left.append("billing_audit_log")
    left += [
        f"the evidence store, {folder}"
        for folder in (str(work.organization_id), rules.folder(work.organization_id))
        if next(iter(work.store.list_blobs(folder)), None) is not None
    ]
    erased = [table.name for table in rules.TENANT if table.fate is Fate.ERASED]
    at = clock.rfc3339(clock.now())
    return {"empty": erased, "kept": kept, "blobs": 0, "at": at}, left


def _finish(work: Work, proof: dict[str, object]) -> None:
    work.step()
    with work.database.transaction(work.organization_id) as session:
        repository.bury(session, work.organization_id)
        _record(session, work.organization_id, action="organization.erased", actor=ACTOR)
        repository.note(
            session,
            work.organization_id,
            stage=Stage.DONE.value,
            current_part=None,
            proof=proof,
            finished_at=clock.now(),
        )


def _note(
    session: Session, work: Work, stage: Stage, *, part: str | None = None, **more: int
) -> None:
    repository.note_progress(
        session, work.organization_id, stage=stage.value, part=part, more=more
    )


def _record(session: Session, organization_id: UUID, *, action: str, actor: Actor) -> None:
    act = Act(
        action=action,
        actor=actor,
        organization_id=organization_id,
        resource_type="organization",
        resource_id=organization_id,
    )
    audit.record(session, act)
