"""An organization that is erased leaves figures and ids, and nothing that names it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from tests.portability.values import Home, a_full_organization, contents, places
from tests.service_values import a_user, an_organization
from vexxy.audit import types as acts
from vexxy.evidence import service as evidence
from vexxy.identity.errors import TenantClosed
from vexxy.identity.sync import service as sync
from vexxy.identity.sync.types import CoreOrganization, CoreUser
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.jobs import service as jobs
from vexxy.jobs.errors import RetryLater
from vexxy.jobs.types import NewJob
from vexxy.kit import ids
from vexxy.kit.db import Database
from vexxy.portability import rules
from vexxy.portability.erasures import service
from vexxy.portability.errors import NotErased, OperatorsHome, Unconfirmed
from vexxy.portability.types import Erasure, Fate, Request, Stage

ACTOR = acts.Actor(acts.ActorType.USER, "an owner", ip_address="192.0.2.8", user_agent="x")
# What the law on invoices wants to be readable, names included.
INVOICES = {"billing_invoices", "billing_invoice_items"}


def go_on() -> None:
    pass


@pytest.fixture
def store(tmp_path: Path) -> LocalDisk:
    return LocalDisk(tmp_path)


@pytest.fixture
def home(database_url: str, db_system: Database, store: LocalDisk) -> Home:
    word = f"Zebulon{ids.new_id().hex}"
    return a_full_organization(database_url, db_system, store, word=word)


def ask(request: Database, organization_id: UUID, *, slug: str | None = None) -> Erasure:
    with request.transaction(organization_id) as session:
        if slug is None:
            query = text("select slug from organizations where id = :id")
            slug = session.scalars(query, {"id": organization_id}).one()
        return service.request(session, Request(organization_id, ACTOR, slug))


def erase(
    system: Database,
    store: LocalDisk,
    organization_id: UUID,
    *,
    step: Callable[[], object] = go_on,
) -> None:
    service.run(service.Work(system, store, organization_id, step))


def state_of(system: Database, organization_id: UUID) -> Erasure:
    with system.transaction() as session:
        return service.get(session, organization_id)


def found_in(system: Database, word: str) -> set[str]:
    with system.transaction() as session:
        return set(places(session, word))


def test_nothing_that_names_anybody_is_left(
    db_system: Database, db_request: Database, store: LocalDisk, home: Home
) -> None:
    """Every text, JSON and byte column of every table is searched, by its row as text."""
    before = found_in(db_system, home.word)
    assert len(before) > 20
    assert {"users", "organizations", "billing_audit_log", "billing_invoices"} <= before
    # What a request writes itself, such as who asked, is searched for as well.
    ask(db_request, home.organization_id)
    erase(db_system, store, home.organization_id)

    assert found_in(db_system, home.word) <= INVOICES
    assert found_in(db_system, "192.0.2.77") == set()
    assert list(store.list_blobs("")) == []
    left = contents(db_system, home.organization_id)
    for table in rules.TENANT:
        assert table.fate is not Fate.ERASED or left[table.name] == [], table.name
    for kept in ("billing_events", "billing_invoices", "subscriptions", "credit_lots"):
        assert left[kept], kept
    done = state_of(db_system, home.organization_id)
    assert done.stage is Stage.DONE
    assert done.proof is not None
    assert done.proof["blobs"] == 0
    assert "users" in json.dumps(done.proof["empty"])
    assert done.rows_erased > 20
    with db_system.transaction() as session:
        row = session.execute(
            text("select name, slug, erased_at from organizations where id = :id"),
            {"id": home.organization_id},
        ).one()
    assert (row.name, row.slug) == (rules.ERASED_NAME, f"erased-{home.organization_id}")
    assert row.erased_at is not None


def test_another_organization_is_untouched(
    database_url: str,
    db_system: Database,
    db_request: Database,
    *,
    store: LocalDisk,
    home: Home,
) -> None:
    other = a_full_organization(database_url, db_system, store, word="Somebody-Else")
    before = contents(db_system, other.organization_id)
    kept = {blob.path for blob in store.list_blobs(str(other.organization_id))}
    ask(db_request, home.organization_id)
    erase(db_system, store, home.organization_id)
    assert contents(db_system, other.organization_id) == before
    after = {blob.path for blob in store.list_blobs("")}
    exports = {blob.path for blob in store.list_blobs("exports")}
    assert after == kept | exports
    assert exports == {f"exports/{other.organization_id}/old.zip.zst"}


def test_everything_stops_with_the_request(
    db_system: Database, db_request: Database, home: Home
) -> None:
    ask(db_request, home.organization_id)
    acting = """
      select (select count(*) from users where organization_id = :id and is_active),
        (select count(*) from api_keys where organization_id = :id and revoked_at is null),
        (select count(*) from premium_analysis_jobs where organization_id = :id
          and status not in ('complete', 'failed', 'cancelled')),
        (select count(*) from jobs where organization_id = :id and state = 'queued'),
        (select count(*) from notification_endpoints
          where organization_id = :id and is_active),
        (select count(*) from subscriptions where organization_id = :id
          and status <> 'canceled')
    """
    with db_system.transaction() as session:
        left = session.execute(text(acting), {"id": home.organization_id}).one()
    assert tuple(left) == (0, 0, 0, 0, 0, 0)


class KilledError(BaseException):
    """A process that ends."""


class Steps:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, ends_at: int | None = None) -> None:
        self.taken = 0
        self._ends_at = ends_at

    def __call__(self) -> None:
        self.taken += 1
        if self.taken == self._ends_at:
            raise KilledError


def test_an_erasure_that_ends_anywhere_is_taken_up_again(
    db_system: Database, db_request: Database, store: LocalDisk, home: Home
) -> None:
    """Every attempt ends one step later than the one before, at the next boundary."""
    ask(db_request, home.organization_id)
    ends_at = 1
    while state_of(db_system, home.organization_id).stage is not Stage.DONE:
        try:
            erase(db_system, store, home.organization_id, step=Steps(ends_at))
        except KilledError:
            assert state_of(db_system, home.organization_id).stage is not Stage.DONE
        ends_at += 1
    assert ends_at > len(rules.TENANT) // 2
    assert found_in(db_system, home.word) <= INVOICES
    assert list(store.list_blobs("")) == []
    # Done is done: nothing is counted or recorded again.
    before = contents(db_system, home.organization_id)
    erase(db_system, store, home.organization_id)
    assert contents(db_system, home.organization_id) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from uuid import UUID
from vexxy.integrations.object_storage.local import LocalDisk
from vexxy.kit.db import Database, Role
from vexxy.portability.erasures import service
url, folder, home, ends_at = sys.argv[1:]
left = int(ends_at)
def step():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
system = Database(url, role=Role.SYSTEM)
service.run(service.Work(system, LocalDisk(Path(folder)), UUID(home), step))
"""


