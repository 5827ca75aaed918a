"""Access to the console: the API key in a cookie, and protection against other sites."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from penchant.serve.api.api_keys import ApiKeys
from penchant.serve.api.authorization import COOKIE, authorize, same_site
from penchant.serve.console.rendering import LOGIN, PageRoute, redirect, render

_HOURS = 12
"""How long a browser stays logged in."""


def page_access(scope: str) -> Any:
    """What a page depends on: a key with a scope, its own site, and the rate limit."""

    def check(request: Request) -> None:
        same_site(request)
        request.state.key = None
        request.state.key = authorize(request, None, scope)

    return Depends(check)


router = APIRouter(
    prefix="/console",
    include_in_schema=False,
    route_class=PageRoute,
    dependencies=[Depends(same_site)],
)


@router.get("/login")
def login_page(request: Request, next: Annotated[str, Query(max_length=3000)] = "/") -> Response:
    """The form that asks for a key; in open mode there is none to ask for."""
    if request.app.state.keys is None:
        return redirect(_local_address(next))
    return render(request, "login.html", next=_local_address(next), wrong=False)


@router.post("/login")
def log_in(
    request: Request,
    key: Annotated[str, Form(max_length=500)] = "",
    next: Annotated[str, Form(max_length=3000)] = "/",
) -> Response:
    """Put a valid key into the cookie."""
    keys: ApiKeys | None = request.app.state.keys
    if keys is None:
        return redirect(_local_address(next))
    if keys.check(key.strip()) is None:
        return render(request, "login.html", 401, next=_local_address(next), wrong=True)
    response = redirect(_local_address(next))
    response.set_cookie(COOKIE, key.strip(), max_age=_HOURS * 3600, **_cookie_options(request))
    return response


@router.post("/logout")
def log_out(request: Request) -> Response:
    """Remove the cookie."""
    response = redirect(LOGIN)
    response.delete_cookie(COOKIE, **_cookie_options(request))
    return response


def _cookie_options(request: Request) -> Any:
    secure = request.url.scheme == "https"
    return {"httponly": True, "samesite": "strict", "secure": secure, "path": "/"}


def _local_address(address: str) -> str:
    """An address of this service; anything else becomes the overview.

    >>> _local_address("/console/users/a%2Fb"), _local_address("//evil.example")
    ('/console/users/a%2Fb', '/')
    """
    console = address.startswith(("/console/", "/docs")) and not set(address) & set("\\\r\n\t")
    return address if console and not address.startswith(LOGIN) else "/"
