"""The record refuses to be changed, and shows each organization its own."""

from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from tests.service_values import an_organization
from vexxy.audit import service, types
from vexxy.audit.types import Act, Actor, ActorType, Filter
from vexxy.kit import db, ids
from vexxy.kit.db import Database, Role

EVERYTHING = Filter()


def an_act(organization_id: object, **changed: object) -> Act:
    values: dict[str, object] = {
        "action": "member.role_changed",
        "actor": Actor(
            type=ActorType.USER,
            id=str(ids.new_id()),
            ip_address="192.0.2.7",
            user_agent="curl/8",
            api_key_id=ids.new_id(),
            request_id="r-1",
        ),
        "organization_id": organization_id,
        "resource_type": "user",
        "resource_id": ids.new_id(),
        "before": {"role": "viewer"},
        "after": {"role": "admin"},
    }
    return Act(**(values | changed))  # type: ignore[arg-type]


def test_an_act_is_kept_whole(db_system: Database, db_request: Database) -> None:
    organization_id = an_organization(db_system)
    act = an_act(organization_id)
    with db_request.transaction(organization_id) as session:
        service.record(session, act)

    with db_request.transaction(organization_id) as session:
        total, [entry] = service.list_entries(session, EVERYTHING, limit=10, offset=0)

    assert total == 1
    assert (entry.action, entry.actor_id) == (act.action, act.actor.id)
    assert (entry.before_state, entry.after_state) == (
        {"role": "viewer"},
        {"role": "admin"},
    )
    assert entry.metadata == {
        "key_id": str(act.actor.api_key_id),
        "request_id": "r-1",
    }
    assert entry.ip_address == "192.0.2.7"


def test_an_act_that_fails_leaves_no_trace(
    db_system: Database, db_request: Database
) -> None:
    organization_id = an_organization(db_system)
    with pytest.raises(ZeroDivisionError):
        record_and_fail(db_system, an_act(organization_id))

    found = service.export(db_request, organization_id, EVERYTHING)
    assert list(found) == []


def record_and_fail(database: Database, act: Act) -> None:
    with database.transaction() as session:
        service.record(session, act)
        _ = 1 / 0


CHANGES = (
    "update billing_audit_log set action = 'nothing.happened'",
    "delete from billing_audit_log",
    "truncate billing_audit_log",
)


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("role", Role)
def test_no_role_changes_what_was_recorded(
    db_system: Database, database_url: str, statement: str, role: Role
) -> None:
    organization_id = an_organization(db_system)
    with db_system.transaction() as session:
        service.record(session, an_act(organization_id))
    database = Database(database_url, role=role)
    with pytest.raises(ProgrammingError, match=r"permission denied|append-only"):
        execute(database, organization_id, statement)
    database.close()


@pytest.mark.parametrize("statement", CHANGES)
def test_the_owner_of_the_table_cannot_change_it_either(
    db_system: Database, database_url: str, statement: str
) -> None:
    """The owner needs no grant and can lift the policies; the trigger stays."""
    organization_id = an_organization(db_system)
    with db_system.transaction() as session:
        service.record(session, an_act(organization_id))
    owner = create_engine(db.normalized(database_url), poolclass=NullPool)
    with owner.begin() as connection:
        connection.execute(
            text("alter table billing_audit_log no force row level security")
        )
        with pytest.raises(ProgrammingError, match="append-only"):
            connection.execute(text(statement))
        connection.rollback()


def execute(database: Database, organization_id: UUID, statement: str) -> None:
    with database.transaction(organization_id) as session:
        session.execute(text(statement))


def test_an_organization_sees_its_own_acts_only(
    db_system: Database, db_request: Database
) -> None:
    mine, theirs = an_organization(db_system), an_organization(db_system)
    for organization_id in (mine, theirs, theirs):
        with db_request.transaction(organization_id) as session:
            service.record(session, an_act(organization_id))

    with db_request.transaction(mine) as session:
        total, found = service.list_entries(session, EVERYTHING, limit=50, offset=0)
    assert total == 1
    assert [entry.organization_id for entry in found] == [mine]


def test_an_act_cannot_be_written_into_another_organizations_record(
    db_system: Database, db_request: Database
) -> None:
    mine, theirs = an_organization(db_system), an_organization(db_system)
    for organization_id in (theirs, None):
        with (
            pytest.raises(ProgrammingError, match="row-level security"),
            db_request.transaction(mine) as session,
        ):
            service.record(session, an_act(organization_id))


@pytest.fixture
def recorded(db_system: Database) -> tuple[UUID, list[Act]]:
    organization_id = an_organization(db_system)
    acts = [
        an_act(organization_id, action="member.invited", resource_type="invitation"),
        an_act(organization_id),
        an_act(organization_id, actor=types.system("retention")),
    ]
    with db_system.transaction() as session:
        for act in acts:
            service.record(session, act)
    return organization_id, acts


def test_filters_narrow_what_is_shown(
    recorded: tuple[UUID, list[Act]], db_request: Database
) -> None:
    organization_id, acts = recorded
    cases = [
        (Filter(action="member.invited"), acts[:1]),
        (Filter(actor_id="retention"), acts[2:]),
        (Filter(resource_type="user"), acts[1:]),
        (Filter(resource_id=str(acts[1].resource_id)), acts[1:2]),
    ]
    for wanted, expected in cases:
        with db_request.transaction(organization_id) as session:
            found = service.list_entries(session, wanted, limit=50, offset=0)[1]
        assert [entry.resource_id for entry in found] == [
            str(act.resource_id) for act in reversed(expected)
        ]


def test_an_export_holds_every_act_once(db_system: Database, db_request: Database) -> None:
    organization_id = an_organization(db_system)
    count = service.EXPORT_PAGE + 7
    with db_system.transaction() as session:
        for number in range(count):
            service.record(session, an_act(organization_id, resource_id=str(number)))

    found = [e.resource_id for e in service.export(db_request, organization_id, EVERYTHING)]
    assert found == [str(number) for number in reversed(range(count))]
