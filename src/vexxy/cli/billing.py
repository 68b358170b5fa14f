"""`vexxy billing`: what operators do for money without a browser."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer

from vexxy.audit import types as audit
from vexxy.billing.ledger.checks import service as checks
from vexxy.billing.ledger.checks.types import Difference
from vexxy.billing.ledger.operators import service as operators
from vexxy.billing.ledger.types import Grant, Source
from vexxy.cli import billing_check, billing_report, billing_usage, console, system
from vexxy.cli.exit import ExitCode
from vexxy.kit import ids
from vexxy.kit.db import Database

app = typer.Typer(no_args_is_help=True, help="Check, mend and grant credits.")

app.command()(billing_report.report)
app.command()(billing_report.move)
app.command()(billing_usage.usage)

One = Annotated[UUID, typer.Option("--organization", help="Id of the organization")]
Some = Annotated[
    UUID | None, typer.Option("--organization", help="Only this one; all without it")
]
OPERATOR = audit.system("operator")


@app.command()
def check(*, organization: Some = None) -> None:
    """Read every record from its first row; exit code 1 if anything differs."""
    checked = rows = wrong = 0
    with system.opened() as (database, _):
        for one in _chosen(database, organization):
            report = checks.check(database, one)
            found = [*report.differences, *billing_check.list_differences(database, one)]
            _tell(one, found)
            checked += 1
            rows += report.rows
            wrong += bool(found)
    console.note(f"{checked} organizations, {rows} rows, {wrong} with differences")
    if wrong:
        raise typer.Exit(ExitCode.FINDINGS)


@app.command()
def rebuild(*, organization: Some = None) -> None:
    """Compute what is kept beside records from the records; say what was other."""
    changed = 0
    with system.opened() as (database, _):
        for one in _chosen(database, organization):
            found = billing_check.list_differences(database, one)
            with database.transaction() as session:
                found += checks.rebuild(session, one, actor=OPERATOR)
            billing_check.rebuild(database, one, actor=OPERATOR)
            _tell(one, found)
            changed += bool(found)
    console.note(f"{changed} organizations had differences")


@app.command()
def grant(
    *,
    organization: One,
    credits: Annotated[int, typer.Option(help="How many")],  # noqa: A002  the option
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log")],
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The first day they are gone, UTC"),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Names the act: the same again grants nothing")
    ] = None,
) -> None:
    """Give an organization credits."""
    request = Grant(
        key=f"operator:command:{key or ids.new_id()}",
        credits=credits,
        source=Source.PROMOTION,
        expires_at=None if expires is None else expires.replace(tzinfo=UTC),
        description="credits granted by the operator",
    )
    with system.opened() as (database, _), database.transaction() as session:
        posted = operators.act(
            session, organization, request, reason=reason, actor=OPERATOR
        )
    console.note(f"{posted.credits} credits granted, {posted.balance_after} in all")


def _chosen(database: Database, organization: UUID | None) -> Iterable[UUID]:
    return checks.list_organizations(database) if organization is None else [organization]


def _tell(organization_id: UUID, differences: Sequence[Difference]) -> None:
    for one in differences:
        typer.echo(f"{organization_id} {one.what}: {one.found}, should be {one.expected}")
        typer.echo(f"  repair: {one.repair}")