def test_a_killed_process_is_followed_by_one_that_finishes(
    database_url: str,
    db_system: Database,
    db_request: Database,
    *,
    tmp_path: Path,
    home: Home,
) -> None:
    ask(db_request, home.organization_id)
    for ends_at, code in (("20", -signal.SIGKILL), ("999", 0)):
        arguments = [database_url, str(tmp_path), str(home.organization_id), ends_at]
        ended = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
        assert ended.returncode == code
    assert state_of(db_system, home.organization_id).stage is Stage.DONE
    assert found_in(db_system, home.word) <= INVOICES


def test_it_waits_for_work_that_still_runs(
    db_system: Database, db_request: Database, store: LocalDisk
) -> None:
    organization_id = an_organization(db_system)
    a_user(db_system, organization_id)
    with db_request.transaction(organization_id) as session:
        job_id = jobs.enqueue(session, NewJob("retention", organization_id, {}))
    running = (
        "update jobs set state = 'running', lease_expires_at = now() + interval '1 hour'"
        " where id = :id"
    )
    with db_system.transaction() as session:
        session.execute(text(running), {"id": job_id})
    ask(db_request, organization_id)
    with pytest.raises(RetryLater):
        erase(db_system, store, organization_id)
    assert contents(db_system, organization_id)["users"]
    ended = (
        "update jobs set state = 'cancelled', lease_expires_at = null, finished_at = now()"
        " where id = :id"
    )
    with db_system.transaction() as session:
        session.execute(text(ended), {"id": job_id})
    erase(db_system, store, organization_id)
    assert state_of(db_system, organization_id).stage is Stage.DONE


