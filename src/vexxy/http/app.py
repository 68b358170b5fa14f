"""The application without its routes."""

from importlib import metadata

from fastapi import FastAPI

from vexxy.bootstrap import Service
from vexxy.http import errors


def create(service: Service) -> FastAPI:
    """Return an application that answers failures in the contract's shape."""
    app = FastAPI(
        title="VEXxy Enterprise",
        version=metadata.version("vexxy-enterprise"),
        summary="Which vulnerabilities of a container image are reachable, as VEX",
    )
    app.state.service = service
    errors.install(app)
    return app
