"""A connection of a worker's own: in autocommit, made again after it broke."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from vexxy.kit.db import Database
from vexxy.kit.errors import Unavailable

Result = TypeVar("Result")


class QueueUnreachable(Unavailable):
    """PostgreSQL does not answer; whether the last statement took effect is unknown."""


class Line:
    """Runs statements that are transactions of their own; of one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    def run(self, operation: Callable[[Connection], Result]) -> Result:
        """Return what the operation returns.

        Raises:
            QueueUnreachable: The connection broke, or could not be made.
        """
        try:
            if self._connection is None:
                self._connection = self._database.engine.connect().execution_options(
                    isolation_level="AUTOCOMMIT"
                )
            return operation(self._connection)
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            self._discard(broken=_is_broken(error))
            raise QueueUnreachable("the database cannot be reached") from error

    def close(self) -> None:
        """Give the connection back."""
        self._discard(broken=False)

    def _discard(self, *, broken: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if broken and not connection.invalidated:
            connection.invalidate()
        connection.close()


def _is_broken(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
