"""Runs the revisions: one process at a time, each with limits on waiting."""

from typing import Final

from alembic import context
from sqlalchemy import create_engine, pool, text

# A migration that waits for a lock makes everybody behind it wait as well.
LIMITS: Final = "-c lock_timeout=10s -c statement_timeout=10min"
# Any number, as long as nobody else uses it: serializes services that start together.
LOCK: Final = 7_208_341

engine = create_engine(
    context.config.get_main_option("sqlalchemy.url") or "",
    poolclass=pool.NullPool,
    connect_args={"options": LIMITS},
)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None)
    with context.begin_transaction():
        connection.execute(text(f"select pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()
engine.dispose()