@pytest.mark.parametrize("times", [1, 2])
def test_what_is_written_behind_its_back_is_erased_as_well(
    db_system: Database, db_request: Database, store: LocalDisk, times: int
) -> None:
    """Method: a row is added in the step before the proof, so many times."""
    organization_id = an_organization(db_system)
    ask(db_request, organization_id)
    erase(db_system, store, organization_id, step=writer(db_system, organization_id, times))
    assert state_of(db_system, organization_id).stage is Stage.DONE
    assert contents(db_system, organization_id)["users"] == []


def test_what_is_written_again_and_again_is_never_called_erased(
    db_system: Database, db_request: Database, store: LocalDisk
) -> None:
    organization_id = an_organization(db_system)
    ask(db_request, organization_id)
    step = writer(db_system, organization_id, 99)
    with pytest.raises(NotErased, match="users"):
        erase(db_system, store, organization_id, step=step)
    assert state_of(db_system, organization_id).stage is Stage.PROOF
    erase(db_system, store, organization_id)
    assert state_of(db_system, organization_id).stage is Stage.DONE


def writer(system: Database, organization_id: UUID, times: int) -> Callable[[], None]:
    """Return a step that adds a row when all bytes are gone, so many times at most."""
    left = [organization_id] * times

    def step() -> None:
        if left and state_of(system, organization_id).stage is Stage.BYTES:
            a_user(system, left.pop())

    return step


@pytest.mark.parametrize("slug", ["", "wrong"])
def test_nothing_happens_without_the_right_word(
    db_system: Database, db_request: Database, slug: str
) -> None:
    organization_id = an_organization(db_system)
    a_user(db_system, organization_id)
    before = contents(db_system, organization_id)
    with pytest.raises(Unconfirmed):
        ask(db_request, organization_id, slug=slug)
    assert contents(db_system, organization_id) == before


def test_an_operators_own_organization_is_not_erased(
    db_system: Database, db_request: Database
) -> None:
    organization_id = an_organization(db_system)
    a_user(db_system, organization_id, is_admin=True)
    with pytest.raises(OperatorsHome):
        ask(db_request, organization_id)


def test_asking_again_changes_nothing(db_system: Database, db_request: Database) -> None:
    organization_id = an_organization(db_system)
    first = ask(db_request, organization_id)
    before = contents(db_system, organization_id)
    assert ask(db_request, organization_id) == first
    assert contents(db_system, organization_id) == before


def test_jobs_are_made_for_what_is_unfinished_and_old_enough(
    db_system: Database, db_request: Database, store: LocalDisk
) -> None:
    old, young, done = (an_organization(db_system) for _ in range(3))
    for organization_id in (old, young, done):
        ask(db_request, organization_id)
    erase(db_system, store, done)
    with db_system.transaction() as session:
        session.execute(
            text(
                "update organization_erasures set requested_at = now() - interval '1 hour'"
                " where organization_id in (:old, :done)"
            ),
            {"old": old, "done": done},
        )
    for _ in range(2):
        with db_system.transaction() as session:
            service.enqueue_due(session)
    with db_system.transaction() as session:
        keys = session.scalars(text("select key from jobs where kind = 'erasure'")).all()
    assert keys == [f"erasure:{old}"]


def test_base_vexxy_brings_nobody_back(db_system: Database, db_request: Database) -> None:
    actor = acts.system("base_vexxy")
    told = CoreOrganization(ids.new_id(), "Core")
    with db_system.transaction() as session:
        sync.organization(session, told, actor=actor)
    ask(db_request, told.id)
    person = CoreUser(ids.new_id(), told.id, "ada@example.com", "Ada")
    with db_system.transaction() as session, pytest.raises(TenantClosed):
        sync.organization(session, told, actor=actor)
    with db_system.transaction() as session, pytest.raises(TenantClosed):
        sync.user(session, person, actor=actor)


def test_upkeep_makes_no_work_for_a_closed_organization(
    db_system: Database, db_request: Database
) -> None:
    closed, open_ = an_organization(db_system), an_organization(db_system)
    ask(db_request, closed)
    with db_system.transaction() as session:
        evidence.enqueue_retention(session)
    assert contents(db_system, closed)["jobs"] == []
    assert len(contents(db_system, open_)["jobs"]) == 1
