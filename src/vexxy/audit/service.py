"""Recording acts, and reading what was recorded."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import repository
from vexxy.audit.types import Act, Entry, Filter
from vexxy.kit.db import Database

EXPORT_PAGE: Final = 500


def record(session: Session, act: Act) -> UUID:
    """Append the act in the transaction that performs it; return the entry's id.

    Both happen or neither does. Secrets are replaced by their names and long states cut,
    so that nothing has to be left out of a description for safety.

    Raises:
        UnusableAct: The action is not of the form `noun.verb_in_the_past`.
    """
    return repository.append(session, act)


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
