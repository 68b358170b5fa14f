"""The one table from a kind of failure to an answer (contract, section 1)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from vexxy.kit import clock, errors
from vexxy.kit.errors import VexxyError


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


def _product(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VexxyError)  # noqa: S101  registered for nothing else
    details = dict(error.details)
    if error.hint:
        details["hint"] = error.hint
    headers = {}
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    return _respond(
        request, answer_of(error), error.message, details=details, headers=headers
    )


def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  see `_product`
    found = [
        {"loc": [str(part) for part in item["loc"]], "message": item["msg"]}
        for item in error.errors()[:100]
    ]
    return _respond(
        request,
        ANSWERS[errors.InvalidInput],
        "the request is not valid",
        details={"errors": found},
    )


def _plain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  see `_product`
    code = _CODES.get(error.status_code, "VALIDATION_ERROR")
    return _respond(
        request,
        Answer(HTTPStatus(error.status_code), code),
        str(error.detail),
        headers=error.headers,
    )


def install(app: FastAPI) -> None:
    """Answer every known failure in the contract's shape."""
    app.add_exception_handler(VexxyError, _product)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _plain)
