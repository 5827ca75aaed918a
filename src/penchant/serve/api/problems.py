"""Problem details (RFC 9457) with a remedy, for requests that cannot be answered."""

import json
import logging
import traceback
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException

from penchant.errors import ArtifactError, PenchantError, counted

TYPE = "application/problem+json"
log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - named as RFC 9457 names it
    """A request that cannot be answered: its status, what is wrong, and what to do."""

    def __init__(
        self, status: int, detail: str, remedy: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.remedy, self.headers = status, detail, remedy, headers


class InvalidField(BaseModel):
    """A part of a request that is not valid."""

    model_config = ConfigDict(title="InvalidField")
    where: str = Field(examples=["body.0.behavior"])
    expected: str = Field(examples=["Field required"])


class ProblemOut(BaseModel):
    """Problem details after RFC 9457."""

    type: str = Field(examples=["urn:penchant:problem:422"])
    title: str = Field(examples=["Unprocessable content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["2 fields of the request are not valid"])
    remedy: str = Field(examples=["see errors, and the documentation of this endpoint at /docs"])
    errors: list[InvalidField] | None = None


TITLES = {
    400: "Bad request",
    401: "No valid key",
    403: "Out of scope",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    413: "Content too large",
    415: "Unsupported media type",
    421: "Misdirected request",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal error",
    503: "Service unavailable",
    504: "Timeout",
}

_CONTENT = {TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": _CONTENT} for status, title in TITLES.items()
}


def problem_response(
    status: int,
    detail: str,
    remedy: str,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """The response that describes a problem."""
    content: dict[str, object] = {
        "type": f"urn:penchant:problem:{status}",
        "title": TITLES.get(status, "Problem"),
        "status": status,
        "detail": detail,
        "remedy": remedy,
    }
    if errors is not None:
        content["errors"] = errors
    body = json.dumps(content, ensure_ascii=True).encode()
    return Response(body, status, headers, TYPE)


def add_exception_handlers(app: FastAPI) -> None:
    """Answer each error that an app may raise with a problem, without internal details."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return problem_response(error.status, error.detail, error.remedy, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"where": ".".join(map(str, fault["loc"]))[:200], "expected": fault["msg"][:300]}
            for fault in error.errors()[:20]
        ]
        count = len(error.errors())
        detail = (
            f"{counted(count, 'field')} of the request {'is' if count == 1 else 'are'} not valid"
        )
        remedy = "see errors, and the documentation of this endpoint at /docs"
        return problem_response(422, detail, remedy, errors=faults)

    @app.exception_handler(PenchantError)
    async def refused(request: Request, error: PenchantError) -> Response:
        status = 409 if isinstance(error, ArtifactError) else 422
        return problem_response(
            status, str(error)[:2000], "correct what the detail names and try again"
        )

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        remedies = {404: "see /docs for all endpoints", 405: "see the header Allow"}
        remedy = remedies.get(error.status_code, "see the documentation of this endpoint at /docs")
        return problem_response(
            error.status_code, str(error.detail), remedy, dict(error.headers or {})
        )

    @app.exception_handler(SQLAlchemyError)
    async def stored(request: Request, error: SQLAlchemyError) -> Response:
        log_error(error)
        if isinstance(error, DBAPIError) and type(error.orig).__name__ == "DataError":
            return problem_response(
                422, "the store cannot hold a value of the request", "leave it out"
            )
        return problem_response(
            503,
            "the store is not available; the request was not confirmed",
            "try again in a moment; events can be sent again with the same event_id",
            {"Retry-After": "1"},
        )

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log_error(error)
        return problem_response(
            500, "internal error of the service", "try again; contact the operator"
        )


def log_error(error: BaseException) -> None:
    """Log where an error was raised, without its message, which may hold user data."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
    log.error("%s at %s", type(error).__name__, places)
