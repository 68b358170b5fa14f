"""`vexxy explain`: the chain of evidence of one verdict, from a saved result."""

from pathlib import Path
from typing import Annotated

import typer

from vexxy.analysis import wire
from vexxy.analysis.errors import FindingNotFound
from vexxy.cli import console
from vexxy.reachability import service as reachability
from vexxy.reachability.types import Verdict


def explain(
    vulnerability: Annotated[str, typer.Argument(help="CVE, GHSA or any other id of it")],
    result: Annotated[
        Path, typer.Option(help="A result saved with analyze --format json --output")
    ] = Path("result.json"),
    package: Annotated[
        str | None, typer.Option(help="Only this package: a name or a purl")
    ] = None,
) -> None:
    """Show why a verdict is what it is: every fact, and where it comes from."""
    data = wire.read_results(result)
    found = _select(wire.verdicts(data), vulnerability, package)
    if not found:
        raise FindingNotFound(
            f"{result} has no finding {vulnerability}"
            + (f" in {package}" if package else ""),
            hint="`vexxy analyze IMAGE --all` lists every id, one row a finding",
        )
    shown = console.stdout()
    about = f"{data['image_ref']}  {data['image_digest']}"
    shown.print(console.clean(about), markup=False)
    for verdict in found:
        for line in reachability.explain(verdict):
            shown.print(console.clean(line), markup=False, soft_wrap=True)


def _select(
    verdicts: tuple[Verdict, ...], vulnerability: str, package: str | None
) -> list[Verdict]:
    wanted = vulnerability.casefold()
    return [
        verdict
        for verdict in verdicts
        if wanted in {i.casefold() for i in (verdict.vulnerability_id, *verdict.aliases)}
        and package in {None, verdict.package.name, verdict.package.purl}
    ]
