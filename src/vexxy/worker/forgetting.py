"""Rows whose time is over and that nothing else removes: forgotten, some at a time."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# Bounded, so that a long pause does not end in one long transaction.
ROWS_MAX: Final = 10_000
# By what finds a row, and when its time is over. What was offered, asked or told and
# came to nothing stays readable for a month.
_OVER: Final = {
    "idempotency_keys": ("name", "expires_at < now()"),
    "sign_in_attempts": ("counter", "window_ends_at < now()"),
    "password_resets": ("id", "expires_at < now() - interval '1 day'"),
    "invitations": ("id", "expires_at < now() - interval '30 days'"),
    "notification_deliveries": (
        "id",
        "state <> 'waiting' and finished_at < now() - interval '30 days'",
    ),
}
STATEMENTS: Final = tuple(
    text(
        f"delete from {table} where {key} in"  # noqa: S608  constants of this module
        f" (select {key} from {table} where {over} limit :rows)"
    )
    for table, (key, over) in _OVER.items()
)


def forget(session: Session) -> None:
    """Remove what is over, as SYSTEM; done twice it finds nothing left to do."""
    for statement in STATEMENTS:
        session.execute(statement, {"rows": ROWS_MAX})
