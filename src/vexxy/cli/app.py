"""The command line as a whole."""

import os

import typer

from vexxy.cli import (
    advisories,
    analyze,
    billing,
    console,
    database,
    doctor,
    explain,
    sbom,
    serve,
    users,
    vex,
    worker,
)
from vexxy.settings import unknown_names

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tell which known vulnerabilities of a container image are reachable, and why.",
)
app.command()(analyze.analyze)
app.command()(explain.explain)
app.command()(sbom.sbom)
app.command()(doctor.doctor)
app.command()(serve.serve)
app.command()(worker.worker)
app.command()(worker.beat)
app.add_typer(advisories.app, name="advisories")
app.add_typer(vex.app, name="vex")
app.add_typer(database.app, name="database")
app.add_typer(users.app, name="users")
app.add_typer(billing.app, name="billing")


@app.callback()
def before() -> None:
    """Tell which known vulnerabilities of a container image are reachable, and why."""
    for name in unknown_names(os.environ):
        console.warn(f"{name} is no setting of vexxy; see docs/cli.md")
