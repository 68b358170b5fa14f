"""What the processes of a service need before they run."""

import contextlib
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from vexxy import bootstrap
from vexxy.billing.catalog.service import Plans
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.integrations.embedded_postgres.server import Server
from vexxy.kit.db import Database, Role, normalized
from vexxy.kit.errors import InvalidInput
from vexxy.migrations import service as migrations
from vexxy.serving.errors import StartFailed
from vexxy.serving.processes import Program
from vexxy.serving.types import Wish
from vexxy.settings import ServiceSettings

DATABASE_SECONDS_MAX: Final = 30.0

Telling = Callable[[str], None]


def database(
    wish: Wish, ends: contextlib.ExitStack, *, tell: Telling
) -> tuple[str, Server | None]:
    """Return the address of the configured database, or of one started here.

    Raises:
        DatabaseFailed: The one that is brought along did not start.
        InvalidInput: DATABASE_URL is no address.
    """
    if wish.settings.database_url is not None:
        return address(wish.settings.database_url.get_secret_value()), None
    directory = wish.data_directory / "postgresql"
    if not (directory / "cluster").exists():
        tell(f"making a database in {directory}")
    started = embedded_postgres.start(directory)
    ends.callback(started.stop)
    return started.url, started


def address(url: str) -> str:
    """Return DATABASE_URL with the driver that is used here.

    Raises:
        InvalidInput: It is no address of a PostgreSQL.
    """
    try:
        parsed = normalized(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername != "postgresql+psycopg":
        raise InvalidInput(
            "DATABASE_URL is no address of a PostgreSQL",
            hint="like postgresql://user:password@host:5432/name",
        )
    return parsed.render_as_string(hide_password=False)


def revision(url: str) -> tuple[str | None, str]:
    """Return the schema's revision, None for an empty database, and the latest one.

    Raises:
        StartFailed: The database cannot be reached.
    """
    try:
        return migrations.current(url), migrations.revisions()[-1]
    except SQLAlchemyError as error:
        raise _unreachable(error) from error


def migrate(url: str, *, tell: Telling) -> None:
    """Bring the schema up to date; wait a while for a database that is starting too.

    Raises:
        StartFailed: The database cannot be reached, or refused a step.
    """
    deadline = time.monotonic() + DATABASE_SECONDS_MAX
    told = False
    while True:
        try:
            migrations.upgrade(url)
        except OperationalError as error:
            if time.monotonic() > deadline:
                raise _unreachable(error) from error
        except SQLAlchemyError as error:
            raise StartFailed(
                f"the schema cannot be brought up to date: {_first_line(error)}",
                hint="docs/quickstart.md tells what the database's user needs",
                kept="a step that failed was taken back",
            ) from error
        else:
            return
        if not told:
            tell(f"waiting up to {DATABASE_SECONDS_MAX:.0f} s for the database")
            told = True
        time.sleep(1.0)


def publish(url: str, plans: Plans) -> None:
    """Store the versions of plans that are new.

    Raises:
        PlanChanged: A plan says something else than its published version.
    """
    database = Database(url, role=Role.SYSTEM, connections=1)
    try:
        with database.transaction() as session:
            plans.publish(session)
    finally:
        database.close()


def _unreachable(error: SQLAlchemyError) -> StartFailed:
    return StartFailed(
        f"the database cannot be reached: {_first_line(error)}",
        hint="is DATABASE_URL right, and does the database run?",
    )


def _first_line(error: SQLAlchemyError) -> str:
    """Return what the database said; the statement and its values stay out."""
    said = error.orig if isinstance(error, DBAPIError) else error
    return str(said).strip().partition("\n")[0][:300]


def environment(
    settings: ServiceSettings, wish: Wish, *, url: str, listens: str, folder: Path
) -> dict[str, str]:
    """Return what every process of the service is told.

    Args:
        settings: With the secrets that were made.
        wish: What is served.
        url: Of the database.
        listens: The address that is listened on.
        folder: For what is of this run only.
    """
    metrics = folder / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(mode=0o700)
    told = {
        **os.environ,
        "DATABASE_URL": url,
        "VEXXY_DATA_DIRECTORY": str(wish.data_directory),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
    }
    if "public_url" not in settings.model_fields_set:
        told["PUBLIC_URL"] = listens
    for name in bootstrap.SECRETS:
        if (secret := getattr(settings, name)) is not None:
            told[name.upper()] = secret.get_secret_value()
    return told


def programs(
    wish: Wish, environment: Mapping[str, str], *, listener: socket.socket
) -> Sequence[Program]:
    """Return the API's processes, and a worker where one is wished for."""
    api = [
        Program(
            name=f"API {number}" if wish.api_processes > 1 else "API",
            module="vexxy.serving.api_process",
            arguments=(str(listener.fileno()),),
            environment=environment,
            descriptors=(listener.fileno(),),
            essential=True,
        )
        for number in range(1, wish.api_processes + 1)
    ]
    if not wish.workers:
        return api
    # With Redis a worker would take its work from there; this one is of this process.
    here = {key: word for key, word in environment.items() if key != "REDIS_URL"}
    worker = Program(
        name="worker",
        module="vexxy.serving.child",
        arguments=("worker",),
        environment=here,
    )
    return [*api, worker]
