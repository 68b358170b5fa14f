"""The one table from a kind of failure to an answer (contract, section 1)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from vexxy.kit import clock, errors, logging, metrics
from vexxy.kit.errors import VexxyError

log: Final = logging.logger(__name__)
# Of the faults of one request, as many as somebody would read.
ERRORS_MAX: Final = 100
TEXT_MAX: Final = 500


class Answer(NamedTuple):
    """A status and the contract's word for it."""

    status: HTTPStatus
    code: str


ANSWERS: Final[Mapping[type[VexxyError], Answer]] = {
    errors.InvalidInput: Answer(HTTPStatus.BAD_REQUEST, "VALIDATION_ERROR"),
    errors.Unauthenticated: Answer(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED"),
    errors.PaymentRequired: Answer(HTTPStatus.PAYMENT_REQUIRED, "PAYMENT_REQUIRED"),
    errors.PermissionDenied: Answer(HTTPStatus.FORBIDDEN, "FORBIDDEN"),
    errors.NotFound: Answer(HTTPStatus.NOT_FOUND, "RESOURCE_NOT_FOUND"),
    errors.Conflict: Answer(HTTPStatus.CONFLICT, "RESOURCE_CONFLICT"),
    errors.TooLarge: Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "PAYLOAD_TOO_LARGE"),
    errors.QuotaExceeded: Answer(HTTPStatus.TOO_MANY_REQUESTS, "QUOTA_EXCEEDED"),
    errors.RateLimited: Answer(HTTPStatus.TOO_MANY_REQUESTS, "RATE_LIMITED"),
    errors.ExternalFailure: Answer(HTTPStatus.BAD_GATEWAY, "EXTERNAL_SERVICE_ERROR"),
    errors.Unavailable: Answer(HTTPStatus.SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
    errors.TimedOut: Answer(HTTPStatus.GATEWAY_TIMEOUT, "TIMEOUT"),
}
INTERNAL: Final = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL_ERROR")
_CODES: Final[Mapping[int, str]] = {
    **{answer.status: answer.code for answer in ANSWERS.values()},
    HTTPStatus.TOO_MANY_REQUESTS: "RATE_LIMITED",
    HTTPStatus.METHOD_NOT_ALLOWED: "VALIDATION_ERROR",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "VALIDATION_ERROR",
    HTTPStatus.UNPROCESSABLE_ENTITY: "VALIDATION_ERROR",
}
# In place of the framework's one or two words.
_MESSAGES: Final[Mapping[int, str]] = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take this method",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is larger than this route takes",
}


def answer_of(error: VexxyError) -> Answer:
    """Return the answer of the nearest kind."""
    return next(
        (ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS), INTERNAL
    )


def body(
    answer: Answer, message: str, *, request_id: str, details: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the body that every error of every endpoint has."""
    return {
        "error": answer.code,
        "message": message,
        "details": dict(details or {}),
        "timestamp": clock.rfc3339(clock.now()),
        "request_id": request_id,
    }


def _respond(
    request: Request,
    answer: Answer,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    request_id = str(request.scope.get("vexxy.request_id", ""))
    return JSONResponse(
        body(answer, message, request_id=request_id, details=details),
        status_code=answer.status,
        headers=dict(headers or {}),
    )


async def _product(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VexxyError)  # noqa: S101  registered for nothing else
    details = dict(error.details)
    if error.hint:
        details["hint"] = error.hint
    headers = {}
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
        details["retry_after_seconds"] = error.retry_after_seconds
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.QuotaExceeded):
        kind = str(error.details.get("quota_type", "other"))
        metrics.QUOTA_REFUSALS.count(quota_type=kind)
    if isinstance(error, errors.PaymentRequired):
        metrics.PAYMENT_REFUSALS.count(
            metric=str(error.details.get("metric", "none")),
            reason=str(error.details.get("reason", "other")),
        )
    answer = answer_of(error)
    if answer.code == "VALIDATION_ERROR":
        # Clients read the list of a 400, whoever found the fault.
        details.setdefault("errors", [{"loc": ["request"], "message": error.message}])
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request.unavailable", reason=error.message, kept=error.kept)
    return _respond(request, answer, error.message, details=details, headers=headers)


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  see `_product`
    found = [
        {
            "loc": [_writable(part) for part in item["loc"]],
            "message": _writable(item["msg"]),
        }
        for item in error.errors()[:ERRORS_MAX]
    ]
    return _respond(
        request,
        ANSWERS[errors.InvalidInput],
        "the request is not valid",
        details={"errors": found},
    )


def _writable(part: object) -> str:
    """Return it as text that UTF-8 can hold: a client may name a field with half a pair."""
    text = str(part)[:TEXT_MAX]
    return text.encode("utf-8", "backslashreplace").decode()


async def _plain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  see `_product`
    code = _CODES.get(error.status_code, "VALIDATION_ERROR")
    message = _MESSAGES.get(error.status_code, str(error.detail))
    details: dict[str, Any] = {}
    if code == "VALIDATION_ERROR":
        details["errors"] = [{"loc": ["request"], "message": message}]
    return _respond(
        request,
        Answer(HTTPStatus(error.status_code), code),
        message,
        details=details,
        headers=error.headers,
    )


async def _database(request: Request, error: Exception) -> JSONResponse:
    """Answer for a database that is away, full or slow; its words stay in the log."""
    log.warning("database.unavailable", exc_info=error)
    return _respond(
        request,
        ANSWERS[errors.Unavailable],
        "the database is busy or cannot be reached",
        details={"hint": "try again in a moment"},
    )


def install(app: FastAPI) -> None:
    """Answer every known failure in the contract's shape."""
    app.add_exception_handler(VexxyError, _product)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(OperationalError, _database)
    app.add_exception_handler(PoolTimeout, _database)
