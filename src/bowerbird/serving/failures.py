"""Errors as answers: one JSON form, the right status, never a stack trace.

=====================================  ======  ==================
what happened                          status  ``error``
=====================================  ======  ==================
the body is no JSON                    400     ``bad_json``
the caller hung up while sending       400     ``bad_request``, read by nobody
no or a wrong API key                  401     ``unauthorised``
the key may not do this                403     ``forbidden``
NotFoundError, an unknown route        404     ``not_found``
the body is too large                  413     ``too_large``
InputError, a field is wrong           422     ``bad_input``
too many requests                      429     ``rate_limited``
too many events at once                429     ``backpressure``
anything not foreseen                  500     ``internal``
NotReadyError, BusyError               503     ``not_ready``, ``busy``
StorageError                           503     ``storage``
=====================================  ======  ==================
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from bowerbird.errors import (
    BowerbirdError,
    BusyError,
    InputError,
    NotFoundError,
    NotReadyError,
    SettingsError,
    StorageError,
)

log = logging.getLogger(__name__)

STATUS: Mapping[type[BowerbirdError], tuple[int, str]] = {
    NotFoundError: (404, "not_found"),
    InputError: (422, "bad_input"),
    SettingsError: (422, "bad_input"),
    NotReadyError: (503, "not_ready"),
    BusyError: (503, "busy"),
    StorageError: (503, "storage"),
}
_OF_STATUS = {401: "unauthorised", 403: "forbidden", 404: "not_found", 405: "not_allowed", 413: "too_large"}
UNFORESEEN = "the server failed on this request; its log says why"


def reply_failure(
    status: int, error: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The JSON answer of a failure."""
    body = orjson.dumps({"error": error, "message": message})
    return Response(body, status, dict(headers or {}), media_type="application/json")


def install_failures(app: FastAPI) -> None:
    """Make an application answer every failure in the one form."""
    app.add_exception_handler(BowerbirdError, _ours)
    app.add_exception_handler(RequestValidationError, _wrong_field)
    app.add_exception_handler(ValidationError, _wrong_field)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _hung_up)
    app.add_exception_handler(Exception, _unforeseen)


def explained(error: ValidationError | RequestValidationError) -> str:
    """Which fields are wrong and why, without what was sent."""
    problems = []
    for problem in error.errors()[:5]:
        place = problem["loc"]
        if isinstance(error, RequestValidationError):
            place = place[1:]  # the first says where the field was looked for: query, body
        name = ".".join(str(part) for part in place)
        problems.append(f"{name[:100]}: {problem['msg']}" if name else problem["msg"])
    return "; ".join(problems)


async def _ours(_: Request, error: Exception) -> Response:
    status, name = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "internal"))
    if status == 500 or isinstance(error, StorageError):
        log.error("request failed", exc_info=error)
        message = (
            UNFORESEEN
            if status == 500
            else "the workspace could not be read or written; the server's log says why"
        )
        return reply_failure(status, name, message)
    return reply_failure(status, name, str(error), {"retry-after": "1"} if status == 503 else None)


async def _wrong_field(_: Request, error: Exception) -> Response:
    assert isinstance(error, ValidationError | RequestValidationError)
    return reply_failure(422, "bad_input", explained(error))


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    message = (
        str(error.detail)
        if status != 404
        else "there is nothing at this address; /openapi.json lists what there is"
    )
    return reply_failure(status, _OF_STATUS.get(status, "bad_request"), message, error.headers)


async def _hung_up(_: Request, __: Exception) -> Response:
    return reply_failure(400, "bad_request", "the body ended before it was whole")


async def _unforeseen(_: Request, error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return reply_failure(500, "internal", UNFORESEEN)
