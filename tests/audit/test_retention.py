"""What leaves the record, how, and that nothing else does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from tests.audit.test_service import EVERYTHING, an_act
from tests.service_values import an_organization
from vexxy.audit import service
from vexxy.audit.types import Entry
from vexxy.kit import db
from vexxy.kit.db import Database

AGE = text(
    "update billing_audit_log set created_at = now() - make_interval(days => :days)"
    " where organization_id = :id and resource_id = :resource"
)
REMOVALS = text("select entries, removed_before from audit_removals order by created_at")


@pytest.fixture
def owner(database_url: str) -> Iterator[Connection]:
    """A connection whose guards are lifted, to make what time makes otherwise."""
    engine = create_engine(db.normalized(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def acts_of_age(
    system: Database, owner: Connection, *ages: int, organization_id: UUID | None = None
) -> UUID:
    """Record an act for each age in days, with the age as its resource."""
    organization_id = organization_id or an_organization(system)
    with system.transaction() as session:
        for days in ages:
            service.record(session, an_act(organization_id, resource_id=str(days)))
    with owner.begin():
        owner.execute(text("alter table billing_audit_log disable trigger user"))
        owner.execute(text("alter table billing_audit_log no force row level security"))
        for days in ages:
            values = {"id": organization_id, "days": days, "resource": str(days)}
            owner.execute(AGE, values)
        owner.execute(text("alter table billing_audit_log force row level security"))
        owner.execute(text("alter table billing_audit_log enable trigger user"))
    return organization_id


def entries_of(request: Database, organization_id: UUID) -> list[Entry]:
    return list(service.export(request, organization_id, EVERYTHING))


def test_what_is_older_than_the_setting_goes_and_is_counted(
    db_system: Database, db_request: Database, owner: Connection
) -> None:
    first = acts_of_age(db_system, owner, 800, 700, 500, 1)
    second = acts_of_age(db_system, owner, 900, 2)

    removed = service.remove_expired(db_system, retention_days=600, now=datetime.now(UTC))

    assert removed == 3
    found = entries_of(db_request, first)
    assert [entry.action for entry in found] == [
        "audit.expired",
        "member.role_changed",
        "member.role_changed",
    ]
    assert found[0].metadata["entries"] == 2
    assert [entry.resource_id for entry in found[1:]] == ["1", "500"]
    assert entries_of(db_request, second)[0].metadata["entries"] == 1
    with db_system.transaction() as session:
        assert [row.entries for row in session.execute(REMOVALS)] == [3]
    assert service.remove_expired(db_system, retention_days=600, now=datetime.now(UTC)) == 0


def test_no_setting_makes_the_last_year_go(
    db_system: Database, db_request: Database, owner: Connection
) -> None:
    home = acts_of_age(db_system, owner, 364, 366)
    service.remove_expired(db_system, retention_days=1, now=datetime.now(UTC))
    assert [entry.resource_id for entry in entries_of(db_request, home)][1:] == ["364"]
    with (
        pytest.raises(ProgrammingError, match="365 days stay"),
        db_system.transaction() as session,
    ):
        session.execute(text("select vexxy_audit_remove(now(), 10)"))


NOTED = (
    "insert into audit_removals (id, transaction_id, removed_before, entries, digest)"
    " values (gen_random_uuid(), pg_current_xact_id()::text::bigint,"
    " now() - interval '366 days', 1, '\\x00')"
)


@pytest.mark.parametrize("first", ["select 1", NOTED])
def test_an_old_entry_does_not_go_without_being_written_down(
    db_system: Database, owner: Connection, first: str
) -> None:
    """Neither by a plain removal, nor beside a note that is about something else."""
    home = acts_of_age(db_system, owner, 4000)
    with pytest.raises(ProgrammingError, match="append-only"):
        remove(db_system, home, first)


def remove(system: Database, home: UUID, first: str) -> None:
    statement = text("delete from billing_audit_log where organization_id = :id")
    with system.transaction() as session:
        session.execute(text(first))
        session.execute(statement, {"id": home})


def test_what_was_removed_stays_written_down(
    db_system: Database, owner: Connection
) -> None:
    acts_of_age(db_system, owner, 4000)
    service.remove_expired(db_system, retention_days=600, now=datetime.now(UTC))
    for statement in (
        "delete from audit_removals",
        "update audit_removals set entries = 9",
        "truncate audit_removals",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            db_system.transaction() as session,
        ):
            session.execute(text(statement))
        with pytest.raises(ProgrammingError, match="append-only"), owner.begin():
            owner.execute(text(statement))


def test_many_entries_go_page_by_page(
    db_system: Database, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REMOVAL_PAGE", 2)
    acts_of_age(db_system, owner, *range(1001, 1006))
    steps: list[int] = []
    removed = service.remove_expired(
        db_system,
        retention_days=1000,
        now=datetime.now(UTC),
        step=lambda: steps.append(1),
    )
    assert removed == 5
    assert len(steps) == 4


ERASURE = text(
    "insert into organization_erasures (organization_id, requested_by) values (:id, 'x')"
)


def test_only_an_organization_that_is_being_erased_is_blanked(
    db_system: Database, db_request: Database
) -> None:
    erased, other = an_organization(db_system), an_organization(db_system)
    with db_system.transaction() as session:
        for home in (erased, other):
            service.record(session, an_act(home))
        session.execute(ERASURE, {"id": erased})
    with db_system.transaction() as session:
        assert service.blank(session, erased, limit=100) == 1
        assert service.blank(session, erased, limit=100) == 0
        assert service.count_unblanked(session, erased) == 0
    with (
        pytest.raises(ProgrammingError, match="append-only"),
        db_system.transaction() as session,
    ):
        service.blank(session, other, limit=100)

    [entry] = entries_of(db_request, erased)
    assert (entry.before_state, entry.after_state, entry.ip_address) == (None, None, None)
    assert entry.user_agent is None
    assert entry.metadata == {"erased": True}
    assert (entry.action, entry.resource_type) == ("member.role_changed", "user")
    [kept] = entries_of(db_request, other)
    assert kept.ip_address == "192.0.2.7"


@pytest.mark.parametrize(
    "change", ["action = 'a.b'", "actor_id = 'x'", "created_at = now()", "metadata = '{}'"]
)
def test_erasing_changes_nothing_but_what_names_a_person(
    db_system: Database, database_url: str, change: str
) -> None:
    home = an_organization(db_system)
    with db_system.transaction() as session:
        service.record(session, an_act(home))
        session.execute(ERASURE, {"id": home})
        service.blank(session, home, limit=10)
    with (
        pytest.raises(ProgrammingError, match=r"append-only|permission denied"),
        db_system.transaction() as session,
    ):
        session.execute(
            text(f"update billing_audit_log set {change} where organization_id = :id"),  # noqa: S608
            {"id": home},
        )
