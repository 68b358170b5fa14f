"""The documentation as pages, and the numbers for Prometheus.

The scripts of Swagger UI and Redoc come with the package `fastapi-offline` and are served
from here: the pages work without the internet and under a policy that loads nothing else.
"""

import secrets
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, FastAPI, Header
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse, Response

from vexxy.http import metrics, openapi
from vexxy.http.deps import Adapters
from vexxy.http.headers import PAGE_POLICY
from vexxy.http.metrics import Prometheus
from vexxy.kit.errors import Unauthenticated

ASSETS: Final = "/docs/assets"
POLICY: Final = {"Content-Security-Policy": PAGE_POLICY}
START: Final = """window.onload = () => SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#page", deepLinking: true, persistAuthorization: false,
});
"""
PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>VEXxy Enterprise: interface</title>
<link rel="icon" href="/docs/assets/favicon.png">
{style}
</head>
<body>
{body}
</body>
</html>
"""
SWAGGER: Final = PAGE.format(
    style='<link rel="stylesheet" href="/docs/assets/swagger-ui.css">',
    body=(
        '<div id="page"></div>\n'
        '<script src="/docs/assets/swagger-ui-bundle.js"></script>\n'
        '<script src="/docs/start.js"></script>'
    ),
)
REDOC: Final = PAGE.format(
    style="",
    body=(
        '<redoc spec-url="/openapi.json"></redoc>\n'
        '<script src="/docs/assets/redoc.standalone.js"></script>'
    ),
)


def _docs() -> HTMLResponse:
    """Show the interface with Swagger UI."""
    return HTMLResponse(SWAGGER, headers=POLICY)


def _redoc() -> HTMLResponse:
    """Show the interface with Redoc."""
    return HTMLResponse(REDOC, headers=POLICY)


def _start() -> Response:
    """Start Swagger UI: a file, because the policy runs no script of a page."""
    return Response(START, media_type="text/javascript")


def add_documentation(app: FastAPI) -> None:
    """Serve `/docs` and `/redoc` with assets of our own."""
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/redoc", _redoc, include_in_schema=False)
    app.add_api_route("/docs/start.js", _start, include_in_schema=False)
    with resources.as_file(resources.files("fastapi_offline") / "static") as folder:
        app.mount(ASSETS, StaticFiles(directory=Path(folder)), name="assets")


def add_metrics(app: FastAPI, recorder: Prometheus) -> None:
    """Serve `/metrics`, to whoever knows the token where one is set."""
    router = APIRouter(tags=["operations"])

    @router.get(
        "/metrics",
        response_class=Response,
        responses={
            **openapi.of_every_route(caller=False, body=False, named=False, key=False),
            **openapi.responses(Unauthenticated),
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        },
    )
    def read_metrics(
        adapters: Adapters,
        authorization: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        """Return what is counted, in Prometheus's text format."""
        token = adapters.settings.metrics_token
        if token is not None:
            expected = f"Bearer {token.get_secret_value()}".encode()
            if not secrets.compare_digest(authorization.encode(), expected):
                raise Unauthenticated("the metrics need the token of METRICS_TOKEN")
        content = metrics.page(recorder, adapters.system)
        return Response(content, headers={"Content-Type": metrics.CONTENT_TYPE})

    app.include_router(router)
