"""What a request gets that cannot be answered: problem details (RFC 9457) with a remedy."""

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

from penchant.errors import ArtifactError, PenchantError

TYPE = "application/problem+json"
log = logging.getLogger(__name__)


class Problem(Exception):  # noqa: N818 - named as RFC 9457 names it
    """A request that cannot be answered: its status, what is wrong, and what to do."""

    def __init__(
        self, status: int, detail: str, remedy: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.remedy, self.headers = status, detail, remedy, headers


class Fault(BaseModel):
    """One part of a request that is not as it should be."""

    model_config = ConfigDict(title="Fault")
    where: str = Field(examples=["body.0.behavior"])
    expected: str = Field(examples=["Field required"])


class ProblemOut(BaseModel):
    """Problem details after RFC 9457."""

    type: str = Field(examples=["urn:penchant:problem:422"])
    title: str = Field(examples=["Unprocessable content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["2 parts of the request are not as expected"])
    remedy: str = Field(examples=["see errors, and the description of this address in /docs"])
    errors: list[Fault] | None = None


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
DESCRIBED: dict[int | str, dict[str, Any]] = {
    status: {"description": title, "content": _CONTENT} for status, title in TITLES.items()
}


def answer(
    status: int,
    detail: str,
    remedy: str,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> Response:
    """The response of a problem."""
    content: dict[str, Any] = {
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


def described(app: FastAPI) -> None:
    """Answer each error that an app may raise with a problem, and with no more than that."""

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        return answer(error.status, error.detail, error.remedy, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"where": ".".join(map(str, one["loc"]))[:200], "expected": one["msg"][:300]}
            for one in error.errors()[:20]
        ]
        count = len(error.errors())
        detail = f"{count} part{'s' * (count != 1)} of the request not as expected"
        remedy = "see errors, and the description of this address in /docs"
        return answer(422, detail, remedy, errors=faults)

    @app.exception_handler(PenchantError)
    async def refused(request: Request, error: PenchantError) -> Response:
        status = 409 if isinstance(error, ArtifactError) else 422
        return answer(status, str(error)[:2000], "mend what the detail names and ask again")

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        remedies = {404: "see /docs for the addresses that there are", 405: "see the header Allow"}
        remedy = remedies.get(error.status_code, "see /docs for what is expected here")
        return answer(error.status_code, str(error.detail), remedy, dict(error.headers or {}))

    @app.exception_handler(SQLAlchemyError)
    async def stored(request: Request, error: SQLAlchemyError) -> Response:
        told(error)
        if isinstance(error, DBAPIError) and type(error.orig).__name__ == "DataError":
            return answer(422, "the store cannot hold a value of the request", "leave it out")
        return answer(
            503,
            "the store does not answer; nothing of this request is taken for done",
            "ask again in a moment; events may be sent again under the same event_id",
            {"Retry-After": "1"},
        )

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        told(error)
        return answer(500, "an error of the service", "ask again; tell who runs the service")


def told(error: BaseException) -> None:
    """Log where an error was raised, without its message, which may hold what users did."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " > ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in frames)
    log.error("%s at %s", type(error).__name__, places)
