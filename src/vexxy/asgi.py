"""The application as an ASGI server finds it."""

from fastapi import FastAPI

from vexxy.api.v1.router import router
from vexxy.bootstrap import Service
from vexxy.http import app as floor


def build(service: Service) -> FastAPI:
    """Return the application over these adapters."""
    app = floor.create(service)
    app.include_router(router)
    return app
