"""Pages from templates, and the pages of problems."""

from collections.abc import Callable, Coroutine
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from penchant import __version__
from penchant.errors import PenchantError, counted
from penchant.report.html import number, share, short, text
from penchant.serve.api.problems import TITLES, Problem, log_error

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LOGIN = "/console/login"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SafeHtml(str):
    """HTML that is already safe; everything else is escaped."""

    def __html__(self) -> str:
        return self


def _escaped(value: Any) -> Any:
    """Whatever a template shows, as text; what XML cannot hold is replaced."""
    return value if hasattr(value, "__html__") else SafeHtml(text(value))


def quoted(identifier: str) -> str:
    """An identifier as one part of an address.

    >>> quoted("a/b?")
    'a%2Fb%3F'
    """
    return quote(identifier.encode("utf-8", "surrogatepass"), safe="")


def moment(at: int) -> str:
    """UTC milliseconds as a date and time; a dash for what no calendar holds.

    >>> moment(1_700_000_000_000)
    '2023-11-14 22:13'
    """
    try:
        return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M}"
    except OverflowError:
        return "–"


def _static() -> dict[str, tuple[str, bytes]]:
    """Files that pages ask for: media type and content, by name."""
    own, report = files(__package__).joinpath("static"), files("penchant.report")
    return {
        "report.css": ("text/css", report.joinpath("html.css").read_bytes()),
        "console.css": ("text/css", own.joinpath("console.css").read_bytes()),
        "htmx.min.js": ("text/javascript", own.joinpath("htmx.min.js").read_bytes()),
        "htmx.LICENSE.txt": ("text/plain", own.joinpath("htmx.LICENSE.txt").read_bytes()),
    }


STATIC = _static()
_ADDRESSES = {
    name: f"/console/static/{name}?v={sha256(content).hexdigest()[:12]}"
    for name, (_, content) in STATIC.items()
}
_environment = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    finalize=_escaped,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "counted": counted,
    "quoted": quoted,
    "moment": moment,
    "number": number,
    "share": share,
    "short": short,
}
_environment.globals |= {"static": _ADDRESSES, "version": __version__}


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of a page, to put it into the one that is shown."""
    headers = request.headers
    return "hx-request" in headers and "hx-history-restore-request" not in headers


def render(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """The answer that a template makes of a context."""
    key = getattr(request.state, "key", None)
    keyed = request.app.state.keys is not None
    common = {
        "path": request.url.path,
        "keyed": keyed,
        "key": key,
        "may": lambda scope: not keyed or (key is not None and key.may(scope)),
    }
    body = _environment.get_template(template).render(common | context)
    # pages show personal data: no cache may keep them
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})


def page_fields(page: "DataclassInstance") -> dict[str, Any]:
    """The fields of a page by name, as its template reads them."""
    return {field.name: getattr(page, field.name) for field in fields(page)}


def redirect(address: str) -> Response:
    """Another page, asked for by GET."""
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


class PageRoute(APIRoute):
    """A route that answers problems in HTML; without a key, it leads to the login page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as error:
                if error.status == 401:
                    return _to_login(request)
                return _problem(request, error.status, error.detail, error.remedy, error.headers)
            except RequestValidationError as error:
                faults = [f"{fault['loc'][-1]}: {fault['msg']}" for fault in error.errors()[:5]]
                detail = f"invalid input: {'; '.join(faults)}"
                return _problem(request, 422, detail[:500], "go back and correct it")
            except PenchantError as error:
                return _problem(request, 422, str(error)[:2000], "correct what the message names")
            except SQLAlchemyError as error:
                log_error(error)
                detail = "the store is not available; your change was not confirmed"
                return _problem(request, 503, detail, "try again in a moment")
            except HTTPException as error:
                return _problem(
                    request, error.status_code, str(error.detail), "go back and try again"
                )
            except Exception as error:  # logged without its message, which may hold user data
                log_error(error)
                detail = "internal error of the service"
                return _problem(request, 500, detail, "contact the operator of the service")

        return handle


def _problem(
    request: Request, status: int, detail: str, remedy: str, headers: dict[str, str] | None = None
) -> Response:
    template = "_problem.html" if is_partial(request) else "problem.html"
    title = TITLES.get(status, "Problem")
    response = render(request, template, status, title=title, detail=detail, remedy=remedy)
    response.headers.update(headers or {})
    return response


def _to_login(request: Request) -> Response:
    target = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        target += f"?{request.url.query}"
    if is_partial(request):
        return Response(status_code=401, headers={"HX-Redirect": LOGIN})
    return redirect(f"{LOGIN}?next={quote(target, safe='')}")
