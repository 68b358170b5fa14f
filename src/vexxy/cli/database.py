"""`vexxy database`: the schema of the service's database."""

import typer

from vexxy.cli import console
from vexxy.kit.errors import Unavailable
from vexxy.settings import read_service

app = typer.Typer(no_args_is_help=True, help="Bring the service's database up to date.")


@app.command()
def upgrade() -> None:
    """Bring the schema of DATABASE_URL up to date; `vexxy serve` does so at its start."""
    # Here, so that no other command waits for what only a service needs.
    from vexxy.serving import preparation  # noqa: PLC0415

    preparation.migrate(_url(), tell=console.note)
    console.note("the schema is up to date")


@app.command()
def current() -> None:
    """Tell at which revision the schema of DATABASE_URL is."""
    from vexxy.serving import preparation  # noqa: PLC0415  as above

    at, latest = preparation.revision(_url())
    typer.echo(f"{at or 'empty'}" + ("" if at == latest else f", latest is {latest}"))


def _url() -> str:
    from vexxy.serving import preparation  # noqa: PLC0415  as above

    settings = read_service()
    if settings.database_url is None:
        raise Unavailable(
            "DATABASE_URL is not set",
            hint="`vexxy serve` keeps the database that it brings along up to date itself",
        )
    return preparation.address(settings.database_url.get_secret_value())
