"""The application as an ASGI server finds it: `uvicorn vexxy.asgi:app`."""

from contextlib import ExitStack
from functools import partial
from typing import Final

from fastapi import FastAPI
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from vexxy import bootstrap
from vexxy.analysis.submission.types import Progress
from vexxy.api import health
from vexxy.api.v1 import analysis
from vexxy.api.v1.router import router
from vexxy.billing.spending.service import Combiner
from vexxy.bootstrap import Service
from vexxy.http import app as floor
from vexxy.http import telemetry
from vexxy.http.fast_status import FastStatus
from vexxy.kit import logging
from vexxy.kit.db import Role
from vexxy.kit.errors import VexxyError
from vexxy.kit.reads import Reads
from vexxy.kit.writes import Writes

# Connections of the event loop, beside those of the threads: one round trip is short.
READS_MAX: Final = 4


def build(service: Service) -> FastAPI:
    """Return the application over these adapters."""
    url = service.request.engine.url.render_as_string(hide_password=False)
    reads = Reads(url, connections=min(READS_MAX, service.settings.database_connections))
    fast = partial(FastStatus, service=service, reads=reads, write=_status)
    writes = Writes(url, role=Role.SYSTEM)
    combiner = Combiner(writes)
    shared = bootstrap.shared_buckets(service.settings)
    endings = [combiner.close, writes.close, reads.close]
    if shared is not None:
        endings.append(shared.close)
    app = floor.create(service, inner=[fast], endings=endings, shared=shared)
    app.state.combiner = combiner
    app.state.reads = reads
    health.install(app, service)
    app.include_router(router)
    app.add_api_route("/", _front, include_in_schema=False)
    return app


async def _front() -> RedirectResponse:
    """Lead who opens the bare address to where the API is explained."""
    return RedirectResponse("/docs")


def _status(progress: Progress) -> bytes:
    """Return the status as the ordinary route would answer it."""
    return analysis.progress_view(progress).model_dump_json().encode()


class FromEnvironment:
    """The application that the environment describes, put together at its start.

    Not on import: a program that only imports this has no database to name.
    """

    def __init__(self) -> None:
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the application."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)
        else:
            raise RuntimeError("the server does not announce its start: use --lifespan on")

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as opened:
            try:
                service = opened.enter_context(bootstrap.opened())
                settings = service.settings
                logging.configure(level=settings.log_level, form=settings.log_format)
                opened.callback(telemetry.install(health.NAME))
                app = self._app = build(service)
            except VexxyError as error:
                await receive()
                said = f"{error.message}; {error.hint}" if error.hint else error.message
                await send({"type": "lifespan.startup.failed", "message": said})
                return
            await app(scope, receive, send)


app: Final = FromEnvironment()
