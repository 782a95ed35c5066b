"""Refusals as `application/problem+json` (RFC 9457) that name the field."""

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from watchkeep_console.errors import Conflict, ConsoleError, TooMany
from watchkeep_core.logs import get_logger

log = get_logger(__name__)
MEDIA_TYPE = "application/problem+json"
_TITLES = {
    400: "Bad request",
    401: "Not logged in",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Precondition failed",
    413: "Too large",
    415: "Unsupported media type",
    422: "Invalid",
    429: "Too many requests",
    503: "Unavailable",
}


def problem(
    status: int,
    code: str,
    detail: str,
    field: str | None = None,
    version: int | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, object] = {
        "type": f"urn:watchkeep:problem:{code}",
        "title": _TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": detail,
    }
    if field is not None:
        body["field"] = field
    if version is not None:
        body["version"] = version
    return JSONResponse(body, status, headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    app.add_exception_handler(ConsoleError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(psycopg.DataError, _unfit)
    app.add_exception_handler(psycopg.OperationalError, _unavailable)
    app.add_exception_handler(PoolTimeout, _unavailable)


def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ConsoleError)  # noqa: S101  # registered for this class only
    version = error.version if isinstance(error, Conflict) else None
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooMany) else None
    return problem(error.status, error.code, str(error), error.field, version, headers)


def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  # registered for this class only
    first = error.errors()[0]
    where = [str(part) for part in first["loc"][1:]] or [str(first["loc"][0])]
    return problem(422, "invalid", first["msg"], ".".join(where))


def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for this class only
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, f"http_{error.status_code}", str(error.detail), headers=headers)


def _unfit(_request: Request, _error: Exception) -> Response:
    return problem(422, "invalid", "a value cannot be stored in the database, e.g. one with a NUL character")


def _unavailable(_request: Request, error: Exception) -> Response:
    log.warning("database_unavailable", reason=type(error).__name__)
    return problem(503, "unavailable", "the database does not answer; try again", headers={"Retry-After": "5"})
