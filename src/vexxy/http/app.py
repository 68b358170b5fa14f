"""The application without its routes: what every request passes through."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import metadata
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from vexxy.bootstrap import Service
from vexxy.http import addresses, errors, idempotency, metrics, openapi, pages, quotas
from vexxy.http.access import Access
from vexxy.http.addresses import Addresses
from vexxy.http.bodies import Bodies
from vexxy.http.calls import Calls, Written
from vexxy.http.deadlines import Deadlines
from vexxy.http.hosts import Hosts
from vexxy.http.idempotency import Replayed
from vexxy.http.rates import AddressRates, Rates
from vexxy.kit.buckets import Limiter, Rate, Shared
from vexxy.kit.errors import InvalidInput
from vexxy.settings import ServiceSettings

DESCRIPTION: Final = """Submit a container image, follow its analysis, fetch the verdicts
as VEX. Every error has one shape, every answer names its request in `X-Request-ID`, and a
`POST` that creates or charges honours `Idempotency-Key`."""
# As many at once as come back in this time, after a rest.
BURST_SECONDS: Final = 10
# Of the 40 threads that AnyIO has, some are always free for what holds a connection.
PLACES_MAX: Final = 32


# Takes what is below it and returns what is called in its place.
Layer = Callable[[ASGIApp], ASGIApp]
Ending = Callable[[], Awaitable[None]]


def create(
    service: Service,
    *,
    inner: Sequence[Layer] = (),
    endings: Sequence[Ending] = (),
    shared: Shared | None = None,
) -> FastAPI:
    """Return an application that answers failures in the contract's shape.

    Args:
        service: The adapters.
        inner: Layers below all of ours, right above the routes.
        endings: Awaited when the application ends.
        shared: Rate limits that processes share; without it each counts for itself.
    """
    settings = service.settings
    calls = Calls(Written(service))
    app = FastAPI(
        title="VEXxy Enterprise",
        version=metadata.version("vexxy-enterprise"),
        summary="Which vulnerabilities of a container image are reachable, as VEX",
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=_life([calls.close, *endings]),
        # Spans of requests, once somebody listens; numbers and lines are ours.
        telemetry={"metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.service = service
    app.state.rates = _rates(settings, shared)
    app.state.calls = calls
    # One for each connection, and fewer than there are threads to go on in.
    app.state.places = asyncio.Semaphore(min(settings.database_connections, PLACES_MAX))
    errors.install(app)
    app.add_exception_handler(Replayed, idempotency.replay)
    openapi.install(app)
    pages.add_documentation(app)
    pages.add_metrics(app, metrics.install())
    for layer in inner:
        app.add_middleware(layer)
    _add_middleware(app, settings, rates=app.state.rates)
    return app


def _life(
    endings: Sequence[Ending],
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for end in endings:
            await end()

    return life


def _rates(settings: ServiceSettings, shared: Shared | None) -> Rates:
    return Rates(
        limiter=Limiter(shared=shared),
        address=_rate(settings.rate_limit_per_address),
        organization=_rate(settings.rate_limit_per_organization),
    )


def _rate(per_minute: int) -> Rate:
    return Rate(per_minute, max(1, per_minute * BURST_SECONDS // 60))


def _add_middleware(app: FastAPI, settings: ServiceSettings, *, rates: Rates) -> None:
    """Add the layers; the last one that is added is the first that a request meets."""
    app.add_middleware(Bodies)
    app.add_middleware(Deadlines, seconds=settings.request_timeout_seconds)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    app.add_middleware(AddressRates, rates=rates)
    if settings.trusted_hosts:
        app.add_middleware(Hosts, allowed=settings.trusted_hosts)
    app.add_middleware(Addresses, proxies=addresses.networks(settings.trusted_proxies))
    app.add_middleware(Access)


def _allow_origins(app: FastAPI, origins: tuple[str, ...]) -> None:
    """Let pages of these origins call the API with a token, never with cookies.

    Raises:
        InvalidInput: `*` was named: any page on the internet could then act.
    """
    if "*" in origins:
        raise InvalidInput(
            "CORS_ORIGINS does not take *", hint="name the origins: https://vexxy.example"
        )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials=False,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"],
        expose_headers=[
            "X-Request-ID",
            "Retry-After",
            "Idempotent-Replayed",
            *quotas.HEADERS,
        ],
        max_age=600,
    )
