"""The service's database, for commands of those who operate it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vexxy import bootstrap
from vexxy.integrations.embedded_postgres import running as embedded
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit.db import Database, Role
from vexxy.kit.errors import Unavailable
from vexxy.settings import ServiceSettings, Settings, read_service


@contextmanager
def opened() -> Iterator[tuple[Database, ServiceSettings]]:
    """Provide the database across organizations, and the settings of the service.

    Raises:
        Unavailable: No database is named, and the data directory has none.
    """
    wanted = read_service()
    if wanted.database_url is None:
        _require_database(Settings().data_directory.absolute())
    settings = bootstrap.completed(wanted, Settings().data_directory)
    with _url(settings) as url:
        database = Database(url, role=Role.SYSTEM, connections=1)
        try:
            yield database, settings
        finally:
            database.close()


@contextmanager
def running() -> Iterator[Database | None]:
    """Provide the database that is there already; None starts and reaches nothing."""
    settings = read_service()
    if settings.database_url is not None:
        url: str | None = settings.database_url.get_secret_value()
    else:
        url = embedded.find_url(Settings().data_directory.absolute() / "postgresql")
    if url is None:
        yield None
        return
    database = Database(url, role=Role.SYSTEM, connections=1)
    try:
        yield database
    finally:
        database.close()


def _require_database(directory: Path) -> None:
    # Starting one here would make an empty database where nobody looks for it.
    if not (directory / "postgresql").is_dir():
        raise Unavailable(
            f"there is no database in {directory}",
            hint="name the data directory of `vexxy serve` in VEXXY_DATA_DIRECTORY,"
            " or the database in DATABASE_URL",
        )


@contextmanager
def _url(settings: ServiceSettings) -> Iterator[str]:
    """Provide the database that is set, or the one that `vexxy serve` brings along."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    directory = Settings().data_directory.absolute() / "postgresql"
    found = embedded.find_url(directory)
    if found is not None:
        yield found
        return
    started = embedded_postgres.start(directory)
    try:
        yield started.url
    finally:
        started.stop()
