"""`vexxy billing usage`: whether totals of use are what the events say."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer

from vexxy.audit import types as audit
from vexxy.billing.usage import service
from vexxy.billing.usage.types import Days, Difference
from vexxy.cli import console, system
from vexxy.cli.exit import ExitCode
from vexxy.kit.db import Database

# As many days as are counted by one statement.
STEP_DAYS = 7
OPERATOR = audit.system("operator")


def usage(
    *,
    organization: Annotated[UUID, typer.Option(help="Id of the organization")],
    mend: Annotated[
        bool, typer.Option("--rebuild", help="Count what differs again, and record it")
    ] = False,
) -> None:
    """Compare totals of use with their events; exit code 1 if any differs and stays."""
    with system.opened() as (database, _):
        found = examined(database, organization, mend=mend)
    for one in found:
        typer.echo(f"{one.day} {one.metric}: stored {one.stored}, events {one.counted}")
    ending = "were mended" if mend else "differ"
    console.note(f"{len(found)} totals {ending}")
    if found and not mend:
        raise typer.Exit(ExitCode.FINDINGS)


def examined(database: Database, organization_id: UUID, *, mend: bool) -> list[Difference]:
    """Return where totals differ, week by week; each is a transaction of its own."""
    with database.transaction() as session:
        start = service.first_day(session, organization_id)
    # An event may be a little ahead of us.
    end: date = datetime.now(UTC).date() + timedelta(days=2)
    found: list[Difference] = []
    while start is not None and start < end:
        following = min(start + timedelta(days=STEP_DAYS), end)
        days = Days(organization_id, start, following)
        with database.transaction() as session:
            if mend:
                found += service.rebuild(session, days, actor=OPERATOR)
            else:
                found += service.check(session, days)
        start = following
    return found
