"""How a page is made of a template, and what it says where something is wrong."""

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from penchant import __version__
from penchant.errors import PenchantError
from penchant.report.html import number, share, short, text
from penchant.serve.api.problems import TITLES, Problem, told

LOGIN = "/console/login"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Html(str):
    """HTML that is already safe; all else is escaped."""

    def __html__(self) -> str:
        return self


def _escaped(value: Any) -> Any:
    """Whatever a template shows, as text; what XML cannot hold is replaced."""
    return value if hasattr(value, "__html__") else Html(text(value))


def quoted(identifier: str) -> str:
    """An identifier as one part of an address.

    >>> quoted("a/b?")
    'a%2Fb%3F'
    """
    return quote(identifier.encode("utf-8", "surrogatepass"), safe="")


def moment(at: int) -> str:
    """UTC milliseconds for a person; a dash for what no calendar holds.

    >>> moment(1_700_000_000_000)
    '2023-11-14 22:13'
    """
    try:
        return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M}"
    except OverflowError:
        return "–"


def _static() -> dict[str, tuple[str, bytes]]:
    """Files that pages ask for: kind and content, by name."""
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
    "quoted": quoted,
    "moment": moment,
    "number": number,
    "share": share,
    "short": short,
}
_environment.globals |= {"static": _ADDRESSES, "version": __version__}


def wants_part(request: Request) -> bool:
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
    # pages tell of people: no cache keeps them
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})


def redirect(address: str) -> Response:
    """Another page, asked for by GET."""
    return RedirectResponse(address, 303, {"Cache-Control": "no-store"})


class PageRoute(APIRoute):
    """A route whose problems are told in HTML; who has no key is shown the login."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handler(request)
            except Problem as error:
                if error.status == 401:
                    return _to_login(request)
                return _problem(request, error.status, error.detail, error.remedy, error.headers)
            except RequestValidationError as error:
                faults = [f"{one['loc'][-1]}: {one['msg']}" for one in error.errors()[:5]]
                detail = f"Not as expected: {'; '.join(faults)}"
                return _problem(request, 422, detail[:500], "go back and write it otherwise")
            except PenchantError as error:
                return _problem(request, 422, str(error)[:2000], "mend what the message names")
            except SQLAlchemyError as error:
                told(error)
                detail = "the store does not answer; nothing of this is taken for done"
                return _problem(request, 503, detail, "ask again in a moment")
            except HTTPException as error:
                return _problem(request, error.status_code, str(error.detail), "go back and retry")
            except Exception as error:  # whatever it was, it is told without what users did
                told(error)
                detail = "an error of the service"
                return _problem(request, 500, detail, "tell who runs the service")

        return answered


def _problem(
    request: Request, status: int, detail: str, remedy: str, headers: dict[str, str] | None = None
) -> Response:
    template = "_problem.html" if wants_part(request) else "problem.html"
    title = TITLES.get(status, "Problem")
    found = render(request, template, status, title=title, detail=detail, remedy=remedy)
    found.headers.update(headers or {})
    return found


def _to_login(request: Request) -> Response:
    asked = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        asked += f"?{request.url.query}"
    if wants_part(request):
        return Response(status_code=401, headers={"HX-Redirect": LOGIN})
    return redirect(f"{LOGIN}?next={quote(asked, safe='')}")
