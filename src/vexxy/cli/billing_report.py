"""`vexxy billing report` and `vexxy billing move`: months, and versions of plans."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Annotated, Final
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from vexxy import bootstrap
from vexxy.audit import types as audit
from vexxy.billing.invoices import rules
from vexxy.billing.reports import service as reports
from vexxy.billing.reports.types import Credits, Month, Report
from vexxy.billing.subscriptions import service as subscriptions
from vexxy.billing.subscriptions import versions
from vexxy.cli import console, system
from vexxy.cli.exit import ExitCode
from vexxy.kit import jsontext

OPERATOR: Final = audit.system("operator")
PAGE: Final = 200
COLUMNS: Final = tuple(field.name for field in fields(Credits))

Some = Annotated[
    UUID | None, typer.Option("--organization", help="Only this one; all without it")
]


def report(
    *,
    organization: Some = None,
    months: Annotated[
        int, typer.Option(min=1, help="How many, the newest ones; the check reads all")
    ] = 12,
    as_json: Annotated[
        bool, typer.Option("--json", help="For programs, with every month")
    ] = False,
) -> None:
    """Sum up credits and invoices by month; exit code 1 if the ledger says otherwise."""
    with system.opened() as (database, _):
        made = reports.make(database, organization)
    if as_json:
        typer.echo(jsontext.encode(_plain(made)).decode())
    else:
        _print(made.months[-months:])
    for difference in made.differences:
        console.warn(difference)
    if made.differences:
        raise typer.Exit(ExitCode.FINDINGS)
    if not as_json:
        console.note("every sum is the ledger's own")


def move(
    *,
    tier: Annotated[str, typer.Option(help="Whose subscribers are moved")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit log")],
    organization: Some = None,
) -> None:
    """Give subscribers the newest version of their plan, from their next period on."""
    moved = 0
    with system.opened() as (database, settings):
        plans = bootstrap.plans(settings)
        with database.transaction() as session:
            plans.publish(session)
        after: UUID | None = None
        while True:
            with database.transaction() as session:
                found = versions.list_outdated(
                    session, tier, plans=plans, after=after, limit=PAGE
                )
            for one in found:
                if organization not in {None, one}:
                    continue
                with database.transaction() as session:
                    moved += subscriptions.move_to_current_version(
                        session, one, plans=plans, reason=reason, actor=OPERATOR
                    )
            if len(found) < PAGE:
                break
            after = found[-1]
    version = plans.current(tier).version
    console.note(f"{moved} subscribers of {tier} have version {version} ahead")


def _plain(made: Report) -> dict[str, object]:
    return {
        "months": [
            {
                "month": f"{month.first_day:%Y-%m}",
                "analyses": month.analyses,
                "credits": [_fields(one) for one in month.credits],
                "invoices": [_fields(one) for one in month.invoices],
            }
            for month in made.months
        ],
        "differences": list(made.differences),
    }


def _fields(value: object) -> dict[str, object]:
    return {
        field.name: getattr(value, field.name)
        for field in fields(value)  # type: ignore[arg-type]
    }


def _print(months: tuple[Month, ...]) -> None:
    out = Console(highlight=False, width=None if console.STDERR.is_terminal else 160)
    if not months:
        out.print("nothing happened yet")
        return
    table = Table("month", *COLUMNS, title="Credits")
    for month in months:
        for one in month.credits:
            table.add_row(f"{month.first_day:%Y-%m}", *map(str, _fields(one).values()))
    out.print(table)
    table = Table(
        *("month", "analyses", "invoices", "total", "paid", "open", "void", "overage"),
        title="Analyses and invoices",
    )
    for month in months:
        for row in _invoice_rows(month):
            table.add_row(*row)
    out.print(table)


def _invoice_rows(month: Month) -> Iterator[list[str]]:
    named, analyses = f"{month.first_day:%Y-%m}", str(month.analyses)
    for one in month.invoices:
        amounts = (
            one.total_cents,
            one.paid_cents,
            one.open_cents,
            one.void_cents,
            one.usage_cents,
        )
        shown = [rules.amount_text(cents, one.currency) for cents in amounts]
        yield [named, analyses, str(one.invoices), *shown]
    if not month.invoices:
        yield [named, analyses, "0", *["-"] * 5]
