"""Routers whose routes know the contract's habits without saying so."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vexxy.http import bodies, deps, idempotency, openapi

Endpoint = Callable[..., Any]
CLAIM: Final = "idempotency_claim"


class Route(APIRoute):
    """Honours `Idempotency-Key` on POST, and refuses bodies that are not JSON."""

    def __init__(self, path: str, endpoint: Endpoint, **options: Any) -> None:  # noqa: ANN401
        tree = get_dependant(path=path, call=endpoint)
        wanted = set(_calls(tree))
        for dependency in options.get("dependencies") or ():
            wanted.add(dependency.dependency)
            wanted.update(_calls(get_dependant(path=path, call=dependency.dependency)))
        if "POST" in (options.get("methods") or ()):
            endpoint = claiming(endpoint, wanted)
        caller = deps.credentials in wanted
        documented = openapi.of_every_route(
            caller=caller,
            body=_takes_body(tree, options.get("methods")),
            named="{" in path,
            key=hasattr(endpoint, CLAIM),
        )
        own = options.pop("responses", None) or {}
        options["responses"] = openapi.merged(documented, own)
        if caller:
            extra = options.pop("openapi_extra", None) or {}
            options["openapi_extra"] = {"security": openapi.SECURITY, **extra}
        if options.get("max_body_size") is None:
            options["max_body_size"] = bodies.BYTES_MAX
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with what happens before and after a route."""
        handler = super().get_route_handler()
        claims = hasattr(self.endpoint, CLAIM)
        takes_json = self.body_field is not None and not isinstance(
            self.body_field.field_info, Form
        )

        small = (self.max_body_size or 0) <= bodies.BYTES_MAX

        async def handle(request: Request) -> Response:
            request.scope["vexxy.route"] = _template(request, self)
            if takes_json:
                _demand_json(request)
            # A route that takes large bodies reads them itself, when it knows the caller.
            request.scope[deps.KEYED] = (
                claims and small and idempotency.HEADER in request.headers
            )
            response = await handler(request)
            claim = getattr(request.state, idempotency.STATE, None)
            if claim is not None:
                # Still inside the transaction: FastAPI ends it after the handler.
                await run_in_threadpool(idempotency.keep, claim, response)
            return response

        return handle


class Router(APIRouter):
    """An `APIRouter` of such routes."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  FastAPI's own options
        super().__init__(route_class=Route, **options)


def _template(request: Request, route: APIRoute) -> str:
    context = request.scope.get("fastapi", {}).get("effective_route_context")
    return str(getattr(context, "path_format", None) or route.path_format)


def _demand_json(request: Request) -> None:
    length = request.headers.get("content-length", "")
    if length == "0" or (not length and "transfer-encoding" not in request.headers):
        return
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/json" and not (
        sent.startswith("application/") and sent.endswith("+json")
    ):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json"
        )


def _takes_body(tree: Dependant, methods: Collection[str] | None) -> bool:
    # A route that reads the body by itself asks for the request.
    raw = tree.request_param_name is not None
    changes = not {"POST", "PUT", "PATCH"}.isdisjoint(methods or ())
    return bool(tree.body_params) or (raw and changes)


def claiming(endpoint: Endpoint, wanted: Collection[Endpoint]) -> Endpoint:
    """Return the endpoint with a claim on the key as its last dependency.

    Last, so that a caller who may not act at all is refused first. An endpoint without a
    transaction changes nothing and is returned as it is.
    """
    if deps.transaction in wanted and deps.caller in wanted:
        claim: Endpoint = idempotency.claimed_by_caller
    elif deps.system_transaction in wanted:
        claim = idempotency.claimed_by_stranger
    else:
        return endpoint
    return _with_parameter(endpoint, Annotated[None, Depends(claim)])


def _calls(dependant: Dependant) -> Iterator[Endpoint]:
    for dependency in dependant.dependencies:
        if dependency.call is not None:
            yield dependency.call
        yield from _calls(dependency)


def _with_parameter(endpoint: Endpoint, annotation: Any) -> Endpoint:  # noqa: ANN401
    if inspect.iscoroutinefunction(endpoint):

        @functools.wraps(endpoint)
        async def awaited(**values: Any) -> Any:  # noqa: ANN401
            values.pop(CLAIM)
            answer: Awaitable[Any] = endpoint(**values)
            return await answer

        wrapped: Endpoint = awaited
    else:

        @functools.wraps(endpoint)
        def called(**values: Any) -> Any:  # noqa: ANN401
            values.pop(CLAIM)
            return endpoint(**values)

        wrapped = called
    parameters = inspect.signature(endpoint).parameters.values()
    claim = inspect.Parameter(CLAIM, inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    # What FastAPI reads in place of the wrapper's own.
    wrapped.__signature__ = inspect.Signature([*parameters, claim])  # type: ignore[attr-defined]
    setattr(wrapped, CLAIM, True)
    return wrapped
