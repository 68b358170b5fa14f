"""A real PostgreSQL for every test that asks for one, built by the migrations."""

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit import db
from vexxy.kit.db import Database, Role
from vexxy.migrations import service as migrations

# A worker of a parallel run has its own, also on a server that is shared by all.
TEMPLATE = f"vexxy_template_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
_numbers = itertools.count(1)
# How long an example takes says how busy the machine is, and nothing of the code.
settings.register_profile(
    "busy", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")


def _administer(url: str, statement: str) -> None:
    engine = create_engine(
        db.normalized(url), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _drop(url: str, name: str) -> None:
    """Drop it under whoever is in it; `with (force)` is not let end an autovacuum."""
    _administer(
        url,
        "select pg_terminate_backend(pid) from pg_stat_activity"  # noqa: S608  our name
        f" where datname = '{name}' and backend_type = 'client backend'",
    )
    _administer(url, f"drop database {name}")


def _named(url: str, database: str) -> str:
    return db.normalized(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a server of this run; VEXXY_TEST_DATABASE_URL brings another."""
    given = os.environ.get("VEXXY_TEST_DATABASE_URL")
    if given:
        yield given
        return
    # Open, because the server of root runs as another user.
    with tempfile.TemporaryDirectory(prefix="vexxy-pg-") as folder:
        Path(folder).chmod(0o755)
        running = embedded_postgres.start(Path(folder) / "data", durable=False)
        try:
            yield running.url
        finally:
            running.stop()


@pytest.fixture(scope="session")
def _template(postgres_url: str) -> str:
    _administer(postgres_url, f"drop database if exists {TEMPLATE}")
    _administer(postgres_url, f"create database {TEMPLATE}")
    migrations.upgrade(_named(postgres_url, TEMPLATE))
    return postgres_url


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A database without any table."""
    name = f"vexxy_empty_{os.getpid()}_{next(_numbers)}"
    _administer(postgres_url, f"create database {name}")
    yield _named(postgres_url, name)
    _drop(postgres_url, name)


@pytest.fixture(scope="module")
def database_url(_template: str) -> Iterator[str]:
    """A database with the whole schema, shared by the tests of a module."""
    name = f"vexxy_test_{os.getpid()}_{next(_numbers)}"
    _administer(_template, f"create database {name} template {TEMPLATE}")
    yield _named(_template, name)
    _drop(_template, name)


def _database(url: str, role: Role) -> Iterator[Database]:
    database = Database(url, role=role)
    yield database
    database.close()


@pytest.fixture(scope="module")
def db_system(database_url: str) -> Iterator[Database]:
    """The database across organizations."""
    yield from _database(database_url, Role.SYSTEM)


@pytest.fixture(scope="module")
def db_request(database_url: str) -> Iterator[Database]:
    """The database as the API sees it."""
    yield from _database(database_url, Role.REQUEST)


@pytest.fixture(scope="module")
def db_worker(database_url: str) -> Iterator[Database]:
    """The database as background work sees it."""
    yield from _database(database_url, Role.WORKER)
