"""`vexxy advisories`: the database of known vulnerabilities."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from vexxy import sources
from vexxy.advisories import service
from vexxy.advisories.errors import DatabaseNotFound
from vexxy.advisories.types import DatabaseStatus, ImportReport
from vexxy.cli import advisory_symbols, console
from vexxy.cli.exit import ExitCode
from vexxy.kit import clock
from vexxy.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The database of known vulnerabilities.")
app.add_typer(advisory_symbols.app, name="symbols")

JsonProgress = Annotated[bool, typer.Option(help="Progress as JSON lines")]


@app.command()
def update(
    ecosystems: Annotated[
        list[str] | None, typer.Argument(help="Such as Debian:12, PyPI, npm, Go")
    ] = None,
    *,
    json_progress: JsonProgress = False,
) -> None:
    """Download what OSV knows, ecosystem by ecosystem; continues where it was cut off."""
    settings = Settings()
    settings.data_directory.mkdir(parents=True, exist_ok=True)
    wanted = ecosystems or list(service.DEFAULT_ECOSYSTEMS)
    with console.listener(json_lines=json_progress) as listener:
        updated = service.update(
            settings.database_path,
            wanted,
            feed=sources.feed(settings),
            progress=listener,
        )
    failed = [one for one in updated if one.failure is not None]
    for one in updated:
        if one.failure is not None:
            console.warn(f"{one.ecosystem}: {one.failure}; what was stored is still there")
        elif one.unchanged:
            console.note(f"{one.ecosystem}: up to date")
        elif one.report is not None:
            console.note(f"{one.ecosystem}: {one.report.records} advisories")
            _tell(one.report)
    if failed:
        raise typer.Exit(ExitCode.FAILED)


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A folder, a zip, or one OSV record")],
    *,
    merge: Annotated[
        bool, typer.Option(help="Add to what is stored instead of replacing it")
    ] = False,
    json_progress: JsonProgress = False,
) -> None:
    """Store OSV records from a folder or a zip; malformed ones are named and left out."""
    settings = Settings()
    settings.data_directory.mkdir(parents=True, exist_ok=True)
    with console.listener(json_lines=json_progress) as listener:
        report = service.import_path(
            settings.database_path, path, merge=merge, progress=listener
        )
    _tell(report)
    console.note(f"{report.records} advisories are in {settings.database_path}")


def _tell(report: ImportReport) -> None:
    for entry in report.rejected:
        console.warn(f"left out {entry.path}: {entry.reason}")
    hidden = report.rejected_total - len(report.rejected)
    if hidden > 0:
        console.warn(f"and {hidden} more were left out")


@app.command()
def status(
    *,
    quiet: Annotated[
        bool, typer.Option(help="Say nothing; exit code 4 if there is no database")
    ] = False,
) -> None:
    """Show what the database holds and how old it is."""
    settings = Settings()
    try:
        found = service.status(settings.database_path)
    except DatabaseNotFound as error:
        if not quiet:
            console.report(error)
        raise typer.Exit(ExitCode.PREREQUISITES) from error
    if not quiet:
        _show(found)


def _show(status: DatabaseStatus) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("ecosystem", "advisories", "with functions", "age", "from"):
        table.add_column(heading)
    for one in status.ecosystems:
        table.add_row(
            one.ecosystem,
            str(one.records),
            str(one.with_symbols),
            f"{one.age_days(clock.now())} days",
            one.source,
        )
    shown = console.stdout()
    shown.print(table)
    shown.print(
        f"{status.records} advisories, {status.size_bytes / 1e6:.1f} MB, {status.path}; "
        f"{status.shipped_symbols + status.derived_symbols} functions of our own"
    )


@app.command()
def bundled() -> None:
    """Print the folder of the small set that ships with vexxy, for demonstrations."""
    typer.echo(service.bundled_path())
