"""What the hot path needs of a database."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol


class Connection(Protocol):
    """A connection that runs one statement after the other."""

    async def rows(self, query: str, *values: Any) -> Sequence[Any]:  # noqa: ANN401
        """Return the rows that the statement gives, with columns as attributes."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[None]:
        """Commit at the end what is done inside, or nothing of it."""
        ...


class Source(Protocol):
    """Where connections come from (`kit.writes.Writes`)."""

    def connection(self) -> AbstractAsyncContextManager[Connection]:
        """Lend a connection of the system role."""
        ...
