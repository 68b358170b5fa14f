import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from tests.service_values import a_user, an_organization
from vexxy.identity.models import Organization, User
from vexxy.kit import ids
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import TimedOut, Unavailable


def test_a_bound_role_sees_its_own_organization(
    db_system: Database, db_request: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)
    a_user(db_system, other)

    with db_request.transaction(mine) as session:
        assert session.scalars(select(Organization.id)).all() == [mine]
        assert session.scalars(select(User.id)).all() == []


def test_an_unbound_request_sees_nothing(db_system: Database, db_request: Database) -> None:
    an_organization(db_system)

    with db_request.transaction() as session:
        assert session.scalars(select(Organization.id)).all() == []


def test_a_row_of_another_organization_is_refused(
    db_system: Database, db_request: Database
) -> None:
    mine, other = an_organization(db_system), an_organization(db_system)

    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        db_request.transaction(mine) as session,
    ):
        session.add(
            User(
                id=ids.new_id(),
                organization_id=other,
                email="x@example.com",
                name="x",
                role="owner",
            )
        )


def test_what_fails_is_rolled_back(db_system: Database) -> None:
    organization_id = ids.new_id()

    def fail() -> None:
        with db_system.transaction() as session:
            session.add(Organization(id=organization_id, name="x", slug="rolled-back"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    with db_system.transaction() as session:
        assert session.get(Organization, organization_id) is None


def test_reset_role_comes_back_to_the_role(db_request: Database) -> None:
    with db_request.transaction() as session:
        session.execute(text("reset role"))
        assert session.scalar(text("select current_user")) == Role.REQUEST


def test_a_statement_that_takes_too_long_is_timed_out(db_system: Database) -> None:
    with pytest.raises(TimedOut), db_system.transaction() as session:
        session.execute(text("set local statement_timeout = 1; select pg_sleep(5)"))


def test_a_database_that_is_away_is_unavailable() -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/none", role=Role.REQUEST)

    with pytest.raises(Unavailable), away.transaction() as session:
        session.execute(text("select 1"))
