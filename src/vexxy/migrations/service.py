"""Bring a database to a revision."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from vexxy.kit import db

FOLDER: Final = Path(__file__).parent


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    # ConfigParser reads a percent sign as the start of a reference.
    address = db.normalized(url).render_as_string(hide_password=False)
    config.set_main_option("sqlalchemy.url", address.replace("%", "%%"))
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema up to the revision; safe to call from several processes."""
    command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to the revision; `base` removes everything."""
    command.downgrade(_config(url), revision)


def revisions() -> tuple[str, ...]:
    """Return every revision, oldest first."""
    script = ScriptDirectory(str(FOLDER))
    return tuple(reversed([step.revision for step in script.walk_revisions()]))


def current(url: str) -> str | None:
    """Return the revision that the database is at, None for an empty one."""
    engine = create_engine(db.normalized(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
