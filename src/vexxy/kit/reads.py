"""Reads in one round trip, from the event loop: for the few paths that are asked most.

Everything else goes through `kit/db`. Here one statement is one transaction: it binds the
organization, checks who asks and reads, as a function in the database.
"""

import asyncio
from typing import Any, Final

import asyncpg

from vexxy.kit import db
from vexxy.kit.db import Role
from vexxy.kit.errors import Unavailable

SECONDS_MAX: Final = 5.0
IDLE_SECONDS_MAX: Final = 300.0


class Reads:
    """Connections of the event loop to PostgreSQL, as the request role.

    Args:
        url: As `kit.db.Database` takes it.
        connections: Most connections at once.
    """

    def __init__(self, url: str, *, connections: int = 4) -> None:
        address = db.normalized(url).set(drivername="postgresql")
        self._dsn = address.render_as_string(hide_password=False)
        self._connections = connections
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def row(self, query: str, *values: Any) -> asyncpg.Record | None:  # noqa: ANN401
        """Return the row that the statement finds.

        Raises:
            Unavailable: PostgreSQL is away, busy or refuses; nothing was written.
        """
        try:
            pool = self._pool or await self._opened()
            return await pool.fetchrow(query, *values, timeout=SECONDS_MAX)
        except (
            OSError,
            TimeoutError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
        ) as error:
            raise Unavailable("the database cannot be reached") from error

    async def _opened(self) -> "asyncpg.Pool[asyncpg.Record]":
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=self._connections,
                    max_inactive_connection_lifetime=IDLE_SECONDS_MAX,
                    server_settings={
                        "application_name": "vexxy reads",
                        # At connect, so that RESET ROLE comes back to it.
                        "role": Role.REQUEST.value,
                        "statement_timeout": str(int(SECONDS_MAX * 1000)),
                        # A function of one row: compiling it would take longer.
                        "jit": "off",
                    },
                    # Statements leave nothing behind: what they set ends with them.
                    reset=_nothing,
                )
            return self._pool

    async def close(self) -> None:
        """Close every connection."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


async def _nothing(_connection: object) -> None:
    """Reset nothing: it would be a second round trip."""
