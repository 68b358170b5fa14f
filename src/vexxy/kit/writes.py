"""Writes from the event loop, for the one path where many callers share a commit.

Everything else goes through `kit/db`. A statement outside of `transaction` is a
transaction of its own, so that one round trip decides, writes and commits.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import asyncpg

from vexxy.kit import db
from vexxy.kit.db import LOCK_TIMEOUT_MS, STATEMENT_TIMEOUT_MS, Role
from vexxy.kit.errors import Unavailable

IDLE_SECONDS_MAX: Final = 300.0
CONNECT_SECONDS_MAX: Final = 10.0
# Longer than the server's own limit: for a server that does not answer at all.
ANSWER_SECONDS_MAX: Final = STATEMENT_TIMEOUT_MS / 1000 + 5
# Of transactions that lost against others: nothing was written, again may do.
_RETRY: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# The server's own words for "I wrote nothing".
_REFUSED: Final = (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError)


class Lost(Unavailable):
    """The connection ended before the answer: nobody here knows whether it was done."""


class Contended(Unavailable):
    """Other transactions were in the way; nothing was written."""


class Duplicate(Unavailable):
    """A unique key is taken; nothing was written."""


class Row(asyncpg.Record):
    """A row with its columns as attributes, as SQLAlchemy's rows have them."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  a column's value
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Connection:
    """One connection, on loan from `Writes`."""

    def __init__(self, raw: "asyncpg.pool.PoolConnectionProxy[Row]") -> None:
        self._raw = raw

    async def rows(self, query: str, *values: Any) -> list[Row]:  # noqa: ANN401
        """Return the rows that the statement gives, with columns as attributes."""
        return await self._raw.fetch(query, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit at the end what is done inside, or nothing of it."""
        async with self._raw.transaction():
            yield


class Writes:
    """Connections of the event loop to PostgreSQL, as one role.

    Args:
        url: As `kit.db.Database` takes it.
        role: Taken at connect.
        connections: Most connections at once.
    """

    def __init__(self, url: str, *, role: Role, connections: int = 2) -> None:
        address = db.normalized(url).set(drivername="postgresql")
        self._dsn = address.render_as_string(hide_password=False)
        self._role = role
        self._connections = connections
        self._pool: asyncpg.Pool[Row] | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection.

        Raises:
            Lost: It broke while it was on loan; a commit may have happened.
            Contended: Nothing was written.
            Duplicate: Nothing was written.
            Unavailable: PostgreSQL cannot be reached; nothing was written.
        """
        pool = self._pool or await self._opened()
        with _told(Unavailable, "the database cannot be reached"):
            raw = await pool.acquire()
        try:
            with _told(Lost, "the database went away"):
                yield Connection(raw)
        finally:
            await pool.release(raw)

    async def _opened(self) -> "asyncpg.Pool[Row]":
        async with self._opening:
            if self._pool is None:
                with _told(Unavailable, "the database cannot be reached"):
                    self._pool = await asyncpg.create_pool(
                        self._dsn,
                        min_size=0,
                        max_size=self._connections,
                        record_class=Row,
                        timeout=CONNECT_SECONDS_MAX,
                        command_timeout=ANSWER_SECONDS_MAX,
                        max_inactive_connection_lifetime=IDLE_SECONDS_MAX,
                        server_settings={
                            "application_name": "vexxy writes",
                            "role": self._role.value,
                            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
                            "lock_timeout": str(LOCK_TIMEOUT_MS),
                            "idle_in_transaction_session_timeout": str(
                                STATEMENT_TIMEOUT_MS
                            ),
                            "jit": "off",
                        },
                        reset=_nothing,
                    )
            return self._pool

    async def close(self) -> None:
        """Close every connection, when what is under way has ended."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None


@contextmanager
def _told(lost: type[Unavailable], message: str) -> Iterator[None]:
    """Tell what broke in our words; SQL stays in the cause."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise Duplicate("this was written before") from error
    except _RETRY as error:
        raise Contended("others were in the way", hint="try again") from error
    except _REFUSED as error:
        raise Contended("the database is busy", hint="try again in a moment") from error
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise lost(message, hint="try again in a moment") from error


async def _nothing(_connection: object) -> None:
    """Reset nothing: a transaction leaves nothing behind."""
