"""`vexxy vex`: check, join and compare VEX documents."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from vexxy.analysis import publication
from vexxy.analysis import wire as results
from vexxy.cli import console
from vexxy.cli.exit import ExitCode
from vexxy.kit import clock, files
from vexxy.settings import Settings
from vexxy.vex import service as vex
from vexxy.vex.service import Format
from vexxy.vex.types import Effect, Gravity, Honor, Issuance, Report, Target

app = typer.Typer(no_args_is_help=True, help="Check, join and compare VEX documents.")

STYLES = {Gravity.ERROR: "bold red", Gravity.WARNING: "yellow", Gravity.NOTE: "dim"}
EFFECTS = {
    Effect.SUPPRESSED: ("suppresses", "green"),
    Effect.KEPT: ("keeps", "default"),
    Effect.UNMATCHED: ("matches nothing", "bold red"),
}


@app.command()
def validate(
    document: Annotated[Path, typer.Argument(help="An OpenVEX document")],
    result: Annotated[
        Path | None,
        typer.Option(help="Result of the image it is about: tells which tool honors it"),
    ] = None,
) -> None:
    """Check a document against schema, specification and what scanners match.

    Exit code 1 when the document is invalid, or when a statement of it would match
    nothing in any tool.
    """
    target, packages = _target(result) if result else (None, ())
    report = vex.validate(document, target=target, packages=packages)
    shown = console.stdout()
    for remark in report.remarks:
        line = Text(f"{remark.gravity.value}: ", style=STYLES[remark.gravity])
        where = f" ({remark.where})" if remark.where else ""
        said = console.clean(f"{remark.message}{where} [{remark.rule}]")
        shown.print(line.append(said, "default"))
    if report.honors:
        shown.print(_honors(report))
    lost = _lost(report.honors)
    if lost:
        shown.print(f"{len(lost)} statements match nothing in any tool", style="bold red")
    count = len(report.document.statements) if report.document else 0
    shown.print(f"{'valid' if report.valid else 'not valid'}: {count} statements")
    if not report.valid or lost:
        raise typer.Exit(ExitCode.FINDINGS)


def _target(path: Path) -> tuple[Target, tuple[str, ...]]:
    data = results.read_results(path)
    packages = {verdict.package.purl for verdict in results.verdicts(data)}
    return vex.target_of(results.image(data)), tuple(sorted(packages))


def _lost(honors: tuple[Honor, ...]) -> set[int]:
    matched = {h.statement for h in honors if h.effect is not Effect.UNMATCHED}
    return {honor.statement for honor in honors} - matched


def _honors(report: Report) -> Table:
    table = Table(title="What each tool does with the statements", box=None)
    table.add_column("tool")
    for word, _ in EFFECTS.values():
        table.add_column(word, justify="right")
    table.add_column("for example", ratio=1)
    for consumer in dict.fromkeys(honor.consumer for honor in report.honors):
        mine = [honor for honor in report.honors if honor.consumer is consumer]
        counts = [
            Text(str(sum(h.effect is effect for h in mine)), style=style)
            for effect, (_, style) in EFFECTS.items()
        ]
        unmatched = [h for h in mine if h.effect is Effect.UNMATCHED]
        example = (unmatched or mine)[0]
        table.add_row(consumer.value, *counts, Text(console.clean(example.reason)))
    return table


@app.command()
def merge(
    documents: Annotated[list[Path], typer.Argument(help="OpenVEX documents")],
    output: Annotated[Path | None, typer.Option(help="Where to write")] = None,
    author: Annotated[str | None, typer.Option(help="Author of the result")] = None,
) -> None:
    """Join documents; per vulnerability, product and package the newest one wins."""
    issuance = Issuance(author=author or Settings().author, timestamp=clock.now())
    read = [vex.read_document(path) for path in documents]
    content = vex.render(vex.merge(read, issuance=issuance), Format.OPENVEX)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        files.write_whole(output, content)
        console.note(f"wrote {output}")


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The older document")],
    after: Annotated[Path, typer.Argument(help="The newer document")],
    result: Annotated[
        Path | None,
        typer.Option(help="Result of the image today: finds stale and now fixable ones"),
    ] = None,
) -> None:
    """Show what changed between two documents; exit code 1 if anything did."""
    packages = None
    fixable: list[tuple[str, str]] = []
    if result is not None:
        data = results.read_results(result)
        verdicts = results.verdicts(data)
        packages = {verdict.package.purl for verdict in verdicts}
        fixable = [
            (v.vulnerability_id, v.package.purl) for v in verdicts if v.fixed_versions
        ]
    found = vex.diff(
        vex.read_document(before),
        vex.read_document(after),
        packages=packages,
        fixable=fixable,
    )
    shown = console.stdout()
    for change in found:
        shown.print(
            Text(
                console.clean(
                    f"{change.change.value:12} {change.vulnerability} {change.purl}"
                )
            ),
            Text(console.clean(change.detail), style="dim"),
        )
    shown.print(f"{len(found)} changes")
    if found:
        raise typer.Exit(ExitCode.FINDINGS)


@app.command()
def export(
    result: Annotated[Path, typer.Argument(help="A result saved by analyze")],
    form: Annotated[Format, typer.Option("--format")] = Format.OPENVEX,
    output: Annotated[Path | None, typer.Option(help="Where to write")] = None,
) -> None:
    """Write the VEX of a saved result in another format; nothing is run again."""
    data = results.read_results(result)
    content = publication.export(data, form, namespace=Settings().vex_namespace)
    if output is None:
        sys.stdout.buffer.write(content)
    else:
        files.write_whole(output, content)
        console.note(f"wrote {output}")
