"""What the interface says about itself: every error of every route, with examples."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from vexxy.http import quotas
from vexxy.http.errors import ANSWERS, INTERNAL, Answer
from vexxy.kit import errors
from vexxy.kit.errors import VexxyError

JSON: Final = "application/json"
SECURITY: Final[list[dict[str, list[str]]]] = [{"bearer": []}, {"api_key": []}]
SCHEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `POST /api/v1/auth/login` or of base VEXxy; an API key",
    },
    "api_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API key (`vxy_…`) of `POST /api/v1/auth/api-keys`",
    },
    "service_key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Service-Key",
        "description": "What base VEXxy shows to synchronize (CORE_SERVICE_KEY)",
    },
}


class ErrorBody(BaseModel):
    """Every error of every endpoint."""

    model_config = ConfigDict(extra="forbid")

    error: str = Field(description="The kind of error, a word for programs")
    message: str = Field(description="What happened, a sentence for people")
    details: dict[str, Any] = Field(
        description="More about it: `errors[]` of a malformed request, `quota_type`, "
        "`limit` and `current` of a quota, `hint`"
    )
    timestamp: str = Field(description="When, RFC 3339 in UTC")
    request_id: str = Field(description="The same as the header X-Request-ID")


# What an example says: a description of the status, a message, and details.
_TOLD: Final[Mapping[type[VexxyError], tuple[str, str, Mapping[str, Any]]]] = {
    errors.InvalidInput: (
        "The request is malformed; nothing was done",
        "the request is not valid",
        {"errors": [{"loc": ["body", "image_ref"], "message": "Field required"}]},
    ),
    errors.Unauthenticated: (
        "No credentials, or none that hold",
        "the request has no credentials",
        {"hint": "send Authorization: Bearer …"},
    ),
    errors.PaymentRequired: (
        "A metered hard cap is reached, or a grace period ran out",
        "user_seats: the plan's hard cap is reached (3 of 3 used)",
        {
            "reason": "hard_cap",
            "metric": "user_seats",
            "usage": 3,
            "requested": 1,
            "limit": 3,
            "resets_at": "2026-12-03T00:00:00Z",
            "hint": "PUT /billing/subscription to a larger plan, or use less",
        },
    ),
    errors.PermissionDenied: (
        "The caller is known and may not do this",
        "this needs the permission analysis.write",
        {},
    ),
    errors.NotFound: (
        "Absent, or of another organization",
        "there is no such analysis",
        {},
    ),
    errors.Conflict: (
        "The state does not allow it, or the Idempotency-Key named another request",
        "the Idempotency-Key was used for another request",
        {"hint": "choose a new key for a new request"},
    ),
    errors.TooLarge: (
        "The body is over the limit",
        "the body is larger than this route takes",
        {},
    ),
    errors.QuotaExceeded: (
        "The month's analyses or credits are used up",
        "10 of 10 analyses of this month are used",
        {"quota_type": "analyses", "limit": 10, "current": 10},
    ),
    errors.RateLimited: (
        "Too many requests; the header Retry-After says when to come back",
        "too many requests",
        {"retry_after_seconds": 3},
    ),
    errors.ExternalFailure: (
        "Something that this service calls failed",
        "the registry did not answer",
        {},
    ),
    errors.Unavailable: (
        "Something that this service needs is missing at the moment",
        "the database cannot be reached",
        {"hint": "try again in a moment"},
    ),
    errors.TimedOut: (
        "No answer in time",
        "no answer within the time limit",
        {},
    ),
}
# Of any route, whatever it does.
ALWAYS: Final = (
    errors.InvalidInput,
    errors.RateLimited,
    errors.Unavailable,
    errors.TimedOut,
)
WITH_BODY: Final = (errors.TooLarge,)
WITH_CALLER: Final = (
    errors.Unauthenticated,
    errors.PaymentRequired,
    errors.PermissionDenied,
)
UNSUPPORTED_MEDIA: Final = 415

Responses = dict[int | str, dict[str, Any]]


def responses(*kinds: type[VexxyError]) -> Responses:
    """Return the answers to these kinds of error, as a route documents them.

    A slice's own error is documented under its kind. What every route may answer is
    added by the router and need not be named.
    """
    documented: Responses = {}
    for kind in kinds:
        known = next(item for item in kind.__mro__ if item in ANSWERS)
        description, message, details = _TOLD[known]
        entry = _entry(ANSWERS[known], description, (message, details))
        status = int(ANSWERS[known].status)
        documented = merged(documented, {status: entry})
    return documented


def of_every_route(*, caller: bool, body: bool, named: bool, key: bool) -> Responses:
    """Return what a route may answer for what the floor does.

    Args:
        caller: It needs credentials.
        body: It takes a body.
        named: Its path names a thing.
        key: It honours `Idempotency-Key`.
    """
    kinds: list[type[VexxyError]] = list(ALWAYS)
    kinds += WITH_CALLER if caller else ()
    kinds += WITH_BODY if body else ()
    kinds += (errors.NotFound,) if named else ()
    kinds += (errors.Conflict,) if key else ()
    documented = responses(*kinds)
    documented[int(INTERNAL.status)] = _entry(
        INTERNAL,
        "A fault of this service; it is recorded under the request id",
        ("the request failed; it is recorded under its request id", {}),
    )
    if body:
        documented[UNSUPPORTED_MEDIA] = _entry(
            ANSWERS[errors.InvalidInput],
            "The body is of another media type",
            ("the body must be application/json", {}),
        )
    return documented


def merged(one: Responses, other: Mapping[int | str, Mapping[str, Any]]) -> Responses:
    """Return both; a status that both document keeps the examples of both."""
    found = dict(one)
    for status, entry in other.items():
        before = found.get(status)
        examples = {**_examples(before), **_examples(entry)}
        found[status] = {**(before or {}), **entry}
        if before and examples:
            words = [before.get("description", ""), entry.get("description", "")]
            found[status]["description"] = "; or: ".join(dict.fromkeys(filter(None, words)))
            found[status]["content"] = {JSON: {"examples": examples}}
    return found


def _examples(entry: Mapping[str, Any] | None) -> dict[str, Any]:
    content = (entry or {}).get("content", {})
    return dict(content.get(JSON, {}).get("examples", {}))


def _entry(
    answer: Answer, description: str, told: tuple[str, Mapping[str, Any]]
) -> dict[str, Any]:
    message, details = told
    example = {
        "error": answer.code,
        "message": message,
        "details": dict(details),
        "timestamp": "2026-11-21T09:00:00Z",
        "request_id": "7c1f8a52-3f0e-4b57-9a0c-2f8f4f6f1c11",
    }
    return {
        "model": ErrorBody,
        "description": description,
        "content": {JSON: {"examples": {answer.code: {"value": example}}}},
    }


def install(app: FastAPI) -> None:
    """Have the application describe itself so, once it has its routes."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    # FastAPI's documented way to describe more than it would by itself.
    app.openapi = described  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    for operation in _operations(document):
        # FastAPI's own shape and status for what is answered 400 here.
        operation["responses"].pop("422", None)
        for status, answer in operation["responses"].items():
            answer.setdefault("headers", {}).update(_headers(status))
            if operation.get("security") and (status[0] == "2" or status == "402"):
                answer["headers"].update(_quota_headers())
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["components"]["securitySchemes"] = dict(SCHEMES)
    return document


def _operations(document: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        yield from (item for item in path.values() if "responses" in item)


def _quota_headers() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        name: {"description": told, "schema": text} for name, told in quotas.HEADERS.items()
    }


def _headers(status: str) -> dict[str, Any]:
    text = {"type": "string"}
    headers: dict[str, Any] = {
        "X-Request-ID": {"description": "Names the request", "schema": text}
    }
    if status == "429":
        headers["Retry-After"] = {
            "description": "Seconds, where waiting helps",
            "schema": {"type": "integer"},
        }
    if status == "401":
        headers["WWW-Authenticate"] = {"description": "`Bearer`", "schema": text}
    return headers
