"""Recording acts, and reading what was recorded."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import repository
from vexxy.audit.types import Act, Entry, Filter, system
from vexxy.kit import clock, jsontext
from vexxy.kit.db import Database

EXPORT_PAGE: Final = 500
REMOVAL_PAGE: Final = 1000
# The database refuses less.
RETENTION_DAYS_MIN: Final = 365


def _go_on() -> None:
    """Do nothing between two pages."""


def record(session: Session, act: Act) -> UUID:
    """Append the act in the transaction that performs it; return the entry's id.

    Both happen or neither does. Secrets are replaced by their names and long states cut,
    so that nothing has to be left out of a description for safety.

    Raises:
        UnusableAct: The action is not of the form `noun.verb_in_the_past`.
    """
    return repository.append(session, act)


def rows_json(acts: Iterable[Act]) -> str:
    """Return the rows of acts as a JSON array, for a statement that writes many at once.

    Raises:
        UnusableAct: An action is not of the form `noun.verb_in_the_past`.
    """
    return jsontext.encode([repository.columns(act) for act in acts]).decode()


def list_entries(
    session: Session, wanted: Filter, *, limit: int, offset: int
) -> tuple[int, Sequence[Entry]]:
    """Return how many acts of the session's organization match, and a page of them."""
    total = repository.count_entries(session, wanted)
    return total, repository.list_entries(session, wanted, limit=limit, offset=offset)


def export(database: Database, organization_id: UUID, wanted: Filter) -> Iterator[Entry]:
    """Yield every matching act, newest first, in memory that does not grow with them.

    Each page is read in a transaction of its own; acts that happen meanwhile are newer
    than what is still to come and so are not part of it.
    """
    before: int | None = None
    while True:
        with database.transaction(organization_id) as session:
            page, before = repository.list_page(
                session, wanted, before=before, limit=EXPORT_PAGE
            )
        yield from page
        if before is None:
            return


def remove_expired(
    database: Database,
    *,
    retention_days: int,
    now: datetime,
    step: Callable[[], object] = _go_on,
) -> int:
    """Remove entries whose time is over, as SYSTEM; return how many.

    Page by page, each a transaction: the database notes what goes, and every organization
    finds in its own record how many went and up to when. `step` may raise to stop.
    """
    before = now - timedelta(days=max(retention_days, RETENTION_DAYS_MIN))
    removed = 0
    while True:
        step()
        with database.transaction() as session:
            gone = repository.remove_older(session, before=before, limit=REMOVAL_PAGE)
            for organization_id, entries in gone.items():
                record(session, _removal(organization_id, entries, before=before))
        removed += sum(gone.values())
        if not gone:
            return removed


def _removal(organization_id: UUID | None, entries: int, *, before: datetime) -> Act:
    return Act(
        action="audit.expired",
        actor=system("retention"),
        organization_id=organization_id,
        resource_type="audit_log",
        metadata={"entries": entries, "before": clock.rfc3339(before)},
    )


def blank(session: Session, organization_id: UUID, *, limit: int) -> int:
    """Empty what may name a person in some entries of an organization; return how many.

    Who acted stays as an id, what was done and to which id stays as well. Only for an
    organization whose erasure was asked for: for any other the database refuses it.
    """
    return repository.blank(session, organization_id, limit=limit)


def count_unblanked(session: Session, organization_id: UUID) -> int:
    """Return how many entries of an organization are still to be blanked."""
    return repository.count_unblanked(session, organization_id)
