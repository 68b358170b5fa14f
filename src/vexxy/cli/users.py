"""`vexxy users`: what operators do for people who cannot help themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from vexxy import bootstrap
from vexxy.audit import types as audit
from vexxy.cli import console, system
from vexxy.identity.operators import service as operators
from vexxy.identity.ports import Tools
from vexxy.identity.recovery import service as recovery
from vexxy.kit.db import Database

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
    with system.opened() as (database, settings):
        yield database, bootstrap.identity_tools(settings)
