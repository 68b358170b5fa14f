"""The verdicts as a person reads them."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from vexxy.analysis import rules
from vexxy.analysis.types import Result
from vexxy.cli.console import clean
from vexxy.reachability.types import Verdict
from vexxy.vex.types import Status

STYLES: Final = {
    Status.AFFECTED: "bold red",
    Status.UNDER_INVESTIGATION: "yellow",
    Status.NOT_AFFECTED: "green",
    Status.FIXED: "green",
}
WORDS: Final = {
    Status.AFFECTED: "affected",
    Status.UNDER_INVESTIGATION: "to investigate",
    Status.NOT_AFFECTED: "not affected",
    Status.FIXED: "fixed",
}


IDS_SHOWN: Final = 3


def show(result: Result, console: Console, *, everything: bool) -> None:
    """Print the table and what it stands on.

    Args:
        result: A finished analysis.
        console: Where to.
        everything: Whether to list each finding, also those that are not affected;
            otherwise findings of one package that share a status share a row.
    """
    ordered = rules.in_reading_order(result.verdicts)
    if everything:
        rows = [[verdict] for verdict in ordered]
    else:
        rows = _grouped(v for v in ordered if v.status is not Status.NOT_AFFECTED)
    with console.capture() as captured:
        if rows:
            console.print(_rows(rows))
        console.print(Group(*_closing(result)))
    # A table is filled up with spaces to its full width.
    for line in captured.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def _grouped(verdicts: Iterable[Verdict]) -> list[list[Verdict]]:
    """Return verdicts of one package and status together, in the order of the first."""
    groups: dict[tuple[str, Status, tuple[str, ...]], list[Verdict]] = {}
    for verdict in verdicts:
        package = verdict.package
        key = (package.purl, verdict.status, package.locations)
        groups.setdefault(key, []).append(verdict)
    return list(groups.values())


def _rows(rows: Sequence[Sequence[Verdict]]) -> Table:
    """Return a block per row: what it is in one line, why in the lines below it."""
    table = Table.grid(padding=(0, 2))
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    for group in rows:
        first = group[0]
        ids = [verdict.vulnerability_id for verdict in group]
        hidden = f" and {len(ids) - IDS_SHOWN} more" if ids[IDS_SHOWN:] else ""
        table.add_row(
            Text(WORDS[first.status], style=STYLES[first.status]),
            Text(first.severity.value),
            f"{min(verdict.confidence_score for verdict in group):.2f}",
            Text(clean(f"{first.package.name} {first.package.version}"), style="bold"),
            Text(clean(", ".join(ids[:IDS_SHOWN]) + hidden)),
        )
        table.add_row("", "", "", "", Text(clean(first.reason), style="dim"))
    return table


def _closing(result: Result) -> Sequence[RenderableType]:
    summary = rules.summarize(result.verdicts)
    seen = result.profile.completeness
    lines = [
        Text(),
        Text(
            f"{summary.findings} findings in {len(result.inventory.packages)} packages: "
            f"{summary.by_status['affected']} affected, "
            f"{summary.by_status['under_investigation']} to investigate, "
            f"{summary.by_status['not_affected']} not affected "
            f"({summary.removed_percent} % removed)",
            style="bold",
        ),
        Text(
            f"observed {seen.observed_seconds:.0f} s, {seen.traffic_requests} requests "
            f"answered, {len(result.profile.files_accessed)} files, "
            f"{seen.lost_events} events lost, "
            f"by {', '.join(result.profile.sources) or 'nobody'}",
        ),
        Text(clean(f"advisories: {result.advisories.description}"), style="dim"),
    ]
    lines += [Text(clean(f"limit: {reason}"), style="yellow") for reason in seen.reasons]
    lines += [
        Text(clean(f"not read: {problem.path}: {problem.message}"), style="yellow")
        for problem in result.inventory.problems[:10]
    ]
    lines += [
        Text(clean(f"sandbox: {reason}"), style="dim") for reason in result.relaxations
    ]
    return lines
