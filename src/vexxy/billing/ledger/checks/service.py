"""Checking records, and computing anew what is kept beside them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from vexxy.audit import service as audit
from vexxy.audit.types import Act, Actor
from vexxy.billing.ledger import repository as ledger
from vexxy.billing.ledger import service
from vexxy.billing.ledger.checks import repository, rules
from vexxy.billing.ledger.checks.types import Difference, Report
from vexxy.billing.ledger.errors import NoSuchOrganization
from vexxy.billing.ledger.types import State
from vexxy.kit import clock
from vexxy.kit.db import Database

VIOLATIONS_MAX: Final = 20
_ORGANIZATIONS_PAGE: Final = 500


def check(
    database: Database, organization_id: UUID, *, now: datetime | None = None
) -> Report:
    """Read a record from its first row; return what is not as it must be.

    Nothing is locked: one snapshot shows the record and what is kept beside it.

    Args:
        database: Of the SYSTEM role.
        organization_id: Whose record.
        now: The instant that decides which holds are overdue.

    Raises:
        NoSuchOrganization: There is none of that id.
    """
    with database.transaction() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        stored = repository.read_stored(session, organization_id)
        if stored is None:
            raise NoSuchOrganization(organization_id)
        replay = _replayed(session, organization_id)
    found = list(replay.differences)
    found += rules.compare(organization_id, stored, replay.projections())
    found += replay.overdue(now or clock.instant())
    return Report(organization_id, replay.rows, found)


def rebuild(session: Session, organization_id: UUID, *, actor: Actor) -> list[Difference]:
    """Compute accounts, lots and balance from the record; return what was other.

    The organization's account stays locked until the transaction ends. As SYSTEM, which
    alone may remove lots that no row opened.

    Raises:
        NoSuchOrganization: There is none of that id.
    """
    service.lock(session, organization_id)
    stored = repository.read_stored(session, organization_id)
    assert stored is not None  # noqa: S101  it was locked
    computed = _replayed(session, organization_id).projections()
    found = list(rules.compare(organization_id, stored, computed))
    if found:
        state = State(
            organization_id,
            computed.sequence,
            computed.chain,
            computed.balances,
            computed.lots,
        )
        repository.remove_lots(session, organization_id)
        lots = list(computed.lots.values())
        ledger.write(session, state, rows=(), lots=lots, now=clock.instant())
        done = Act(
            action="ledger.rebuilt",
            actor=actor,
            organization_id=organization_id,
            resource_type="credit_account",
            resource_id=organization_id,
            before={one.what: one.found for one in found},
            after={one.what: one.expected for one in found},
        )
        audit.record(session, done)
    return found


def _replayed(session: Session, organization_id: UUID) -> rules.Replay:
    replay = rules.Replay(organization_id)
    for row in repository.list_rows(session, organization_id):
        replay.add(row)
    return replay


def list_organizations(database: Database) -> Iterator[UUID]:
    """Yield every organization that has a record."""
    after = UUID(int=0)
    while True:
        with database.transaction() as session:
            page = repository.list_organizations(
                session, after=after, limit=_ORGANIZATIONS_PAGE
            )
        yield from page
        if len(page) < _ORGANIZATIONS_PAGE:
            return
        after = page[-1]


def violations(
    database: Database, *, step: Callable[[], object] = lambda: None
) -> Iterator[tuple[str, UUID, str]]:
    """Yield which invariant does not hold, for whom and where; nothing, ever.

    Args:
        database: Of the SYSTEM role.
        step: Called before each query; may raise to stop.
    """
    for name in repository.INVARIANTS:
        step()
        with database.transaction() as session:
            found = repository.list_violations(session, name, limit=VIOLATIONS_MAX)
        for organization_id, what in found:
            yield name, organization_id, what
