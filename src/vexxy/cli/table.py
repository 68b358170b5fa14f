"""The verdicts as a person reads them."""

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from vexxy.analysis import rules
from vexxy.analysis.types import Result
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


def show(result: Result, console: Console, *, everything: bool) -> None:
    """Print the table and what it stands on.

    Args:
        result: A finished analysis.
        console: Where to.
        everything: Whether to list also what is not affected.
    """
    ordered = rules.in_reading_order(result.verdicts)
    listed = [v for v in ordered if everything or v.status is not Status.NOT_AFFECTED]
    if listed:
        console.print(_verdicts(listed))
    console.print(Group(*_closing(result)))


def _verdicts(verdicts: Iterable[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("severity", "vulnerability", "package", "status", "sure"):
        table.add_column(heading, no_wrap=True)
    table.add_column("why", ratio=1)
    for verdict in verdicts:
        table.add_row(
            verdict.severity.value,
            Text(verdict.vulnerability_id),
            Text(f"{verdict.package.name} {verdict.package.version}"),
            Text(WORDS[verdict.status], style=STYLES[verdict.status]),
            f"{verdict.confidence_score:.2f}",
            Text(verdict.reason),
        )
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
        Text(f"advisories: {result.advisories.description}", style="dim"),
    ]
    lines += [Text(f"limit: {reason}", style="yellow") for reason in seen.reasons]
    lines += [
        Text(f"not read: {problem.path}: {problem.message}", style="yellow")
        for problem in result.inventory.problems[:10]
    ]
    lines += [Text(f"sandbox: {reason}", style="dim") for reason in result.relaxations]
    return lines
