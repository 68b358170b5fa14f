"""`vexxy serve`: the whole service by one command."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from vexxy.cli import console
from vexxy.serving.types import Wish
from vexxy.settings import ServiceSettings, Settings, read_service

HOST: Final = "127.0.0.1"
PORT: Final = 8001


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one")] = PORT,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where everything is kept  [default: VEXXY_DATA_DIRECTORY]"),
    ] = None,
    api_processes: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that answer requests")
    ] = 1,
    workers: Annotated[
        bool | None,
        typer.Option(
            "--workers/--no-workers",
            help="Work on analyses here  [default: unless REDIS_URL is set]",
        ),
    ] = None,
) -> None:
    """Serve the API, with workers and a database of its own where none are set."""
    # Here, so that no other command waits for what only a service needs.
    from vexxy.serving import service  # noqa: PLC0415

    settings = read_service()
    directory = Settings().data_directory if data_dir is None else data_dir
    wish = Wish(
        host=host,
        port=port,
        data_directory=directory.absolute(),
        api_processes=api_processes,
        workers=settings.redis_url is None if workers is None else workers,
        settings=settings,
    )

    def ready(address: str) -> None:
        for line in _next_steps(address, wish, settings):
            console.note(line)

    service.serve(wish, tell=console.note, ready=ready)
    console.note("stopped")


def _next_steps(address: str, wish: Wish, settings: ServiceSettings) -> list[str]:
    lines = [
        f"VEXxy Enterprise listens on {address} (process {os.getpid()})",
        f"how to call it: {address}/docs; how it is: {address}/health",
        f"next: the walk-through of README.md, with API={address}/api/v1",
        f"data: {wish.data_directory}",
    ]
    if settings.database_url is not None:
        lines.append("database: the one of DATABASE_URL")
    if not wish.workers:
        lines.append(
            "no workers here: start `vexxy worker`, and one `vexxy beat`"
            if settings.redis_url is not None
            else "no workers here: start `vexxy worker`"
        )
    return lines
