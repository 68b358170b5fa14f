"""PostgreSQL: the mapped base, the roles, and the only place that commits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Engine, MetaData, create_engine, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session

from vexxy.kit import tracing
from vexxy.kit.errors import TimedOut, Unavailable, VexxyError

# Seconds a request waits for a connection before it is told to come back.
POOL_WAIT_SECONDS: Final = 10
STATEMENT_TIMEOUT_MS: Final = 30_000
LOCK_TIMEOUT_MS: Final = 10_000
# https://www.postgresql.org/docs/current/errcodes-appendix.html
QUERY_CANCELED: Final = "57014"
_BIND: Final = text("select set_config('vexxy.organization_id', :id, true)")


class Role(StrEnum):
    """Whom the database takes us for; none of them may bypass row-level security.

    REQUEST and WORKER see one organization at a time. SYSTEM sees all of them: for
    claiming jobs, finding who signs in, sweeps and operators.
    """

    REQUEST = "vexxy_request"
    WORKER = "vexxy_worker"
    SYSTEM = "vexxy_system"


class Base(DeclarativeBase):
    """The base of every table; constraint names are predictable for migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
        int: BigInteger,
    }


def normalized(url: str) -> URL:
    """Return the address with the driver that is used here, psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed


def _failure(error: OperationalError | PoolTimeout) -> VexxyError:
    """Tell a server that is away from one that is busy; SQL stays in the cause."""
    state = str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")
    kept = "everything that was committed before"
    if state == QUERY_CANCELED:
        return TimedOut("the database took too long", hint="try again", kept=kept)
    # No state at all: there was no server to give one.
    away = isinstance(error, OperationalError) and (
        not state or state.startswith(("08", "57P"))
    )
    message = "the database cannot be reached" if away else "the database is busy"
    return Unavailable(message, hint="try again in a moment", kept=kept)


class Database:
    """Connections to PostgreSQL as one role.

    Args:
        url: `postgresql://…`; its user must be a member of the role.
        role: Taken at connect, so that RESET ROLE comes back to it and costs nothing.
        connections: Most connections at once; faults of the past: 150 for 100 places.
    """

    def __init__(self, url: str, *, role: Role, connections: int = 8) -> None:
        self.role = role
        options = (
            f"-c role={role} -c statement_timeout={STATEMENT_TIMEOUT_MS}"
            f" -c lock_timeout={LOCK_TIMEOUT_MS}"
            f" -c idle_in_transaction_session_timeout={STATEMENT_TIMEOUT_MS}"
        )
        self._engine = create_engine(
            normalized(url),
            connect_args={"options": options, "application_name": f"vexxy {role}"},
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_pre_ping=False,
            pool_use_lifo=True,
            # What a statement carries is a tenant's; it has no place in an error.
            hide_parameters=True,
        )

    @property
    def engine(self) -> Engine:
        """The pool itself, for paths that take a connection of their own."""
        return self._engine

    @contextmanager
    def transaction(self, organization_id: UUID | None = None) -> Iterator[Session]:
        """Provide a session bound to one organization; commit at the end.

        Without an organization only the SYSTEM role sees rows of tenants.

        Raises:
            Unavailable: PostgreSQL is away or too busy; nothing was written.
            TimedOut: A statement took longer than it may; nothing was written.
        """
        with (
            tracing.span("transaction", role=self.role),
            Session(self._engine, expire_on_commit=False) as session,
        ):
            try:
                session.begin()
                if organization_id is not None:
                    session.execute(_BIND, {"id": str(organization_id)})
                yield session
                session.commit()
            except (OperationalError, PoolTimeout) as error:
                raise _failure(error) from error

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()
