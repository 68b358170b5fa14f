"""`vexxy users`: what operators do for people who cannot help themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from vexxy import bootstrap
from vexxy.audit import types as audit
from vexxy.cli import console
from vexxy.identity.operators import service as operators
from vexxy.identity.ports import Tools
from vexxy.identity.recovery import service as recovery
from vexxy.integrations.embedded_postgres import running
from vexxy.integrations.embedded_postgres import server as embedded_postgres
from vexxy.kit.db import Database, Role
from vexxy.settings import ServiceSettings, Settings, read_service

app = typer.Typer(no_args_is_help=True, help="Help users, and name operators.")

Email = Annotated[str, typer.Argument(help="The user's e-mail address")]
OPERATOR = audit.system("operator")


@app.command()
def reset_link(email: Email) -> None:
    """Print a link that sets a new password, once; for who has no mail configured."""
    with _opened() as (database, tools), database.transaction() as session:
        link = recovery.make_link(session, tools, email, actor=OPERATOR)
    typer.echo(link)
    minutes = tools.policy.reset_seconds // 60
    console.note(f"works once, within {minutes} minutes; hand it over privately")


@app.command()
def operator(
    email: Email,
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the permission away again")
    ] = False,
) -> None:
    """Let a user operate the whole service (operations.manage)."""
    with _opened() as (database, _), database.transaction() as session:
        changed = operators.appoint(session, email, is_admin=not remove, actor=OPERATOR)
    state = "no operator" if remove else "an operator"
    console.note(f"{email} is {state}" + ("" if changed else " already"))


@contextmanager
def _opened() -> Iterator[tuple[Database, Tools]]:
    directory = Settings().data_directory
    settings = bootstrap.completed(read_service(), directory)
    with _url(settings) as url:
        database = Database(url, role=Role.SYSTEM, connections=1)
        try:
            yield database, bootstrap.identity_tools(settings)
        finally:
            database.close()


@contextmanager
def _url(settings: ServiceSettings) -> Iterator[str]:
    """Provide the database that is set, or the one that `vexxy serve` brings along."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    directory = Settings().data_directory.absolute() / "postgresql"
    found = running.find_url(directory)
    if found is not None:
        yield found
        return
    started = embedded_postgres.start(directory)
    try:
        yield started.url
    finally:
        started.stop()
